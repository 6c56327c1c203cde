// What a compression actor is asked. They live at "compression/0", ...
#pragma once

#include "actors/compression/predict.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/ramp/measure.hpp"
#include "protocols/wire/block.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dwcp::compression {

struct BlockEncoded {
    EncodedBlock block;
    std::string reason;                            ///< Why this codec, in stable short words.
    ramp::Release release = ramp::Release::stable; ///< Of the selector, which chose.
};

/// Hashes, chooses a codec (unless pinned) and encodes, on a worker thread.
struct EncodeBlock {
    using Reply = BlockEncoded;
    WorkloadId stream; ///< Blocks of one workload share a history.
    SharedBytes raw;
    std::optional<CodecChoice> pinned;
    std::string key{}; ///< The workload's, by which the selector's release is chosen.
};

/// What predict() says of each, in order.
struct CodecsPredicted {
    std::vector<Result<Prediction>> list;
};
/// Asks what would be chosen, on a worker thread.
struct PredictCodecs {
    using Reply = CodecsPredicted;
    std::vector<Forecast> forecasts;
};

} // namespace dwcp::compression
