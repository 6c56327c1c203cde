// Exercises: what the ramp does to the cluster on purpose, to see that it holds. Ordered by the host, run by
// the node that the order names. A node_failure is none of them: the host sees it (node_failures.hpp).
//
// Life cycle of a runner: one a node. run() is called again and again with the same order, until its result
// says done; it begins an exercise only once and never blocks. Thread-safe.
#pragma once

#include "protocols/ramp/ramp.hpp"

#include <string>
#include <string_view>

namespace dwcp::ramp {

/// Named by the directive of the stage that wants it: the same order is the same exercise.
struct ExerciseOrder {
    std::uint64_t seq = 0;
    Check what = Check::recovery;
    System system;
    NodeName node;

    auto operator<=>(const ExerciseOrder&) const = default;
};

class ExerciseRunner {
  public:
    virtual ~ExerciseRunner() = default;
    virtual ExerciseResult run(const ExerciseOrder& order) = 0;
};

/// As JSON, for kExerciseService. Decoding errors: invalid_argument.
std::string to_text(const ExerciseOrder& order);
std::string to_text(const ExerciseResult& result);
Result<ExerciseOrder> order_from_text(std::string_view text);
Result<ExerciseResult> result_from_text(std::string_view text);

} // namespace dwcp::ramp
