// The decision core of one supervised child: when is it started, restarted after what delay, and given up?
//
// Pure: (state, event, now) -> actions. The supervisor owns one RestartPolicy a child, feeds it every event
// of that child and performs the actions in their order. It starts nothing by itself: the first event is
// Command::start.
//
// Where the tree comes in: RestartPolicy knows nothing of siblings or parents. GiveUp is what a supervisor
// escalates, by the strategy that it is configured with. Strategies that restart siblings (one_for_all,
// rest_for_one) send those siblings Command::restart, which waits for the running one to stop and counts
// against no limit.
//
// Terms as in OTP (permanent, transient, temporary; intensity and period). The backoff starts at its minimum
// and doubles with each failure until the child has run for reset_after.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/random.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dwcp::supervision {
inline namespace one_child {

enum class RestartType : std::uint8_t {
    permanent, ///< Restarted whenever it ends.
    transient, ///< Restarted after an abnormal end only.
    temporary, ///< Never restarted, but at an operator's or a supervisor's command.
};

struct Backoff {
    Duration min = milliseconds(10);   ///< The exact delay of the first restart after a calm time.
    Duration max = milliseconds(5000); ///< Read as `min` if it is less.
    double jitter_ratio = 0.2; ///< Later delays are prolonged by a random share of up to this, so that
                               ///< children that fail together do not come back together.
    Duration reset_after = milliseconds(10'000); ///< A child that ran for this long starts over at `min`.
};

/// At most `restarts_max` automatic restarts within `period`; the next one gives the child up.
struct Intensity {
    std::uint32_t restarts_max = 1;
    Duration period = milliseconds(5000);
};

struct ChildSpec {
    std::string id; ///< Path in the tree, e.g. "manager/0".
    RestartType type = RestartType::permanent;
    Backoff backoff;
    std::optional<Intensity> intensity; ///< None: never given up.
};

// Events.

/// The child said it is ready.
struct Started {};

enum class Exit : std::uint8_t { normal, abnormal };

/// The child has ended, or could not be started (abnormal). Ignored when no child is there, so a report that
/// comes twice does no harm; one of an earlier life is for the supervisor to drop, by the child's
/// incarnation.
struct Stopped {
    Exit exit = Exit::normal;
    std::string reason;
};

/// The time of a StartAt has come. Ignored when it is not what the policy waits for.
struct TimerFired {};

/// From an operator or the supervisor. Commands that the state already satisfies do nothing.
enum class Command : std::uint8_t {
    start,   ///< Run it, from whatever state; at once, without backoff. The way back from given_up.
    stop,    ///< End it and leave it so.
    restart, ///< End it, then start it without backoff; starts it if it does not run.
    kill, ///< End it by force. It comes back as it would after a crash; a stop or restart under way goes on,
          ///< faster.
};

using Event = std::variant<Started, Stopped, TimerFired, Command>;

// Actions.

/// Create the child now, and report Started or Stopped.
struct Start {};

/// Arm a timer and send TimerFired at this time. Replaces an earlier one; there is no harm in both firing.
struct StartAt {
    TimePoint at;
};

/// End the child and report Stopped. `force`: without waiting for what it is doing.
struct Stop {
    bool force = false;
};

/// An automatic restart was decided: the event and counter that operators see.
struct Report {
    std::uint64_t restarts = 0; ///< Of this child since the policy was made, this one included.
    Duration delay{};
    std::string reason; ///< Why the child had ended.
};

/// Too many restarts within the period. The child stays down; the supervisor escalates.
struct GiveUp {
    std::string reason;
};

using Action = std::variant<Start, StartAt, Stop, Report, GiveUp>;

enum class ChildState : std::uint8_t {
    idle,        ///< Not started yet, ended for good, or stopped by command.
    starting,    ///< Start was asked for; not ready yet.
    running,     ///< Ready.
    stopping,    ///< Stop was asked for; stays down or starts again afterwards, as the last command said.
    backing_off, ///< Waiting for the time of the next start.
    given_up,    ///< Over its intensity.
};

std::string_view to_string(ChildState state);

class RestartPolicy {
  public:
    /// `seed` of the jitter: the same events then give the same actions.
    RestartPolicy(ChildSpec spec, std::uint64_t seed);

    std::vector<Action> step(const Event& event, TimePoint now);

    const ChildSpec& spec() const { return spec_; }
    ChildState state() const { return state_; }
    std::uint64_t restarts() const { return restarts_; }
    /// Why the child ended last; empty before.
    const std::string& last_reason() const { return last_reason_; }
    /// While backing off: when it starts.
    std::optional<TimePoint> next_start() const;

  private:
    using Actions = std::vector<Action>;

    Actions on(const Started& event, TimePoint now);
    Actions on(const Stopped& event, TimePoint now);
    Actions on(const TimerFired& event, TimePoint now);
    Actions on(Command command, TimePoint now);

    bool has_child() const;
    Actions start_now();
    Actions stop_child(bool start_again);
    Actions restart_after_failure(TimePoint now);
    Duration take_delay();
    bool over_intensity(TimePoint at);

    ChildSpec spec_;
    Random random_;
    ChildState state_ = ChildState::idle;
    bool start_again_ = false; ///< While stopping: start once it has stopped.
    std::optional<TimePoint> running_since_;
    std::optional<Duration> last_delay_; ///< Without its jitter; none: calm, no failure to remember.
    TimePoint due_{};                    ///< While backing off.
    std::deque<TimePoint> recent_;       ///< Automatic restarts of the last period; at most restarts_max.
    std::uint64_t restarts_ = 0;
    std::string last_reason_;
};

} // namespace one_child
} // namespace dwcp::supervision
