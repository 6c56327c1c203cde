#include "actors/compression/predict.hpp"

#include "actors/compression/codec.hpp"
#include "protocols/crypto/hash.hpp"

#include <algorithm>
#include <chrono>

namespace dwcp::compression {
namespace {

/// What a block of each type usually measures: the rules ask no more than whether it is text and whether it
/// looks compressible at all.
BlockFeatures typical(DataType type) {
    BlockFeatures features;
    features.text = type == DataType::text || type == DataType::json;
    features.entropy_bits = features.text ? 4.8 : 6.0;
    features.repeat_share = 0.2;
    return features;
}

double ms_for(double bytes, const Forecast& forecast, double link_mbps) {
    return forecast.latency_ms + bytes * 8 / (link_mbps * 1000);
}

Expectation scale(const EncodedBlock& block, double encode_ms, const Forecast& forecast, double link_mbps) {
    const auto size = static_cast<double>(forecast.size_bytes);
    Expectation expected;
    expected.ratio = static_cast<double>(block.raw_bytes) / static_cast<double>(block.bytes->size());
    expected.compress_ms = encode_ms * size / block.raw_bytes;
    expected.transfer_ms = ms_for(size / expected.ratio, forecast, link_mbps);
    expected.uncompressed_ms = ms_for(size, forecast, link_mbps);
    return expected;
}

} // namespace

Result<Prediction> predict(const Forecast& forecast, double node_link_mbps, const EncodeRates* rates) {
    if (!forecast.sample && !forecast.type)
        return fail(Errc::invalid_argument, "nothing is known of the data", "send data_type or a sample");
    const double link_mbps = forecast.bandwidth_mbps > 0 ? forecast.bandwidth_mbps : node_link_mbps;
    BlockFeatures features = forecast.sample ? measure(*forecast.sample) : typical(*forecast.type);
    features.bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(forecast.size_bytes, kBlockBytes));
    StreamHistory fresh;
    const bool sampled = rates != nullptr && forecast.sample;
    const auto selection = sampled ? select_sampled(*forecast.sample, features, link_mbps, *rates, fresh)
                                   : select(features, link_mbps, fresh);
    Prediction prediction{selection.codec, std::string(selection.reason),
                          std::string(sampled ? kCanaryRelease : kStableRelease), std::nullopt};
    if (!forecast.sample) return prediction;
    const auto began = std::chrono::steady_clock::now();
    const auto block = encode(selection.codec, forecast.sample, crypto::sha256(*forecast.sample));
    if (!block) return std::unexpected(block.error());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    if (block->codec != selection.codec) {
        prediction.codec = block->codec;
        prediction.reason = "saves too little";
    }
    prediction.expected = scale(*block, took.count(), forecast, link_mbps);
    return prediction;
}

} // namespace dwcp::compression
