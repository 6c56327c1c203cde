#include "ops/runner/rollout_report.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace dwcp::runner;
using nlohmann::json;

namespace {

json verdict(const char* criterion, const char* outcome) {
    return {{"criterion", criterion}, {"check", "error_rate"}, {"outcome", outcome}, {"limit", 0.001},
            {"measured", 0.0002},     {"unit", "ratio"},       {"n_canary", 812U},   {"n_stable", 7204U},
            {"reason", "a reason"},   {"overridden", false}};
}

RolloutReport completed() {
    RolloutReport report;
    report.day = "5s";
    report.phase = "completed";
    report.titles = {"Day 1: manager"};
    report.records = json::array(
        {{{"seq", 3U},
          {"kind", "gate_judged"},
          {"step", 0U},
          {"stage", 0U},
          {"at_ms", 1'000},

          {"verdicts", {verdict("error rate < 0.1 %", "inconclusive")}}},
         {{"seq", 4U},
          {"kind", "stage_passed"},
          {"step", 0U},
          {"stage", 0U},
          {"at_ms", 2'000},

          {"verdicts", {verdict("error rate < 0.1 %", "pass"), verdict("finality", "not_applicable")}}}});
    report.status = {{"skipped", {{{"step", "probft"}, {"reason", "no canary yet"}}}}};
    report.traffic.acknowledged = 100;
    report.verdict.keys = 10;
    return report;
}

RolloutReport rolled_back() {
    auto report = completed();
    report.inject = "error-rate";
    report.phase = "rolled_back";
    report.injected_ms = 2'500;
    report.records.push_back({{"seq", 5U},
                              {"kind", "rollback_begun"},
                              {"at_ms", 3'000},
                              {"by", "ramp"},
                              {"reason", "error rate 31 % > 1 %"}});
    report.records.push_back(
        {{"seq", 6U}, {"kind", "rolled_back"}, {"at_ms", 3'200}, {"by", "ramp"}, {"reason", "3 nodes"}});
    report.status["systems"] = {
        {{"system", "manager"}, {"nodes", {{{"node", "site-a"}, {"canary_last_ms", 3'004}}}}}};
    return report;
}

bool held(const RolloutReport& report) { return std::ranges::all_of(judge(report), &Check::held); }

} // namespace

TEST_CASE("a rollout that reached its hand-over holds, with the last judgement of each gate") {
    const auto report = completed();
    CHECK(held(report));
    const auto text = to_text(report);
    CHECK(text.find("Day 1: manager") != std::string::npos);
    CHECK(text.find("0.02 %") != std::string::npos);
    CHECK(text.find("7204") != std::string::npos);
    CHECK(text.find("inconclusive") == std::string::npos);
    CHECK(text.find("probft: no canary yet") != std::string::npos);
}

TEST_CASE("a rollout that stopped half-way does not hold") {
    auto report = completed();
    report.phase = "paused";
    CHECK_FALSE(held(report));
    report = completed();
    report.problem = "it paused for people";
    CHECK_FALSE(held(report));
}

TEST_CASE("a criterion that did not pass, or was overridden, does not hold") {
    for (const char* outcome : {"fail", "inconclusive", "no_data"}) {
        auto report = completed();
        report.records[1]["verdicts"][0]["outcome"] = outcome;
        INFO(outcome);
        CHECK_FALSE(held(report));
    }
    auto report = completed();
    report.records[1]["verdicts"][0]["overridden"] = true;
    CHECK_FALSE(held(report));
    report = completed();
    report.records = json::array();
    CHECK_FALSE(held(report));
}

TEST_CASE("an injected fault must lead to a rollback by the ramp itself, in time") {
    const auto report = rolled_back();
    CHECK(held(report));
    const auto text = to_text(report);
    CHECK(text.find("-500 ms  injected error-rate") != std::string::npos);
    CHECK(text.find("+4 ms  last request to the canary of manager at site-a") != std::string::npos);
    CHECK(text.find("+200 ms  restored") != std::string::npos);
    CHECK(to_json(report)["restored_ms"] == 200);

    auto late = report;
    late.records[3]["at_ms"] = 4'100;
    CHECK_FALSE(held(late));
    auto by_hand = report;
    by_hand.records[2]["by"] = "ann";
    CHECK_FALSE(held(by_hand));
    auto unnoticed = completed();
    unnoticed.inject = "latency";
    CHECK_FALSE(held(unnoticed));
}

TEST_CASE("what was lost, reordered or damaged does not hold") {
    for (const auto count : {&TrafficVerdict::lost, &TrafficVerdict::reordered, &TrafficVerdict::damaged}) {
        auto report = completed();
        report.verdict.*count = 1;
        CHECK_FALSE(held(report));
    }
    auto silent = completed();
    silent.verdict.keys = 0;
    CHECK_FALSE(held(silent));
}
