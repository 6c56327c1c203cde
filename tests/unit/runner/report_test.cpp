#include "ops/runner/report.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace dwcp::runner;

namespace {

struct Sample {
    Collection collection;
    std::vector<Shipped> outcomes;
    Report report;

    Sample() {
        collection.files = {{"/a", "a", 10}, {"/b", "b", 20}};
        collection.bytes = 30;
        outcomes.resize(2);
        for (auto& shipped : outcomes)
            shipped.outcome = Outcome::equal;
        report.collection = &collection;
        report.outcomes = &outcomes;
        for (const char* path :
             {"manager/0", "compression/0", "allocator/0", "consensus/metadata", "gateway/0"})
            report.actor_kills.push_back(
                {.path = path, .node = "site-a", .back = true, .back_ms = 5, .serve_ms = 20, .problem = {}});
        report.restarts_before_node_kill = 0;
        report.node_kill = {.node = "site-c",
                            .happened = true,
                            .away_ms = 1500,
                            .ready_ms = 200,
                            .decided_ms = 300,
                            .connected_ms = 400,
                            .workloads = 7,
                            .acknowledged = 3,
                            .committed = 3,
                            .failed = 4,
                            .problem = {}};
        for (const char* name : {"site-a", "site-b", "site-c"})
            report.nodes.push_back({.name = name, .ready = true, .connected = true, .restarts = 5});
    }
};

} // namespace

TEST_CASE("a run in which everything went well holds") {
    const Sample sample;
    CHECK(all_held(judge(sample.report)));
    CHECK(to_json(sample.report, judge(sample.report))["held"] == true);
}

TEST_CASE("each thing that can go wrong fails exactly its check") {
    const std::vector<std::pair<std::string, std::function<void(Sample&)>>> faults{
        {"every file came back", [](Sample& s) { s.outcomes[1].outcome = Outcome::failed; }},
        {"every file came back", [](Sample& s) { s.outcomes[1].outcome = Outcome::acknowledged; }},
        {"an actor of every system",
         [](Sample& s) { s.report.actor_kills.erase(s.report.actor_kills.begin()); }},
        {"every killed actor", [](Sample& s) { s.report.actor_kills[2].back = false; }},
        {"every killed actor", [](Sample& s) { s.report.actor_kills[2].serve_ms = 5'000; }},
        {"every killed actor",
         [](Sample& s) {
             for (auto& kill : s.report.actor_kills)
                 kill.back_ms = 150;
         }},
        {"the supervisors counted",
         [](Sample& s) {
             for (auto& node : s.report.nodes)
                 node.restarts = 1;
         }},
        {"the killed node came back", [](Sample& s) { s.report.node_kill.connected_ms = 9'000; }},
        {"the killed node's workloads", [](Sample& s) { s.report.node_kill.undecided = 1; }},
        {"the killed node's workloads", [](Sample& s) { s.report.node_kill.decided_ms = 9'000; }},
        {"nothing acknowledged", [](Sample& s) { s.report.node_kill.lost = 1; }},
        {"nothing acknowledged", [](Sample& s) { s.report.node_kill.acknowledged = 0; }},
        {"all nodes are ready", [](Sample& s) { s.report.nodes[0].connected = false; }},
        {"all nodes are ready", [](Sample& s) { s.report.nodes[0].corruptions = 1; }},
    };
    for (const auto& [name, fault] : faults) {
        Sample sample;
        fault(sample);
        INFO(name);
        for (const auto& check : judge(sample.report))
            CHECK(check.held != check.name.starts_with(name));
    }
}

TEST_CASE("files that changed on disk meanwhile are reported and do not fail a run") {
    Sample sample;
    sample.outcomes[1].outcome = Outcome::changed;
    sample.outcomes[1].problem = "it changed";
    const auto checks = judge(sample.report);
    CHECK(all_held(checks));
    CHECK(to_text(sample.report, checks).find("/b: it changed") != std::string::npos);
}
