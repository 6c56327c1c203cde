// What a compression actor is asked. They live at "compression/0", ...
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/wire/block.hpp"

#include <optional>
#include <string>

namespace dwcp::compression {

struct BlockEncoded {
    EncodedBlock block;
    std::string reason; ///< Why this codec, in stable short words.
};

/// Hashes, chooses a codec (unless pinned) and encodes, on a worker thread.
struct EncodeBlock {
    using Reply = BlockEncoded;
    WorkloadId stream; ///< Blocks of one workload share a history.
    SharedBytes raw;
    std::optional<CodecChoice> pinned;
};

} // namespace dwcp::compression
