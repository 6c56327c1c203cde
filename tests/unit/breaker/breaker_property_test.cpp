// The breaker against a reference model that remembers everything and is as plain as it can be.
#include "protocols/base/random.hpp"
#include "protocols/breaker/breaker.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <vector>

using namespace dwcp;
using namespace dwcp::breaker;
using namespace std::chrono_literals;

namespace {

/// 128 bits: what overflows in the clock's own does not here.
__extension__ using Wide = __int128;

Wide wide(TimePoint time) { return time.time_since_epoch().count(); }

class Model {
  public:
    explicit Model(const BreakerOptions& options) : options_(options) {}

    bool admits(Wide now) {
        turn_back(now);
        if (forced == Forced::open) return false;
        if (forced == Forced::closed || state == State::closed) return true;
        if (state == State::open) return now - opened_at >= open_for;
        // Given up for good: they do not come back to life when the clock steps back.
        std::erase_if(probes, [&](const auto& probe) { return is_lost(probe.second, now); });
        return probes.size() < options_.probes_max;
    }

    void admitted(Wide now, std::uint64_t probe) {
        if (forced != Forced::no || state == State::closed) return;
        if (state == State::open) enter(State::half_open, now);
        probes[probe] = now;
    }

    void reported(bool current, std::uint64_t probe, Outcome outcome, bool slow, Wide now) {
        turn_back(now);
        if (!current) return;
        probes.erase(probe);
        if (outcome == Outcome::ignored || forced != Forced::no) return;
        const bool failed = outcome == Outcome::failure;
        slow = slow && options_.slow_pct > 0;
        if (state == State::half_open) {
            successes = failed || slow ? 0 : successes + 1;
            if (failed || slow)
                enter(State::open, now);
            else if (successes >= options_.successes_to_close)
                enter(State::closed, now);
            return;
        }
        const auto slot = slot_of(now);
        // What has the same place in a ring of ten forgets the older.
        std::erase_if(calls,
                      [&](const auto& call) { return call.slot != slot && (call.slot - slot) % 10 == 0; });
        calls.push_back({slot, failed, slow});
        failures = failed ? failures + 1 : 0;
        if (!failed) hinted = 0;
        if ((failed || slow) && trips_now(now)) {
            ++trips;
            enter(State::open, now);
        }
    }

    void hint(Wide now) {
        turn_back(now);
        if (state == State::closed || forced != Forced::no) return;
        hinted = options_.open_for.count() / kHintedOpenShare;
        if (state == State::open) enter(State::half_open, now);
    }

    void force(Forced how, Wide now) {
        if (how == forced) return;
        enter(State::closed, now);
        forced = how;
    }

    void reset(Wide now) {
        enter(State::closed, now);
        forced = Forced::no;
        hinted = 0;
    }

    std::size_t live_probes(Wide now) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            probes, [&](const auto& probe) { return now - probe.second < options_.probe_timeout.count(); }));
    }

    State state = State::closed;
    Forced forced = Forced::no;
    std::uint64_t trips = 0;
    std::map<std::uint64_t, Wide> probes;
    Wide opened_at = 0;
    Wide open_for = 0;
    std::uint64_t changes = 0;

  private:
    struct Past {
        Wide slot;
        bool failed;
        bool slow;
    };

    bool is_lost(Wide since, Wide now) const { return now - since >= options_.probe_timeout.count(); }
    Wide slot_of(Wide now) const { return now / (options_.window.count() / 10); }

    void turn_back(Wide now) {
        opened_at = std::min(opened_at, now);
        for (auto& [id, since] : probes)
            since = std::min(since, now);
    }

    bool trips_now(Wide now) const {
        if (options_.failures_consecutive > 0 && failures >= options_.failures_consecutive) return true;
        std::uint64_t all = 0;
        std::uint64_t failed = 0;
        std::uint64_t slow = 0;
        for (const auto& call : calls) {
            if (call.slot > slot_of(now) || call.slot <= slot_of(now) - 10) continue;
            ++all;
            failed += call.failed ? 1 : 0;
            slow += call.slow ? 1 : 0;
        }
        if (all < options_.calls_min) return false;
        return (options_.failure_pct > 0 && failed * 100 >= all * options_.failure_pct) ||
               (options_.slow_pct > 0 && slow * 100 >= all * options_.slow_pct);
    }

    void enter(State to, Wide now) {
        if (to == State::open) {
            opened_at = now;
            const Wide usual = options_.open_for.count();
            open_for = hinted > 0 ? std::min(hinted, usual) : usual;
            if (hinted > 0) hinted = std::min(open_for * 2, usual);
        }
        state = to;
        ++changes;
        failures = 0;
        successes = 0;
        calls.clear();
        probes.clear();
    }

    BreakerOptions options_;
    std::vector<Past> calls;
    std::uint32_t failures = 0;
    std::uint32_t successes = 0;
    Wide hinted = 0;
};

BreakerOptions some_options(Random& random) {
    BreakerOptions options;
    options.failures_consecutive = static_cast<std::uint32_t>(random.below(7));
    options.open_for = milliseconds(64 + random.below(2000));
    options.successes_to_close = static_cast<std::uint32_t>(1 + random.below(4));
    options.probes_max = static_cast<std::uint32_t>(1 + random.below(4));
    options.probe_timeout = milliseconds(1 + random.below(1500));
    options.window = milliseconds(100 + 10 * random.below(100));
    options.calls_min = static_cast<std::uint32_t>(1 + random.below(30));
    options.failure_pct = static_cast<std::uint32_t>(random.below(101));
    options.slow_call = milliseconds(50);
    options.slow_pct = random.below(2) == 0 ? 0 : static_cast<std::uint32_t>(1 + random.below(100));
    return options;
}

TimePoint moved(TimePoint now, Random& random) {
    switch (random.below(200)) {
    case 0:
        return now - milliseconds(random.below(5000));
    case 1:
        return TimePoint(Duration(static_cast<Duration::rep>(random.next()))); // anywhere at all
    case 2:
        return now < TimePoint::max() - 24h ? now + 24h : now;
    default:
        return now < TimePoint::max() - 1h ? now + Duration(random.below(40'000'000)) : TimePoint(1h);
    }
}

struct UnderWay {
    Permit permit;
    std::uint64_t change; ///< Of the model when it was admitted.
};

} // namespace

TEST_CASE("the breaker does what the model does, for any calls, reports, commands and clocks") {
    CAPTURE(test::seed());
    Random random(test::seed());
    std::uint64_t trips = 0;
    std::uint64_t closes = 0;
    for (int round = 0; round < 300; ++round) {
        const auto options = some_options(random);
        Breaker breaker(options);
        Model model(options);
        TimePoint now{1h};
        std::vector<UnderWay> under_way;
        const auto failing_pct = random.below(101); // of this round
        for (int step = 0; step < 600; ++step) {
            CAPTURE(round, step);
            now = moved(now, random);
            const auto before = model.state;
            const auto dice = random.below(100);
            if (dice < 48) {
                const bool expected = model.admits(wide(now));
                const auto admitted = breaker.admit(now);
                REQUIRE(admitted.permit.has_value() == expected);
                if (admitted.permit) {
                    model.admitted(wide(now), admitted.permit->probe);
                    under_way.push_back({*admitted.permit, model.changes});
                } else {
                    REQUIRE(admitted.retry_after >= Duration::zero());
                    REQUIRE(admitted.retry_after <= std::max(options.open_for, options.probe_timeout));
                }
            } else if (dice < 94 && !under_way.empty()) {
                const auto at =
                    under_way.begin() + static_cast<std::ptrdiff_t>(random.below(under_way.size()));
                const UnderWay call = *at;
                under_way.erase(at);
                if (random.below(20) == 0) continue; // it is lost
                const auto outcome = random.below(15) == 0             ? Outcome::ignored
                                     : random.below(100) < failing_pct ? Outcome::failure
                                                                       : Outcome::success;
                const bool slow = random.below(4) == 0;
                const auto transition = breaker.report(call.permit, outcome, slow ? 50ms : 49ms, now, "why");
                model.reported(call.change == model.changes, call.permit.probe, outcome, slow, wide(now));
                REQUIRE(transition.has_value() == (before != model.state));
                if (transition && transition->to == State::closed) ++closes;
            } else if (dice < 96) {
                const auto transition = breaker.hint(now);
                model.hint(wide(now));
                REQUIRE(transition.has_value() == (before != model.state));
            } else if (dice == 96) {
                const auto how = static_cast<Forced>(random.below(3));
                (void)breaker.force(how, "drill", now);
                model.force(how, wide(now));
            } else if (dice == 97) {
                (void)breaker.reset(now);
                model.reset(wide(now));
            }
            REQUIRE(breaker.state() == model.state);
            REQUIRE(breaker.forced() == model.forced);
            REQUIRE(breaker.trips() == model.trips);
            REQUIRE(breaker.probes(now) == model.live_probes(wide(now)));
            REQUIRE(breaker.probes(now) <= options.probes_max);
        }
        trips += model.trips;
    }
    // The walks have been where it matters.
    CHECK(trips > 100);
    CHECK(closes > 100);
}
