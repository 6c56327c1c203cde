#include "runtime/release/plan_file.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace dwcp::release {
namespace {

using ramp::Check;
using ramp::Plan;

const std::string kShipped = DWCP_SOURCE_DIR "/node_configs/rollout.toml";

Plan shipped() {
    const auto text = read_plan_text(kShipped);
    if (!text) FAIL(text.error().render());
    auto plan = parse_plan(*text, "rollout.toml");
    if (!plan) FAIL(plan.error().render());
    return *plan;
}

constexpr const char* kSmall = R"(name = "small"
[[steps]]
name = "one"
targets = [{ system = "manager", instances = 1, of = 3 }]
stages = [{ percent = 10, days = 1, gate = "g" }]
[[gates.g.criteria]]
name = "errors"
check = "error_rate"
limit = 0.001
[[triggers]]
name = "many errors"
what = "error_rate"
limit = 0.01
)";

std::string with(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::string problem_of(const std::string& text) {
    const auto plan = parse_plan(text, "plan.toml");
    REQUIRE_FALSE(plan.has_value());
    CHECK(plan.error().code == Errc::invalid_argument);
    CHECK_FALSE(plan.error().remedy.empty());
    return plan.error().message;
}

const ramp::Criterion& criterion(const Plan& plan, const std::string& gate, const std::string& name) {
    const auto& criteria = plan.gates.at(gate);
    const auto found = std::ranges::find(criteria, name, &ramp::Criterion::name);
    INFO(gate << ": " << name);
    REQUIRE(found != criteria.end());
    return *found;
}

} // namespace

TEST_CASE("the shipped plan takes sixteen days in the order that was promised") {
    const Plan plan = shipped();
    std::vector<std::string> steps;
    double days = 0;
    for (const ramp::Step& step : plan.steps) {
        steps.push_back(step.name);
        for (const ramp::Stage& stage : step.stages)
            days += stage.days;
    }
    CHECK(steps == std::vector<std::string>{"manager", "selector", "validation", "probft", "tpbft",
                                            "bullshark", "allocator", "half", "full"});
    CHECK(days == 16);
    CHECK(plan.day_ms == ramp::kRealDayMs);
    CHECK(plan.review_ms == 15 * 60 * 1000);
    const auto& probft = plan.steps[3];
    CHECK(probft.targets.front().instances == 3);
    CHECK(probft.targets.front().of == 7);
    REQUIRE(probft.stages.size() == 2);
    CHECK(probft.stages[0].percent == 10);
    CHECK(probft.stages[1].percent == 25);
    const auto& last = plan.steps.back();
    CHECK(last.stages.back().percent == 100);
    CHECK(last.stages.back().days >= 1); // the burn-in of 24 h
    CHECK(criterion(plan, last.stages.back().gate, "24 h stable").check == Check::burn_in);
}

TEST_CASE("the shipped gates ask for what was promised at each percentage") {
    const Plan plan = shipped();
    for (const char* gate : {"at-10", "at-25", "at-50"}) {
        CHECK(criterion(plan, gate, "error rate < 0.1 %").limit == 0.001);
        CHECK(criterion(plan, gate, "p99 within baseline + 10 %").limit == 0.1);
        CHECK(criterion(plan, gate, "all health checks pass").check == Check::health);
        CHECK(criterion(plan, gate, "zero critical incidents").limit == 0);
        CHECK(criterion(plan, gate, "automatic recovery verified").check == Check::recovery);
    }
    for (const char* gate : {"at-25", "at-50"}) {
        CHECK(criterion(plan, gate, "quorum consistently achieved").check == Check::quorum);
        CHECK(criterion(plan, gate, "resource optimisation > 20 %").limit == 0.2);
        CHECK(criterion(plan, gate, "Byzantine tolerance validated").systems.size() == 3);
        CHECK(criterion(plan, gate, "load balancing effective").check == Check::load_balance);
    }
    CHECK(criterion(plan, "at-50", "node failure recovered").check == Check::node_failure);
    CHECK(criterion(plan, "at-50", "throughput scales linearly").check == Check::throughput);
    CHECK(criterion(plan, "at-50", "cost efficiency met").check == Check::cost);
    CHECK(criterion(plan, "at-50", "monitoring complete").check == Check::monitoring);
    CHECK(criterion(plan, "hand-over", "availability > 99.9 %").limit == 0.999);
    CHECK(criterion(plan, "hand-over", "p50 < 50 ms").limit == 0.05);
    CHECK(criterion(plan, "hand-over", "p99 < 200 ms").limit == 0.2);
    CHECK(criterion(plan, "hand-over", "finality < 1 s").limit == 1);
    CHECK(criterion(plan, "hand-over", "optimisation > 25 %").limit == 0.25);
    CHECK(criterion(plan, "hand-over", "runbooks validated").subject == "runbooks");
    CHECK(criterion(plan, "hand-over", "backup and restore tested").check == Check::backup_restore);
}

TEST_CASE("the shipped triggers roll back at once or call people, as was promised") {
    const Plan plan = shipped();
    const auto at = [&](const std::string& name) {
        const auto found = std::ranges::find(plan.triggers, name, &ramp::Trigger::name);
        INFO(name);
        REQUIRE(found != plan.triggers.end());
        return *found;
    };
    CHECK(at("error rate > 1 %").limit == 0.01);
    CHECK(at("p99 > 500 ms").limit == 0.5);
    CHECK(at("more than 3 consensus failures in 5 minutes").limit == 3);
    CHECK(at("more than 3 consensus failures in 5 minutes").window_ms == 300'000);
    for (const char* name :
         {"error rate > 1 %", "p99 > 500 ms", "more than 3 consensus failures in 5 minutes",
          "data corruption detected", "security breach detected"})
        CHECK(at(name).at_once);
    for (const char* name : {"error rate > 0.5 %", "p99 > 200 ms", "resource use > 90 %",
                             "sustained degradation", "SLA violation"})
        CHECK_FALSE(at(name).at_once);
}

TEST_CASE("a plan that is written out and read again is the same plan") {
    const Plan plan = shipped();
    const auto again = parse_plan(to_toml(plan));
    if (!again) FAIL(again.error().render());
    CHECK(again->digest() == plan.digest());
    CHECK(to_toml(*again) == to_toml(plan));
}

TEST_CASE("a mistyped key, check or table of a plan is named with its line and the nearest known one") {
    CHECK(problem_of(with(kSmall, "limit = 0.001", "limti = 0.001")) ==
          "plan.toml:9: gates.g.criteria[0].limti: unknown key; the nearest known is limit");
    CHECK(problem_of(with(kSmall, "check = \"error_rate\"", "check = \"eror_rate\"")) ==
          "plan.toml:8: gates.g.criteria[0].check: found \"eror_rate\"; the nearest known is \"error_rate\"");
    CHECK(problem_of(with(kSmall, "[[triggers]]", "[[trigers]]"))
              .find("trigers: unknown key; the nearest known is "
                    "triggers") != std::string::npos);
    CHECK(problem_of(with(kSmall, "percent = 10, ", "")) ==
          "plan.toml:5: steps[0].stages[0].percent: missing; allowed: a number from 0 up");
    CHECK(problem_of(with(kSmall, "percent = 10", "percent = \"ten\"")) ==
          "plan.toml:5: steps[0].stages[0].percent: found 'ten'; allowed: a number from 0 up");
    CHECK(problem_of("name = ").find("plan.toml:1: TOML syntax") == 0);
}

TEST_CASE("a plan that makes no sense is refused") {
    CHECK(problem_of(with(kSmall, "gate = \"g\"", "gate = \"h\"")).find("gate \"h\" is not defined") !=
          std::string::npos);
    CHECK(problem_of(with(kSmall, "percent = 10", "percent = 101")).find("at most 100") != std::string::npos);
    CHECK(problem_of(with(kSmall, "instances = 1", "instances = 4")).find("from 1 to `of`") !=
          std::string::npos);
    CHECK(
        problem_of(with(kSmall, "gate = \"g\" }", "gate = \"g\" }, { percent = 5, days = 1, gate = \"g\" }"))
            .find("never takes traffic back") != std::string::npos);
    CHECK(problem_of(with(kSmall, "limit = 0.01\n", "limit = 0.01\nat_once = false\n"))
              .find("rolls back at once") != std::string::npos);
    CHECK(problem_of(
              with(kSmall, "[[gates.g.criteria]]", "[gates.g]\nincludes = [\"g\"]\n[[gates.g.criteria]]"))
              .find("includes itself") != std::string::npos);
    CHECK(problem_of(with(kSmall, "limit = 0.01\n", "limit = nan\n")).find("a number from 0 up") !=
          std::string::npos);
    // Nobody has that role: the step would wait for ever.
    CHECK(problem_of(with(kSmall, "name = \"one\"\n", "name = \"one\"\napproval = \"boss\"\n"))
              .find("approval is no role") != std::string::npos);
}

TEST_CASE("a gate that includes others replaces their criteria of the same name") {
    const std::string text = std::string(kSmall) + R"([gates.h]
includes = ["g"]
[[gates.h.criteria]]
name = "errors"
check = "error_rate"
limit = 0.0001
)";
    const auto plan = parse_plan(text);
    if (!plan) FAIL(plan.error().render());
    REQUIRE(plan->gates.at("h").size() == 1);
    CHECK(plan->gates.at("h").front().limit == 0.0001);
    CHECK(plan->gates.at("g").front().limit == 0.001);
}

TEST_CASE("a short day scales times and samples alike, but not below what can be measured") {
    const Plan plan = shipped();
    const Plan hour = plan.scaled(3'600'000);
    CHECK(hour.day_ms == 3'600'000);
    CHECK(hour.stage_ms(hour.steps[0].stages[0]) == 3'600'000);
    CHECK(criterion(hour, "at-10", "error rate < 0.1 %").samples_min == 417); // 10,000 / 24
    CHECK(hour.review_ms == 37'500);
    CHECK_FALSE(hour.rehearsal_notes().empty());
    const Plan seconds = plan.scaled(5'000);
    CHECK(criterion(seconds, "at-10", "error rate < 0.1 %").samples_min == ramp::kSamplesMin);
    CHECK(seconds.review_ms == ramp::kReviewMsMin);
    CHECK(seconds.recent_ms == ramp::kRecentMsMin);
    CHECK(seconds.wait_ms() == ramp::kWaitMsMin);
    // What asks for nothing still asks for nothing.
    CHECK(criterion(seconds, "at-10", "all health checks pass").samples_min == 0);
    CHECK(plan.scaled(ramp::kRealDayMs).digest() == plan.digest());
    CHECK(plan.rehearsal_notes().empty());
}

TEST_CASE("the digest changes with every part of a plan's meaning") {
    const auto digest_of = [](const std::string& text) {
        const auto plan = parse_plan(text);
        if (!plan) FAIL(plan.error().render());
        return plan->digest();
    };
    const auto same = digest_of(kSmall);
    CHECK(digest_of(std::string("# a comment\n") + kSmall) == same);
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"\"small\"", "\"smaller\""},
             {"instances = 1", "instances = 2"},
             {"percent = 10", "percent = 11"},
             {"days = 1", "days = 2"},
             {"limit = 0.001", "limit = 0.002"},
             {"check = \"error_rate\"", "check = \"availability\""},
             {"limit = 0.01\n", "limit = 0.02\n"}}) {
        INFO(from);
        CHECK(digest_of(with(kSmall, from, to)) != same);
    }
}

TEST_CASE("a file that is missing or too large is said to be so") {
    const auto missing = read_plan_text("/nonexistent/plan.toml");
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == Errc::not_found);
    const auto large = read_plan_text("/dev/zero");
    REQUIRE_FALSE(large.has_value());
    CHECK(large.error().code == Errc::too_large);
}

} // namespace dwcp::release
