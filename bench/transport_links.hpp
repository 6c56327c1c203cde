// Our side of the transport benchmark: data links between two processes, plain or in TLS, the receiver
// verifying SHA-256 and storing in the real store.
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

struct LinkWish {
    std::uint32_t streams = 1;
    bool tls = false;      ///< TLS 1.3 with certificates of both nodes, made for this run.
    bool with_get = false; ///< A get needs the put before it; without, its time stays 0.
};

LinkSeconds link_seconds(const std::vector<EncodedBlock>& blocks, const std::string& directory,
                         const LinkWish& wish);

} // namespace dwcp::bench
