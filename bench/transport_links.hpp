// Our side of the transport benchmark: data links between two processes, the receiver verifying SHA-256 and
// storing in the real store.
#pragma once

#include "protocols/wire/block.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dwcp::bench {

struct LinkSeconds {
    double put = 0; ///< From the first block sent to the answer of sync(): all verified and on disk.
    double get = 0; ///< From the first fetch to the last block received and verified.
};

LinkSeconds link_seconds(const std::vector<EncodedBlock>& blocks, const std::string& directory,
                         std::uint32_t streams);

} // namespace dwcp::bench
