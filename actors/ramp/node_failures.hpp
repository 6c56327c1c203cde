// Whether a node of the cluster failed and came back while a ramp was under way: seen in the host's looks. A
// node counts as gone when it does not answer, or answers in a new life; and as back when it answers and none
// of its health checks fails.
//
// Life cycle: of the ramp's actor, begun anew with each plan. Not thread-safe.
#pragma once

#include "protocols/ramp/judge.hpp"

#include <map>
#include <optional>

namespace dwcp::ramp {

class NodeFailures {
  public:
    void look(const Observation& observation);
    /// The first recovery that was seen; else done is false, and the detail says what was seen so far.
    ExerciseResult result() const;

  private:
    struct Node {
        Incarnation incarnation = 0;
        std::optional<UnixMillis> gone_ms;
        UnixMillis seen_ms = 0; ///< When it last was well.
    };

    void answered(const NodeReport& report, UnixMillis at_ms);

    std::map<NodeName, Node> nodes_;
    std::optional<ExerciseResult> recovered_;
};

} // namespace dwcp::ramp
