// The whole way of an object in the transport benchmark: HTTP client, gateway, manager, journal, data link,
// replica, commit.
#pragma once

#include "protocols/wire/block.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dwcp::bench {

struct ObjectSeconds {
    double put = 0; ///< From the request to the receipt: hashed, on two disks, committed.
    double get = 0; ///< From the request to the last byte, at the site that did not take it in.
};

/// Puts the blocks' bytes as one object at one of two fresh nodes and gets it at the other. Throws
/// std::runtime_error if it cannot.
ObjectSeconds object_seconds(const std::vector<EncodedBlock>& blocks, const std::string& directory,
                             std::uint32_t streams);

} // namespace dwcp::bench
