// How the shell shows the ramp.
#include "ops/shell/printers.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace dwcp;
using nlohmann::json;

namespace {

json verdict(const char* criterion, const char* outcome, const char* unit, double limit, json measured) {
    return {{"criterion", criterion}, {"outcome", outcome}, {"unit", unit},        {"limit", limit},
            {"measured", measured},   {"n_canary", 120},    {"n_stable", 1080},    {"effect", 0.02},
            {"low", -0.01},           {"high", 0.05},       {"reason", "because"}, {"overridden", false}};
}

json status() {
    return {
        {"phase", "soaking"},
        {"phase_since_ms", 1'700'000'000'000},
        {"plan", "sixteen-days"},
        {"day_ms", 5000},
        {"host", "site-b"},
        {"term", 3},
        {"seq", 12},
        {"step", {{"index", 1}, {"name", "selector"}, {"title", "Day 2: selector"}, {"count", 4}}},
        {"stage",
         {{"index", 0},
          {"percent", 10},
          {"since_ms", 1'700'000'000'000},
          {"duration_ms", 4000},
          {"count", 1}}},
        {"explanation", "soaks 2 s longer"},
        {"verdicts",
         {verdict("error rate < 0.1 %", "pass", "ratio", 0.001, 0.0002),
          verdict("p99 < 200 ms", "no_data", "s", 0.2, nullptr)}},
        {"skipped", {{{"step", "probft"}, {"reason", "no canary"}}}},
        {"systems",
         {{{"system", "manager"},
           {"stable", "one-stream-1"},
           {"canary", "multi-stream-1"},
           {"nodes", {{{"node", "site-a"}, {"percent", 10}, {"in_flight", 2}, {"canary_requests", 7}}}}}}}};
}

} // namespace

TEST_CASE("the ramp's status shows where it stands and how each criterion fares") {
    std::ostringstream out;
    shell::print_ramp_status(out, status(), {1'700'000'002'000, false});
    const std::string text = out.str();
    INFO(text);
    for (const char* expected :
         {"soaking", "sixteen-days", "hosted by site-b, term 3", "step 2 of 4: Day 2: selector", "10 %",
          "soaks 2 s longer", "multi-stream-1", "error rate < 0.1 %", "0.02 %", "120/1080",
          "2 % (-1 % to 5 %)", "200 ms", "no_data", "because", "probft: no canary"})
        CHECK(text.find(expected) != std::string::npos);
    // One step of four is done, and half of the second: 15 of 40.
    CHECK(text.find("[===============>                        ]") != std::string::npos);
}

TEST_CASE("what a node of another version says of the ramp does not upset the shell") {
    for (const json& answer :
         {json::object(), json{{"step", 7}, {"systems", "x"}, {"verdicts", {1, 2}}}, json()}) {
        std::ostringstream out;
        CHECK_NOTHROW(shell::print_ramp_status(out, answer, {}));
        CHECK_NOTHROW(shell::print_ramp_plan(out, answer, {}));
        CHECK_NOTHROW(shell::print_ramp_history(out, answer, {}));
        CHECK_NOTHROW(shell::print_ramp_explain(out, answer, {}));
    }
}

TEST_CASE("the ramp's history is a time line") {
    std::ostringstream out;
    shell::print_ramp_history(
        out,
        {{"records",
          {{{"seq", 4},
            {"kind", "rollback_begun"},
            {"step", 0},
            {"stage", 1},
            {"by", "ramp"},
            {"alarm", {{"trigger", "error rate > 1 %"}, {"reason", "3 of 100 failed"}}}}}}},
        {});
    CHECK(out.str().find("rollback_begun") != std::string::npos);
    CHECK(out.str().find("error rate > 1 %: 3 of 100 failed") != std::string::npos);
}
