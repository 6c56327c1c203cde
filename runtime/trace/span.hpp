// A step of a workload: what was done, where, for how long. The spans of a workload on all nodes make one
// tree.
//
// A span's id is not drawn but computed from what it is (workload, step, node, detail), so every node knows
// the id of the step on another node that its own step belongs to: the node that stores a block computes the
// id of the sender's "ship", and nothing more has to cross the wire than the workload's id.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/ids.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dwcp::trace {

using SpanId = std::uint64_t;

/// The same on every node and in every version; never 0.
SpanId span_id(std::string_view workload, std::string_view name, std::string_view node,
               std::string_view detail = {});

/// The step that a client's request is on the node which took it: the root of a workload's tree.
inline constexpr std::string_view kRequest = "request";
inline SpanId request_span(std::string_view workload, std::string_view node) {
    return span_id(workload, kRequest, node);
}

/// When a step began, on both clocks: durations must not jump with the wall clock.
struct Mark {
    TimePoint at{};
    std::int64_t unix_us = 0;
};
Mark mark();

struct Span {
    WorkloadId workload{};
    std::string name{};   ///< "ship", "store", "commit".
    std::string detail{}; ///< What tells it from others of its name: a peer, a block.
    NodeName node{};
    std::string actor{};    ///< "manager/0", or the part of the node that is no actor: "http", "data".
    SpanId id = 0;          ///< 0: computed from the four above.
    SpanId parent = 0;      ///< 0: none.
    std::string trace_id{}; ///< W3C trace id; only of a request.

    std::int64_t start_us = 0; ///< Since the Unix epoch.
    std::uint64_t duration_us = 0;
    std::uint64_t busy_us = 0; ///< Of a step that happened several times: the sum of their durations.
    std::uint64_t count = 1;   ///< How many times.
    std::string error{};       ///< Empty: it went well. Of several, the last that did not.
    /// Numbers are added up when a step happens again; of texts the last stays.
    std::vector<std::pair<std::string, std::uint64_t>> numbers{};
    std::vector<std::pair<std::string, std::string>> texts{};
};

} // namespace dwcp::trace
