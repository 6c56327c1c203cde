#include "protocols/supervision/restart_policy.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace dwcp;
using namespace dwcp::supervision;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{1h};

ChildSpec spec(RestartType type, std::optional<Intensity> intensity = {}) {
    return {
        "manager/0", type, {.min = 10ms, .max = 100ms, .jitter_ratio = 0.5, .reset_after = 1s}, intensity};
}

template<class T>
const T* find(const std::vector<Action>& actions) {
    for (const Action& action : actions)
        if (const T* found = std::get_if<T>(&action)) return found;
    return nullptr;
}

bool starts(const std::vector<Action>& actions) { return find<Start>(actions) != nullptr; }

const Stopped kCrash{Exit::abnormal, "out of range"};
const Stopped kEnd{Exit::normal, "done"};

RestartPolicy running(ChildSpec child) {
    RestartPolicy policy(std::move(child), test::seed());
    REQUIRE(starts(policy.step(Command::start, kStart)));
    REQUIRE(policy.step(Started{}, kStart).empty());
    REQUIRE(policy.state() == ChildState::running);
    return policy;
}

/// A crash at `now` and the restart that follows; gives the delay.
Duration crash_and_restart(RestartPolicy& policy, TimePoint& now) {
    const auto actions = policy.step(kCrash, now);
    const auto* start_at = find<StartAt>(actions);
    REQUIRE(start_at != nullptr);
    const Duration delay = start_at->at - now;
    now = start_at->at;
    REQUIRE(starts(policy.step(TimerFired{}, now)));
    policy.step(Started{}, now);
    return delay;
}

} // namespace

TEST_CASE("a crashed permanent child is reported and starts again after the minimum backoff") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    const auto actions = policy.step(kCrash, kStart + 5ms);
    REQUIRE(actions.size() == 2);
    const auto* report = find<Report>(actions);
    REQUIRE(report != nullptr);
    CHECK(report->restarts == 1);
    CHECK(report->delay == 10ms);
    CHECK(report->reason == "out of range");
    CHECK(find<StartAt>(actions)->at == kStart + 15ms);
    CHECK(policy.state() == ChildState::backing_off);
    CHECK(policy.next_start() == kStart + 15ms);

    CHECK(starts(policy.step(TimerFired{}, kStart + 15ms)));
    CHECK(policy.state() == ChildState::starting);
    CHECK_FALSE(policy.next_start());
    policy.step(Started{}, kStart + 16ms);
    CHECK(policy.state() == ChildState::running);
    CHECK(policy.restarts() == 1);
    CHECK(policy.last_reason() == "out of range");
}

TEST_CASE("the restart type decides which ends are followed by a restart") {
    struct Row {
        RestartType type;
        Stopped end;
        ChildState expected;
    };
    const Row rows[] = {
        {RestartType::permanent, kEnd, ChildState::backing_off},
        {RestartType::permanent, kCrash, ChildState::backing_off},
        {RestartType::transient, kEnd, ChildState::idle},
        {RestartType::transient, kCrash, ChildState::backing_off},
        {RestartType::temporary, kEnd, ChildState::idle},
        {RestartType::temporary, kCrash, ChildState::idle},
    };
    for (const Row& row : rows) {
        RestartPolicy policy = running(spec(row.type));
        policy.step(row.end, kStart);
        CHECK(policy.state() == row.expected);
    }
}

TEST_CASE("the backoff doubles up to its maximum and starts over after a calm time") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    TimePoint now = kStart;
    CHECK(crash_and_restart(policy, now) == 10ms);
    for (const Duration base : {20ms, 40ms, 80ms, 100ms, 100ms}) {
        const Duration delay = crash_and_restart(policy, now);
        CHECK(delay >= base);
        CHECK(delay <= base * 3 / 2);
    }
    now += 999ms;
    CHECK(crash_and_restart(policy, now) >= 100ms);
    now += 1s;
    CHECK(crash_and_restart(policy, now) == 10ms);
}

TEST_CASE("a child that never becomes ready is not calm, however long its start takes") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    TimePoint now = kStart;
    crash_and_restart(policy, now);
    policy.step(kCrash, now);
    policy.step(TimerFired{}, *policy.next_start());
    REQUIRE(policy.state() == ChildState::starting);
    now += 10s;
    policy.step(kCrash, now);
    CHECK(*policy.next_start() - now >= 40ms);
}

TEST_CASE("more restarts than the intensity within its period give the child up") {
    RestartPolicy policy = running(spec(RestartType::permanent, Intensity{2, 5s}));
    TimePoint now = kStart;
    crash_and_restart(policy, now);
    crash_and_restart(policy, now);
    const auto actions = policy.step(kCrash, now);
    REQUIRE(actions.size() == 1);
    CHECK(find<GiveUp>(actions)->reason ==
          "more than 2 restarts within 5000 ms; it ended last because: out of range");
    CHECK(policy.state() == ChildState::given_up);
    CHECK(policy.step(TimerFired{}, now + 1h).empty());
    CHECK(policy.step(Command::kill, now + 1h).empty());

    SECTION("an operator's start brings it back with a clean record") {
        CHECK(starts(policy.step(Command::start, now)));
        policy.step(Started{}, now);
        CHECK(crash_and_restart(policy, now) == 10ms);
        crash_and_restart(policy, now);
        CHECK(policy.restarts() == 4);
    }
}

TEST_CASE("restarts older than the period do not count") {
    RestartPolicy policy = running(spec(RestartType::permanent, Intensity{1, 5s}));
    TimePoint now = kStart;
    for (int i = 0; i < 10; ++i) {
        crash_and_restart(policy, now);
        now += 5s - 10ms; // the backoff makes up the rest of exactly one period
    }
    CHECK(policy.state() == ChildState::running);
}

TEST_CASE("an intensity of zero gives up at the first failure") {
    RestartPolicy policy = running(spec(RestartType::permanent, Intensity{0, 5s}));
    CHECK(find<GiveUp>(policy.step(kCrash, kStart)) != nullptr);
}

TEST_CASE("without an intensity a permanent child is never given up") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    TimePoint now = kStart;
    for (int i = 0; i < 1000; ++i)
        crash_and_restart(policy, now);
    CHECK(policy.restarts() == 1000);
}

TEST_CASE("a commanded restart waits for the end, needs no backoff and is no failure") {
    for (const RestartType type : {RestartType::permanent, RestartType::transient, RestartType::temporary}) {
        RestartPolicy policy = running(spec(type, Intensity{0, 5s}));
        const auto actions = policy.step(Command::restart, kStart);
        REQUIRE(actions.size() == 1);
        REQUIRE(find<Stop>(actions) != nullptr);
        CHECK_FALSE(find<Stop>(actions)->force);
        CHECK(policy.state() == ChildState::stopping);
        CHECK(policy.step(Command::restart, kStart).empty());
        CHECK(starts(policy.step(kEnd, kStart)));
        CHECK(policy.restarts() == 0);
    }
}

TEST_CASE("a stopped child stays down until it is started") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    CHECK(find<Stop>(policy.step(Command::stop, kStart)) != nullptr);
    CHECK(policy.step(Command::stop, kStart).empty());
    CHECK(policy.step(kCrash, kStart).empty());
    CHECK(policy.state() == ChildState::idle);
    CHECK(policy.step(Command::stop, kStart).empty());
    CHECK(starts(policy.step(Command::start, kStart)));
}

TEST_CASE("a killed child comes back as after a crash") {
    RestartPolicy policy = running(spec(RestartType::transient));
    const auto actions = policy.step(Command::kill, kStart);
    REQUIRE(find<Stop>(actions) != nullptr);
    CHECK(find<Stop>(actions)->force);
    CHECK(policy.state() == ChildState::running);
    CHECK(find<StartAt>(policy.step(Stopped{Exit::abnormal, "killed"}, kStart)) != nullptr);
}

TEST_CASE("the last command before the end decides whether a stopping child starts again") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    policy.step(Command::stop, kStart);
    SECTION("stop, then start") {
        CHECK(policy.step(Command::start, kStart).empty());
        CHECK(starts(policy.step(kEnd, kStart)));
    }
    SECTION("stop, restart, stop") {
        policy.step(Command::restart, kStart);
        policy.step(Command::stop, kStart);
        CHECK_FALSE(starts(policy.step(kEnd, kStart)));
    }
    SECTION("stop, then kill: the same end, sooner") {
        CHECK(find<Stop>(policy.step(Command::kill, kStart))->force);
        CHECK(policy.step(kCrash, kStart).empty());
        CHECK(policy.state() == ChildState::idle);
    }
}

TEST_CASE("a command while backing off overtakes the timer, which then does nothing") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    policy.step(kCrash, kStart);
    const TimePoint due = *policy.next_start();
    SECTION("start") { CHECK(starts(policy.step(Command::start, kStart))); }
    SECTION("restart") { CHECK(starts(policy.step(Command::restart, kStart))); }
    SECTION("stop") {
        CHECK(policy.step(Command::stop, kStart).empty());
        CHECK(policy.state() == ChildState::idle);
    }
    CHECK(policy.step(TimerFired{}, due).empty());
}

TEST_CASE("a timer that fires too early is armed again") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    policy.step(kCrash, kStart);
    const auto actions = policy.step(TimerFired{}, kStart + 9ms);
    REQUIRE(actions.size() == 1);
    CHECK(find<StartAt>(actions)->at == kStart + 10ms);
}

TEST_CASE("an end that is reported twice counts once") {
    RestartPolicy policy = running(spec(RestartType::permanent));
    policy.step(kCrash, kStart);
    CHECK(policy.step(kCrash, kStart).empty());
    CHECK(policy.restarts() == 1);
}

TEST_CASE("a backoff without a sensible range is brought into one") {
    ChildSpec child = spec(RestartType::permanent);
    child.backoff.min = 0ms;
    child.backoff.max = 0ms;
    RestartPolicy policy = running(child);
    TimePoint now = kStart;
    CHECK(crash_and_restart(policy, now) == 1ms);
    CHECK(crash_and_restart(policy, now) >= 1ms);
}

namespace {

/// Plays random events to a policy, keeps its own account of the child, and checks the invariants after each.
class World {
  public:
    World(Random& random, ChildSpec child)
        : random_(random), spec_(child), policy_(std::move(child), random.next()) {}

    void play(int steps) {
        for (int i = 0; i < steps; ++i) {
            now_ += Duration(random_.below(random_.below(8) == 0 ? 2'000'000'000 : 30'000'000));
            cause_ = next_event();
            if (const auto* end = std::get_if<Stopped>(&cause_); end != nullptr && alive_) {
                alive_ = false;
                exit_ = end->exit;
            }
            for (const Action& action : policy_.step(cause_, now_))
                std::visit([&](const auto& a) { on(a); }, action);
            if (const auto* command = std::get_if<Command>(&cause_);
                command != nullptr && *command != Command::kill)
                wanted_ = *command != Command::stop;
            check_state();
        }
    }

  private:
    Event next_event() {
        switch (random_.below(12)) {
        case 0:
            return Command::start;
        case 1:
            return Command::stop;
        case 2:
            return Command::restart;
        case 3:
            return Command::kill;
        case 4:
            return Started{};
        case 5:
        case 6:
            return TimerFired{};
        case 7:
            if (timer_) now_ = std::max(now_, *timer_);
            return TimerFired{};
        case 8:
            return Stopped{Exit::normal, "done"};
        default:
            return Stopped{Exit::abnormal, "crash"};
        }
    }

    void on(const Start&) {
        REQUIRE_FALSE(alive_);
        alive_ = true;
        timer_.reset();
        // After a timer the start is automatic; else it follows a command, now or before the child's end.
        if (!std::holds_alternative<TimerFired>(cause_)) {
            REQUIRE((std::holds_alternative<Command>(cause_) || wanted_));
            return;
        }
        REQUIRE(spec_.type != RestartType::temporary);
        REQUIRE((spec_.type == RestartType::permanent || exit_ == Exit::abnormal));
        REQUIRE(wanted_);
        restarts_.push_back(now_);
        if (!spec_.intensity) return;
        const auto recent = std::ranges::count_if(
            restarts_, [&](TimePoint at) { return at > now_ - spec_.intensity->period; });
        REQUIRE(recent <= spec_.intensity->restarts_max);
    }

    void on(const StartAt& action) {
        REQUIRE_FALSE(alive_);
        REQUIRE(action.at > now_);
        timer_ = action.at;
    }

    void on(const Stop&) { REQUIRE(alive_); }

    void on(const Report& report) {
        REQUIRE(report.restarts == policy_.restarts());
        REQUIRE(report.delay >= spec_.backoff.min);
        REQUIRE(report.delay <= spec_.backoff.max + spec_.backoff.max * spec_.backoff.jitter_ratio);
    }

    void on(const GiveUp&) {
        REQUIRE(spec_.intensity);
        restarts_.clear();
    }

    void check_state() const {
        const ChildState state = policy_.state();
        REQUIRE(alive_ == (state == ChildState::starting || state == ChildState::running ||
                           state == ChildState::stopping));
        REQUIRE((state == ChildState::backing_off) == policy_.next_start().has_value());
        if (state == ChildState::backing_off) REQUIRE(timer_ == policy_.next_start());
    }

    Random& random_;
    ChildSpec spec_;
    RestartPolicy policy_;
    TimePoint now_ = kStart;
    bool alive_ = false;
    Event cause_;
    bool wanted_ = false; ///< What the last command asked for.
    Exit exit_ = Exit::normal;
    std::optional<TimePoint> timer_;
    std::vector<TimePoint> restarts_;
};

} // namespace

TEST_CASE("any sequence of events keeps the invariants of supervision") {
    Random random(test::seed());
    CAPTURE(test::seed());
    for (int round = 0; round < 400; ++round) {
        ChildSpec child = spec(static_cast<RestartType>(random.below(3)));
        if (random.below(2) == 0)
            child.intensity =
                Intensity{static_cast<std::uint32_t>(random.below(4)), Duration(random.below(5'000'000'000))};
        CAPTURE(round);
        World(random, child).play(300);
    }
}

TEST_CASE("the same seed and events give the same actions") {
    TimePoint one = kStart;
    TimePoint two = kStart;
    RestartPolicy first = running(spec(RestartType::permanent));
    RestartPolicy second = running(spec(RestartType::permanent));
    for (int i = 0; i < 20; ++i)
        CHECK(crash_and_restart(first, one) == crash_and_restart(second, two));
}
