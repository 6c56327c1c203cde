// What the ramp saw, as JSON: kept in the evidence of a phase, judged again offline by `dwcp-shell ramp
// replay`.
//
// A recording is a file of JSON lines. The first may say what was judged by what:
//   {"plan": "<the plan's TOML>", "day_ms": 86400000, "gate": "at-10", "systems": ["manager"]}
// each other is an observation:
//   {"at_ms": 1790000000000, "silent": ["site-c"], "nodes": [{"node": "site-a", "incarnation": 7, "seq": 12,
//    "window_ms": 60000, "systems": {"manager": {"stable": "one-stream-1", "canary": "multi-stream-1",
//    "canary_percent": 10, "total": {"stable": WORK, "canary": WORK}, "recent": {...}, "shadow": WORK, ...}},
//    "total": FACTS, "recent": FACTS}]}
// WORK is {"requests", "errors", "bytes", "cost_us", "latency": [[bucket, count], ...]} with the buckets of
// protocols/ramp/sketch.hpp. What is zero may be missing, and what is not known is passed over: a file of
// another version can be read. A bundle of `ramp evidence`, one object with the observations in
// "observations", is a recording too.
//
// The readers trust nothing: a wrong type, a number out of range, too many of anything is one error,
// Errc::invalid_argument or too_large, with the line and the place within it. Nothing throws.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/ramp/measure.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::release {

/// One line; 256 nodes with full sketches would not fit, but nobody has them.
inline constexpr std::size_t kObservationBytesMax = 16U << 20;
/// A day of looks each 10 s from three nodes is some 100 MB.
inline constexpr std::size_t kRecordingBytesMax = 512U << 20;

nlohmann::json to_json(const ramp::Observation& observation);
/// One line without its end.
std::string observation_line(const ramp::Observation& observation);
Result<ramp::Observation> parse_observation(std::string_view line);

struct Recording {
    std::string plan_toml;    ///< Empty: the file has none.
    std::uint64_t day_ms = 0; ///< 0: the plan's.
    std::string gate;
    std::vector<ramp::System> systems;
    std::vector<ramp::Observation> observations; ///< In the order of time, at least one.
};

/// The first line of a recording.
std::string recording_header(const Recording& recording);
/// `origin` is how problems call the text: "evidence.jsonl:7: ...".
Result<Recording> parse_recording(std::string_view text, const std::string& origin);

} // namespace dwcp::release
