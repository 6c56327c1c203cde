#include "protocols/ramp/schedule.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace dwcp::ramp {
namespace {

Plan plan_of_three() {
    Plan plan;
    plan.name = "three";
    plan.steps = {{.name = "manager",
                   .title = {},
                   .targets = {{.system = "manager", .instances = 1, .of = 3}},
                   .stages = {{.percent = 10, .days = 1, .gate = "g", .shadow = false},
                              {.percent = 25, .days = 2, .gate = "g", .shadow = false}},
                   .approval = {}},
                  {.name = "allocator",
                   .title = {},
                   .targets = {{.system = "allocator", .instances = 1, .of = 2}},
                   .stages = {{.percent = 25, .days = 2, .gate = "g", .shadow = false}},
                   .approval = {}},
                  {.name = "full",
                   .title = {},
                   .targets = {},
                   .stages = {{.percent = 100, .days = 1, .gate = "g", .shadow = false}},
                   .approval = "admin"}};
    plan.gates["g"] = {{.name = "errors",
                        .check = Check::error_rate,
                        .limit = 0.001,
                        .samples_min = 0,
                        .systems = {},
                        .subject = {}},
                       {.name = "saves",
                        .check = Check::optimisation,
                        .limit = 0.2,
                        .samples_min = 0,
                        .systems = {"allocator"},
                        .subject = {}}};
    return plan;
}

const Canaries kManagerOnly{{"manager", {"a", "b", "c", "d"}}};

} // namespace

TEST_CASE("a schedule names each stage with its time, its weights and what its gate asks") {
    const auto planned = schedule(plan_of_three(), kManagerOnly, 1'000);
    REQUIRE(planned.stages.size() == 4);
    const PlannedStage& second = planned.stages[1];
    CHECK(second.from_ms == 1'000 + static_cast<UnixMillis>(kRealDayMs));
    CHECK(second.until_ms == 1'000 + 3 * static_cast<UnixMillis>(kRealDayMs));
    CHECK(second.percent == 25);
    CHECK(second.weights.front().nodes == std::vector<NodeName>{"a", "b"}); // 1 of 3, of four: rounded up
    CHECK(second.criteria == std::vector<std::string>{"errors"});
    CHECK(second.not_applicable == std::vector<std::string>{"saves"});
    CHECK(planned.stages[2].skipped ==
          "no node has a canary of allocator; it is ramped once it registers one");
    CHECK(planned.stages[2].until_ms == planned.stages[2].from_ms);
    CHECK(planned.stages[3].weights.front().nodes.size() == 4);
    CHECK(planned.stages[3].approval == "admin");
    CHECK(planned.end_ms == 1'000 + 4 * static_cast<UnixMillis>(kRealDayMs));
    CHECK(planned.hands_over);
    const auto lines = lines_of(planned, 1'000, kRealDayMs);
    CHECK(
        lines[1] ==
        "+1.0 d manager (2 of 2): manager 25 % on a, b; 2 days, then gate g: errors; not applicable: saves");
    CHECK(lines.back() == "+4.0 d hand-over: the canaries become the stable releases");
}

TEST_CASE("a schedule without any canary says that nothing would be ramped") {
    const auto planned = schedule(plan_of_three(), {}, 0);
    CHECK_FALSE(planned.hands_over);
    CHECK(planned.end_ms == 0);
    CHECK(lines_of(planned, 0, kRealDayMs).back() == "nothing would be ramped: no system has a canary");
}

TEST_CASE("what a stage gives is never less than what there was, and the nodes that have it keep it") {
    const Step step{.name = "x",
                    .title = {},
                    .targets = {{.system = "manager", .instances = 1, .of = 3}},
                    .stages = {},
                    .approval = {}};
    const std::vector<Weight> before{{.system = "manager", .percent = 50, .nodes = {"d"}, .shadow = false}};
    const auto weights =
        weights_for(step, {.percent = 25, .days = 1, .gate = {}, .shadow = false}, kManagerOnly, before);
    REQUIRE(weights.size() == 1);
    CHECK(weights[0].percent == 50);
    CHECK(weights[0].nodes == std::vector<NodeName>{"a", "d"});
}

TEST_CASE("a canary that was only mirrored may begin to answer at less") {
    const Step step{.name = "x",
                    .title = {},
                    .targets = {{.system = "manager", .instances = 1, .of = 1}},
                    .stages = {},
                    .approval = {}};
    const auto mirrored =
        weights_for(step, {.percent = 100, .days = 1, .gate = {}, .shadow = true}, kManagerOnly, {});
    REQUIRE(mirrored.size() == 1);
    CHECK(mirrored[0].shadow);
    const auto answering =
        weights_for(step, {.percent = 10, .days = 1, .gate = {}, .shadow = false}, kManagerOnly, mirrored);
    CHECK(answering[0].percent == 10);
    CHECK_FALSE(answering[0].shadow);
}

} // namespace dwcp::ramp
