// What the selector would choose for data that is described, or of which a sample is here, and what that
// would bring: for programs that plan a transfer.
//
// Pure but for the clock that times the sample's encoding. Called by the compression actor on a worker.
#pragma once

#include "actors/compression/rule_selector.hpp"
#include "actors/compression/sampled_selector.hpp"
#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "protocols/wire/block.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dwcp::compression {

/// The rules' releases, as the API names them, and the one that tries.
inline constexpr std::string_view kStableRelease = "rules-1";
inline constexpr std::string_view kCanaryRelease = "sampled-1";
/// Who decides where nothing was handed over to a canary, as the API names it.
inline constexpr std::string_view kModelSource = "rules";
inline constexpr std::string_view kModelVersion = "1";

enum class DataType : std::uint8_t { text, binary, structured, json, protobuf };

struct Forecast {
    std::optional<DataType> type; ///< Without a sample this is all that is known.
    std::uint64_t size_bytes = 0;
    double latency_ms = 0;     ///< One way, to the receiver.
    double bandwidth_mbps = 0; ///< 0: what the node plans for.
    SharedBytes sample;        ///< Null, or 1..kBlockBytes of the data.
};

/// What was measured on the sample, scaled to the whole.
struct Expectation {
    double ratio = 1;           ///< Raw bytes for each stored byte.
    double compress_ms = 0;     ///< On one thread of this node.
    double transfer_ms = 0;     ///< Latency and stored bytes over the link.
    double uncompressed_ms = 0; ///< The transfer's time without compression.
};

struct Prediction {
    CodecChoice codec;
    std::string reason;
    std::string release;                 ///< Of the selector, which chose: "rules-1", "sampled-1".
    std::optional<Expectation> expected; ///< Only with a sample: a guess would be no help.
};

/// `rates`: of the sampling selector, which then chooses for what comes with a sample; null: the rules do.
Result<Prediction> predict(const Forecast& forecast, double node_link_mbps,
                           const EncodeRates* rates = nullptr);

} // namespace dwcp::compression
