// A circuit breaker: stops calls to what keeps failing, so that callers fail at once instead of waiting, and
// lets a few through after a while to see whether it works again.
//
//            trips                       open_for has passed, or hint()
//   closed ────────▶ open ────────────────────────────▶ half-open (at most probes_max calls at a time)
//     ▲               ▲  ◀───────────── a probe fails ───────┘ │
//     └────────────────────── successes_to_close ──────────────┘
//
// It trips by consecutive failures, or by the share of failures or of slow calls among the calls of the
// sliding window, if these are at least `calls_min`.
//
// Pure: (state, event, now) -> decision. One object a guarded operation, owned and locked by whoever guards
// it (runtime/resilience). Each admitted call reports back once with its permit; one that never does holds a
// probe's place for `probe_timeout` only. A report of a call that began before the last change of state says
// nothing about the present one and is dropped.
//
// `now` may go backwards or jump: nothing waits longer than its duration from any `now` that is given.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/breaker/outcome.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::breaker {

/// The one encoding, in metrics, APIs and records alike. Forced states are a flag beside it.
enum class State : std::uint8_t { closed = 0, half_open = 1, open = 2 };

/// An operator's word. `open`: nothing passes. `closed`: everything passes, whatever becomes of it.
enum class Forced : std::uint8_t { no = 0, open = 1, closed = 2 };

std::string_view to_string(State state);
std::string_view to_string(Forced forced);

struct BreakerOptions {
    std::uint32_t failures_consecutive = 5; ///< Trips at this many in a row; 0: never for that.
    Duration open_for = milliseconds(30'000);
    std::uint32_t successes_to_close = 2;          ///< Of probes, one after the other.
    std::uint32_t probes_max = 2;                  ///< At a time, while half-open; read as 1 if 0.
    Duration probe_timeout = milliseconds(30'000); ///< A probe that has not reported frees its place then.
    Duration window = milliseconds(10'000);
    std::uint32_t calls_min = 20;   ///< Calls in the window below which no share trips it.
    std::uint32_t failure_pct = 50; ///< Trips at this share of failures; 0: never for that.
    Duration slow_call = milliseconds(5000);
    std::uint32_t slow_pct = 0; ///< Trips at this share of calls that took slow_call; 0: never for that, and
                                ///< a slow probe is a good one.

    bool operator==(const BreakerOptions&) const = default;
};

/// Calls of the window that reported success or failure.
struct WindowCounts {
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::uint64_t slow = 0;
};

/// Given by admit(), handed back with report().
struct Permit {
    std::uint64_t epoch = 0; ///< Of the state it was given in.
    std::uint64_t probe = 0; ///< 0: not a probe.
};

/// A change of state, as an event for operators.
struct Transition {
    State from = State::closed;
    State to = State::closed;
    std::string reason; ///< In words, with the counts.
};

struct Admitted {
    std::optional<Permit> permit; ///< None: refused.
    Duration retry_after{};       ///< If refused: when a probe may be let through; zero if nobody knows.
    std::optional<Transition> transition; ///< open -> half-open.
};

class Breaker {
  public:
    explicit Breaker(const BreakerOptions& options) : options_(options) {}

    Admitted admit(TimePoint now);
    /// What the call came to. `took` only matters for slow calls; `error` is kept as the last one if it
    /// failed.
    std::optional<Transition> report(const Permit& permit, Outcome outcome, Duration took, TimePoint now,
                                     std::string_view error = {});

    /// The peer came up, so there is reason to believe that it works again: an open breaker lets
    /// probes through at once. While those still fail, as they may while the peer starts, it opens for a
    /// short time first (kHintedOpenShare of open_for), then for twice that, and so on.
    std::optional<Transition> hint(TimePoint now);

    std::optional<Transition> force(Forced forced, const std::string& reason, TimePoint now);
    /// Closed, nothing counted, not forced.
    std::optional<Transition> reset(TimePoint now);
    /// Other limits from now on; what was counted stays.
    void change_options(const BreakerOptions& options) { options_ = options; }

    const BreakerOptions& options() const { return options_; }
    State state() const { return state_; }
    Forced forced() const { return forced_; }
    /// What calls meet: forced open counts as open, forced closed as closed.
    State effective() const;
    /// Why it tripped last, or was forced; empty: never.
    const std::string& reason() const { return reason_; }
    const std::string& last_error() const { return last_error_; }
    std::uint32_t consecutive_failures() const { return failures_; }
    std::uint64_t trips() const { return trips_; } ///< From closed to open.
    std::uint32_t probes(TimePoint now) const;     ///< Under way.
    /// While open: how long until a probe may pass. Zero if one may now.
    Duration opens_in(TimePoint now) const;
    WindowCounts counts(TimePoint now) const;

  private:
    static constexpr std::int64_t kSlots = 10; ///< The window forgets a tenth of itself at a time.
    struct Slot {
        std::int64_t number = -1; ///< Of the slot's length since the clock's start.
        WindowCounts counts;
    };
    struct Probe {
        std::uint64_t id = 0;
        TimePoint since;
    };

    Transition enter(State to, std::string reason, TimePoint now);
    std::optional<std::string> why_trip(TimePoint now) const;
    std::optional<Transition> report_closed(Outcome outcome, bool slow, TimePoint now);
    std::optional<Transition> report_probe(Outcome outcome, bool slow, TimePoint now);
    void count(Outcome outcome, bool slow, TimePoint now);
    std::int64_t slot_number(TimePoint now) const;
    void turn_back(TimePoint now);
    void drop_lost_probes(TimePoint now);

    BreakerOptions options_;
    State state_ = State::closed;
    Forced forced_ = Forced::no;
    std::uint64_t epoch_ = 1;
    std::uint32_t failures_ = 0;  ///< In a row, while closed.
    std::uint32_t successes_ = 0; ///< In a row, while half-open.
    TimePoint opened_at_{};
    Duration open_for_{};                   ///< This time.
    std::optional<Duration> next_open_for_; ///< After a hint: shorter than usual.
    std::array<Slot, kSlots> slots_{};
    std::vector<Probe> probes_;
    std::uint64_t last_probe_ = 0;
    std::uint64_t trips_ = 0;
    std::string reason_;
    std::string last_error_;
};

/// The first time a breaker opens again after a hint is this share of its usual time: 30 s / 64 = 0.47 s,
/// about what a restarted actor needs.
inline constexpr int kHintedOpenShare = 64;

} // namespace dwcp::breaker
