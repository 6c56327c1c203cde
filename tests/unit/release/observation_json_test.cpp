#include "protocols/base/random.hpp"
#include "runtime/release/observation_json.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

using namespace dwcp;
using namespace dwcp::release;
using namespace dwcp::ramp;

namespace {

std::uint64_t any_count(Random& random) {
    switch (random.below(3)) {
    case 0:
        return 0;
    case 1:
        return random.below(10'000);
    default:
        return random.next(); // up to 2^64
    }
}

Work any_work(Random& random) {
    Work work;
    work.requests = any_count(random);
    work.errors = any_count(random);
    work.bytes = any_count(random);
    work.cost_us = any_count(random);
    for (std::uint64_t i = random.below(20); i > 0; --i)
        work.latency.add(std::exp(random.unit() * 30 - 15), 1 + random.below(1'000));
    return work;
}

Facts any_facts(Random& random) {
    Facts facts;
    for (auto count :
         {&Facts::consensus_failures, &Facts::lane_looks, &Facts::lane_looks_available, &Facts::corruptions,
          &Facts::security_breaches, &Facts::critical_incidents, &Facts::checks, &Facts::checks_failing,
          &Facts::metrics_expected, &Facts::metrics_present})
        facts.*count = any_count(random);
    if (random.below(2) == 0) facts.failing = {"store_write", "a \"quoted\"\n name"};
    facts.resource_use = random.unit();
    return facts;
}

Observation any_observation(Random& random) {
    Observation seen;
    seen.at_ms = static_cast<UnixMillis>(random.below(1ULL << 50));
    if (random.below(2) == 0) seen.silent = {"site-c"};
    for (const char* name : {"site-a", "site-b"}) {
        NodeReport node;
        node.node = name;
        node.incarnation = any_count(random);
        node.seq = any_count(random);
        node.window_ms = any_count(random);
        node.total = any_facts(random);
        node.recent = any_facts(random);
        for (const char* system : {"manager", "selector"}) {
            SystemReport& report = node.systems[system];
            report.stable = "one-stream-1";
            report.canary = random.below(2) == 0 ? "" : "multi-stream-1";
            report.canary_percent = random.unit() * 100;
            report.total = {any_work(random), any_work(random)};
            report.recent = {any_work(random), any_work(random)};
            report.shadow = any_work(random);
            report.canary_in_flight = any_count(random);
            report.canary_last_ms = static_cast<UnixMillis>(random.below(1ULL << 50));
            report.forced = random.below(2) == 0 ? "" : "crash loop";
            report.unsettled = random.below(2) == 0 ? "" : "2 in flight";
        }
        seen.nodes.push_back(std::move(node));
    }
    return seen;
}

const std::string kGood = R"({"at_ms": 5, "nodes": [{"node": "site-a"}]})";

} // namespace

TEST_CASE("every observation comes back from its line as it was") {
    Random random(test::seed());
    for (int i = 0; i < 200; ++i) {
        const Observation seen = any_observation(random);
        const std::string line = observation_line(seen);
        REQUIRE(line.find('\n') == std::string::npos);
        const auto back = parse_observation(line);
        REQUIRE(back.has_value());
        REQUIRE(observation_line(*back) == line);
        const auto& here = seen.nodes[1].systems.at("selector");
        const auto& there = back->nodes.at(1).systems.at("selector");
        CHECK(there.recent[1].latency == here.recent[1].latency);
        CHECK(there.total[0].cost_us == here.total[0].cost_us);
        CHECK(there.shadow.requests == here.shadow.requests);
        CHECK(there.forced == here.forced);
        CHECK(back->nodes[0].incarnation == seen.nodes[0].incarnation);
        CHECK(back->nodes[0].recent.failing == seen.nodes[0].recent.failing);
        CHECK(back->at_ms == seen.at_ms);
    }
}

TEST_CASE("a resource use that is not a number stays none") {
    Observation seen;
    seen.nodes.emplace_back();
    seen.nodes[0].total.resource_use = std::numeric_limits<double>::quiet_NaN();
    const auto back = parse_observation(observation_line(seen));
    REQUIRE(back.has_value());
    CHECK(std::isnan(back->nodes[0].total.resource_use));
    CHECK(back->nodes[0].recent.resource_use == 0);
}

TEST_CASE("a recording has a header, or none, and blank lines do not matter") {
    Recording wanted;
    wanted.plan_toml = "name = \"x\"\n";
    wanted.day_ms = 5'000;
    wanted.gate = "at-10";
    wanted.systems = {"manager"};
    const auto full = parse_recording(recording_header(wanted) + "\n\n" + kGood + "\r\n" + kGood, "f");
    REQUIRE(full.has_value());
    CHECK(full->plan_toml == wanted.plan_toml);
    CHECK(full->day_ms == 5'000);
    CHECK(full->gate == "at-10");
    CHECK(full->systems == wanted.systems);
    CHECK(full->observations.size() == 2);
    const auto bare = parse_recording(kGood, "f");
    REQUIRE(bare.has_value());
    CHECK(bare->plan_toml.empty());
    CHECK(bare->observations.at(0).nodes.at(0).node == "site-a");
}

TEST_CASE("an evidence bundle is a recording, whatever else it holds and however it is printed") {
    const auto bundle = nlohmann::json{{"seq", 7},
                                       {"gate", "at-25"},
                                       {"systems", {"manager"}},
                                       {"verdicts", nlohmann::json::array()},
                                       {"observations", {nlohmann::json::parse(kGood)}}};
    for (const int indent : {-1, 2}) {
        const auto recording = parse_recording(bundle.dump(indent), "bundle.json");
        REQUIRE(recording.has_value());
        CHECK(recording->gate == "at-25");
        CHECK(recording->observations.size() == 1);
    }
}

TEST_CASE("a recording that is wrong is refused with the line and the place") {
    struct Wrong {
        std::string text, message;
    };
    const Wrong wrongs[]{
        {"", "f has no observation"},
        {"{\"plan\": \"x\"}", "f has no observation"},
        {kGood + "\nnot json", "f:2: this is not JSON"},
        {kGood + "\n[1, 2]", "f:2: an observation must be an object"},
        {kGood + "\n{}", "f:2: it has no at_ms"},
        {kGood + "\n{\"at_ms\": 4}", "f:2: at_ms is earlier than in the one before"},
        {R"({"at_ms": -5})", "f:1: at_ms must be a whole number from 0 to 9007199254740992"},
        {R"({"at_ms": 1.5})", "f:1: at_ms must be a whole number from 0 to 9007199254740992"},
        {R"({"at_ms": 1e999})", "f:1: this is not JSON"},
        {R"({"at_ms": 1, "nodes": {}})", "f:1: nodes must be a list"},
        {R"({"at_ms": 1, "nodes": [3]})", "f:1: nodes[0]: it must be an object"},
        {R"({"at_ms": 1, "nodes": [{}, {"systems": {"m": {"canary_percent": 101}}}]})",
         "f:1: nodes[1].systems.m: canary_percent must be a number from 0 to 100"},
        {R"({"at_ms": 1, "nodes": [{"systems": {"m": {"total": {"canary": {"latency": [[1153, 1]]}}}}}]})",
         "f:1: nodes[0].systems.m.total.canary: latency must be a list of [bucket 0 to 1152, count], each "
         "bucket once"},
        {R"({"at_ms": 1, "nodes": [{"systems": {"m": {"total": {"canary": {"latency": [[1,1],[1,1]]}}}}}]})",
         "f:1: nodes[0].systems.m.total.canary: latency must be a list of [bucket 0 to 1152, count], each "
         "bucket once"},
        {R"({"at_ms": 1, "nodes": [{"total": {"failing": [1]}}]})",
         "f:1: nodes[0].total: failing must be a list of short texts"},
        {R"({"observations": 3})", "f: observations must be a list"},
        {R"({"observations": [{"at_ms": 1}, {"at_ms": "x"}]})",
         "f: observations[1]: at_ms must be a whole number from 0 to 9007199254740992"},
    };
    for (const Wrong& wrong : wrongs) {
        INFO(wrong.text);
        const auto recording = parse_recording(wrong.text, "f");
        REQUIRE_FALSE(recording.has_value());
        CHECK(recording.error().message == wrong.message);
    }
}

TEST_CASE("a recording with more of anything than a cluster has is refused") {
    nlohmann::json many = nlohmann::json::parse(kGood);
    for (int i = 0; i < 300; ++i)
        many["nodes"].push_back(nlohmann::json::object());
    auto refused = parse_observation(many.dump());
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::too_large);
    many = nlohmann::json::parse(kGood);
    for (int i = 0; i < 20; ++i)
        many["nodes"][0]["systems"]["s" + std::to_string(i)] = nlohmann::json::object();
    refused = parse_observation(many.dump());
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message == "nodes[0]: 20 systems, 16 are allowed");
    refused = parse_observation(std::string(kObservationBytesMax + 1, ' '));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::too_large);
}

TEST_CASE("a text nested without end is refused like any other") {
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    CHECK_FALSE(parse_recording(deep, "f").has_value());
    CHECK_FALSE(parse_recording(std::string(100'000, '{'), "f").has_value());
}
