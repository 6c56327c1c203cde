// What the ramp's actor, "ramp/0" on every node, is asked; and the control services between the nodes.
#pragma once

#include "protocols/ramp/ramp.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dwcp::ramp {

/// The host's poll: an encoded Directive, answered by an encoded NodeReport after the directive was taken.
inline constexpr const char* kPollService = "ramp/poll";
/// How long the asked node has not heard of the ramp's host, in milliseconds as text: a node that wants to
/// take the ramp over asks the others first, so that one broken link makes no second host.
inline constexpr const char* kHeardService = "ramp/host-heard";
/// The host's order of an exercise, and its question how far it is: an ExerciseOrder as JSON, answered by an
/// ExerciseResult as JSON. Asking again with the same order begins nothing a second time.
inline constexpr const char* kExerciseService = "ramp/exercise";

/// What an operator wants. The node that is asked must be the ramp's host; with `start`, or when the host is
/// not heard of, it takes the ramp over first. Errors: unavailable (the host is another node, or the journal
/// cannot be written now), deadline_exceeded (it may still happen), and what the ramp refuses.
struct RampAnswered {
    std::string outcome; ///< A sentence.
};
struct RampCommand {
    using Reply = RampAnswered;
    Command command;
};

struct RampView {
    State state;
    bool is_host = false;
    bool host_heard = false; ///< The host spoke to this node lately, or is this node.
    std::string explanation; ///< What it waits for, and what comes then.
    // Known to the host alone:
    std::vector<Verdict> verdicts; ///< Of the gate at hand, as of now.
    std::vector<NodeName> silent;
    std::optional<Observation> observation; ///< The last look at the cluster.
};
struct QueryRamp {
    using Reply = RampView;
};

} // namespace dwcp::ramp
