#include "protocols/health/recovery.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace dwcp;
using namespace dwcp::health;
using std::chrono::seconds;

namespace {

const TimePoint kStart{std::chrono::hours(1)};

template<class Action>
std::vector<Action> only(const std::vector<RecoveryAction>& actions) {
    std::vector<Action> out;
    for (const auto& action : actions)
        if (const auto* wanted = std::get_if<Action>(&action)) out.push_back(*wanted);
    REQUIRE(out.size() == actions.size());
    return out;
}

/// Fails a part until its recovery has begun, at `now`.
void begin(Recovery& recovery, const std::string& part, TimePoint now) {
    CHECK(recovery.found(part, Condition::failed, "silent", now).empty());
    const auto begun = only<RecoveryBegun>(recovery.found(part, Condition::failed, "silent", now));
    REQUIRE(begun.size() == 1);
    CHECK(begun[0].part == part);
    CHECK(begun[0].reason == "silent");
}

} // namespace

TEST_CASE("one failed look is no reason to recover, nor are two with a good one between") {
    Recovery recovery({}, test::seed());
    CHECK(recovery.found("a", Condition::failed, "silent", kStart).empty());
    CHECK(recovery.found("a", Condition::ok, "", kStart).empty());
    CHECK(recovery.found("a", Condition::failed, "silent", kStart).empty());
    CHECK_FALSE(recovery.next_due());
    CHECK(recovery.all().empty());
}

TEST_CASE("attempts come after 1, 2 and 4 seconds, half of it random, and then people are called") {
    CAPTURE(test::seed());
    Recovery recovery({}, test::seed());
    TimePoint now = kStart;
    begin(recovery, "a", now);
    std::uint32_t number = 0;
    for (const auto full : {seconds(1), seconds(2), seconds(4)}) {
        const auto due = recovery.next_due();
        REQUIRE(due);
        CHECK(*due - now >= full / 2);
        CHECK(*due - now <= full);
        CHECK(recovery.due(*due - milliseconds(1)).empty());
        now = *due;
        const auto attempts = only<Attempt>(recovery.due(now));
        REQUIRE(attempts.size() == 1);
        CHECK(attempts[0].number == ++number);
        const auto after = recovery.attempted("a", Condition::failed, "still silent", now);
        if (number < 3) {
            CHECK(after.empty());
            continue;
        }
        const auto ended = only<RecoveryEnded>(after);
        REQUIRE(ended.size() == 1);
        CHECK(ended[0].end == RecoveryEnd::exhausted);
        CHECK(ended[0].attempts == 3);
        CHECK(ended[0].took == now - kStart);
        CHECK(ended[0].reason == "still silent");
    }
    // Given to people: nothing more until it has been well once.
    CHECK(recovery.all().at(0).state == "given_up");
    for (int i = 0; i < 10; ++i)
        CHECK(recovery.found("a", Condition::failed, "silent", now).empty());
    CHECK_FALSE(recovery.next_due());
    CHECK(recovery.found("a", Condition::ok, "", now).empty());
    begin(recovery, "a", now);
}

TEST_CASE("a recovery ends when its part is well again, by an attempt or by itself") {
    Recovery recovery({}, test::seed());
    begin(recovery, "a", kStart);
    auto ended = only<RecoveryEnded>(recovery.found("a", Condition::ok, "", kStart + seconds(1)));
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].end == RecoveryEnd::recovered);
    CHECK(ended[0].attempts == 0);
    CHECK(recovery.due(kStart + seconds(10)).empty());

    begin(recovery, "a", kStart);
    REQUIRE(recovery.due(kStart + seconds(1)).size() == 1);
    ended = only<RecoveryEnded>(recovery.attempted("a", Condition::ok, "", kStart + seconds(2)));
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].end == RecoveryEnd::recovered);
    CHECK(ended[0].attempts == 1);
    CHECK(recovery.all().empty());
}

TEST_CASE("what somebody holds on purpose is not recovered") {
    Recovery recovery({}, test::seed());
    for (int i = 0; i < 5; ++i)
        CHECK(recovery.found("a", Condition::held, "quarantined", kStart).empty());
    begin(recovery, "a", kStart);
    const auto ended = only<RecoveryEnded>(recovery.found("a", Condition::held, "paused", kStart));
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].end == RecoveryEnd::cancelled);
    CHECK(recovery.due(kStart + seconds(10)).empty());
}

TEST_CASE("after the node's end nothing is recovered, not even what was under way") {
    Recovery recovery({}, test::seed());
    begin(recovery, "a", kStart);
    begin(recovery, "b", kStart);
    REQUIRE(recovery.due(kStart + seconds(1)).size() == 2);
    REQUIRE(recovery.attempted("b", Condition::failed, "silent", kStart + seconds(1)).empty());
    CHECK(only<RecoveryEnded>(recovery.cancel(kStart + seconds(2))).size() == 2);
    CHECK(recovery.attempted("a", Condition::failed, "silent", kStart + seconds(3)).empty());
    for (int i = 0; i < 3; ++i)
        CHECK(recovery.found("c", Condition::failed, "silent", kStart + seconds(3)).empty());
    CHECK_FALSE(recovery.next_due());
}

TEST_CASE("in any order of looks and attempts there is one recovery of a part at a time, and each one ends") {
    Random random(test::seed());
    CAPTURE(test::seed());
    Recovery recovery({}, random.next());
    const std::vector<std::string> parts{"a", "b", "c"};
    std::set<std::string> recovering;
    std::map<std::string, std::uint32_t> under_way;
    TimePoint now = kStart;
    const auto perform = [&](const std::vector<RecoveryAction>& actions) {
        for (const auto& action : actions) {
            if (const auto* begun = std::get_if<RecoveryBegun>(&action)) {
                REQUIRE(recovering.insert(begun->part).second);
            } else if (const auto* attempt = std::get_if<Attempt>(&action)) {
                REQUIRE(recovering.contains(attempt->part));
                REQUIRE(under_way.emplace(attempt->part, attempt->number).second);
                REQUIRE(attempt->number <= 3);
            } else {
                const auto& ended = std::get<RecoveryEnded>(action);
                REQUIRE(recovering.erase(ended.part) == 1);
                REQUIRE_FALSE(under_way.contains(ended.part));
            }
        }
    };
    const auto any_condition = [&] {
        const auto draw = random.below(10);
        return draw < 6 ? Condition::failed : draw < 9 ? Condition::ok : Condition::held;
    };
    for (int step = 0; step < 50'000; ++step) {
        now += milliseconds(random.below(700));
        const auto& part = parts[random.below(parts.size())];
        switch (random.below(3)) {
        case 0:
            perform(recovery.found(part, any_condition(), "why", now));
            break;
        case 1:
            perform(recovery.due(now));
            break;
        default:
            if (under_way.erase(part) == 1)
                perform(recovery.attempted(part, any_condition(), "why", now));
            else
                REQUIRE(recovery.attempted(part, any_condition(), "why", now).empty());
        }
    }
    under_way.clear();
    perform(recovery.cancel(now));
    CHECK(recovering.empty());
}
