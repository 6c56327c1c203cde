// What a supervisor is told about itself and its children, as data: declared once, never changed.
//
// Terms as in OTP: permanent, transient, temporary; one_for_one, rest_for_one, one_for_all; intensity and
// period. How they are applied stands in supervisor.hpp.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::supervision {

/// Which ends of a child, that nobody asked for, are followed by a restart. What did not become ready in time
/// or could not be started has ended abnormally.
enum class RestartType : std::uint8_t {
    permanent, ///< All.
    transient, ///< The abnormal ones.
    temporary, ///< None; nor does a sibling's restart bring it back. Only an operator's command does.
};

/// Who is restarted along with a child that is.
enum class Strategy : std::uint8_t {
    one_for_one,  ///< Nobody.
    rest_for_one, ///< Those declared after it.
    one_for_all,  ///< All of them.
};

/// What follows the restart that would be one too many.
enum class Escalation : std::uint8_t {
    stop,         ///< All children are stopped and stay down; the supervisor lives on for the operator.
    parent,       ///< All children are stopped, then the supervisor ends abnormally (OTP).
    quarantine,   ///< The child that died is quarantined; its siblings are left as they are.
    exit_process, ///< All children are stopped, then the process is to exit with `exit_code`.
};

struct Backoff {
    Duration min = milliseconds(10);   ///< The exact delay of the first restart after a calm time. >= 1 ms.
    Duration max = milliseconds(5000); ///< Read as `min` if it is less.
    double jitter_ratio = 0.2; ///< Later delays are prolonged by a random share of up to this (never beyond
                               ///< max * (1 + jitter_ratio)), so that children that fail together do not
                               ///< come back together.
    Duration reset_after = milliseconds(10'000); ///< A life that was ready for this long was calm: the delay
                                                 ///< starts over at `min`, and its release is a good one.
};

/// At most `restarts_max` automatic restarts of all children together within `period`, counted when they are
/// decided; one that was decided exactly `period` ago still counts (OTP). A restart counts once, however many
/// siblings it takes along. Commands count nothing.
struct Intensity {
    std::uint32_t restarts_max = 1; ///< At most kRecordMax are remembered.
    Duration period = milliseconds(5000);
};

/// This many ends of one child within the period, each of which its restart type answers with a restart.
struct CrashLoop {
    std::uint32_t deaths = 5; ///< 1 to kRecordMax.
    Duration period = milliseconds(60'000);
};

/// Most times that one record of deaths or restarts holds: bounds memory whatever is configured.
inline constexpr std::uint32_t kRecordMax = 1000;

struct ChildSpec {
    std::string id; ///< Its path in the tree, e.g. "manager/0". Unique in the supervisor.
    RestartType type = RestartType::permanent;
    Backoff backoff;
    Duration start_timeout = milliseconds(5000); ///< From Start until Ready; afterwards it is killed.
    Duration stop_grace = milliseconds(5000);    ///< From Stop until Kill. Zero: killed without being asked.

    bool recovers = false;                            ///< Recover is asked for before each Start.
    Duration recovery_timeout = milliseconds(10'000); ///< From Recover until Recovered; then it is killed.

    std::optional<CrashLoop> poison; ///< The death that completes it quarantines the child.

    /// Release names; empty where a child has none. A nested supervisor's shell puts back here what the node
    /// remembers from before that supervisor's own restart.
    std::string release;
    bool on_trial = false; ///< Of `release`, as in NewRelease.
    std::string last_good;
    std::optional<CrashLoop> roll_back; ///< When to give a release up. None: a release is never rolled back.

    std::string quarantine; ///< Not empty: quarantined from the start, for this reason.
};

struct SupervisorSpec {
    std::string path; ///< Of the supervisor itself; used in reasons.
    Strategy strategy = Strategy::one_for_one;
    Intensity intensity;
    Escalation escalation = Escalation::parent;
    int exit_code = 70; ///< For exit_process. 70 is EX_SOFTWARE: a service manager starts the node afresh.
    std::vector<ChildSpec> children; ///< In start order.
};

std::string_view to_string(RestartType type);
std::string_view to_string(Strategy strategy);
std::string_view to_string(Escalation escalation);

} // namespace dwcp::supervision
