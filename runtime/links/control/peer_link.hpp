// One peer's link as a decision core: when to try, when to wait, when it is up, and what to tell. No clock,
// no threads, no CAF: (event, now) -> effects. The gateway performs the effects and reports what came of
// them.
//
//   down ──wake──▶ probing ──▶ connecting ──▶ greeting ──▶ up        the dialling end
//   down ─────────────────accepted──────────────────────▶ up        the accepting end, which only waits
//
// Every attempt to come up has a number. An event names the attempt it belongs to, and one of an earlier
// attempt changes nothing: results may arrive late and in any order. A link that dials always has either a
// wake or an attempt under way.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/random.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dwcp::links {

class PeerLink {
  public:
    enum class State : std::uint8_t { down, probing, connecting, greeting, up };
    /// What the gateway has to do next for this link.
    enum class Step : std::uint8_t { none, probe, connect, greet, ping };
    /// What the world has to be told.
    enum class Change : std::uint8_t { none, up, down, refused };

    struct Settings {
        bool dials = false;       ///< This end opens the connection.
        Duration reconnect_min{}; ///< First pause after a failure.
        Duration reconnect_max{}; ///< No pause is longer; also the pause after a refusal.
        Duration ping_after{};    ///< An idle link is pinged after this.
    };

    struct Effects {
        Step step = Step::none;
        Change change = Change::none;
        std::optional<TimePoint> wake_at =
            std::nullopt; ///< Call wake() then. An extra or late wake does no harm.
    };

    /// `seed`: for the jitter, so that the nodes of a cluster do not retry in step.
    PeerLink(const Settings& settings, std::uint64_t seed) : settings_(settings), random_(seed) {}

    /// Once, at the beginning.
    Effects start(TimePoint now);
    Effects wake(TimePoint now);

    Effects probed(std::uint64_t attempt);
    Effects connected(std::uint64_t attempt);
    /// The greeting is complete: the link is up.
    Effects greeted(std::uint64_t attempt, TimePoint now);
    /// The accepting end completed a greeting: begins an attempt that is up at once. The link must not be up.
    Effects accepted(TimePoint now);
    /// The attempt, or the link that came of it, has failed.
    Effects failed(std::uint64_t attempt, std::string problem, TimePoint now);
    /// One of the ends refuses the other. Trying soon would not help, so the pause is the longest one.
    Effects refused(std::uint64_t attempt, std::string problem, TimePoint now);
    /// The peer answered something.
    void heard(TimePoint now);

    State state() const { return state_; }
    bool up() const { return state_ == State::up; }
    std::uint64_t attempt() const { return attempt_; }
    bool is_current(std::uint64_t attempt, State state) const {
        return attempt == attempt_ && state == state_;
    }
    /// Why it is not up; empty while it is.
    const std::string& problem() const { return problem_; }

  private:
    Effects go_up(TimePoint now);
    TimePoint wait_from(TimePoint now);

    Settings settings_;
    Random random_;
    State state_ = State::down;
    std::uint64_t attempt_ = 0;
    std::string problem_;
    Duration pause_{}; ///< Of the next failure, before jitter; zero: start with the shortest.
    TimePoint wake_at_{};
    TimePoint up_since_{};
    TimePoint last_heard_{};
    bool refused_ = false; ///< problem_ is a refusal and has been told.
    bool pinging_ = false;
};

} // namespace dwcp::links
