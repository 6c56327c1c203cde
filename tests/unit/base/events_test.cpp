#include "runtime/base/events.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <thread>
#include <vector>

namespace dwcp {
namespace {

/// Every event is a log line as well; here only the ring is of interest.
struct Quiet {
    Quiet() { log::set_level(log::Level::off); }
    ~Quiet() { log::set_level(log::Level::info); }
};

} // namespace

TEST_CASE("events are numbered from one without gaps and keep what they were given") {
    const Quiet quiet;
    EventRing ring;
    const UnixMillis before = unix_now_ms();
    ring.record("peer_up", "site-b", {{"rtt_ms", "3"}}, "00ff");
    ring.record("peer_down", "site-b");
    const auto events = ring.since(0, 10);
    REQUIRE(events.size() == 2);
    CHECK(events[0].id == 1);
    CHECK(events[0].name == "peer_up");
    CHECK(events[0].subject == "site-b");
    CHECK(events[0].trace == "00ff");
    CHECK(events[0].fields.at("rtt_ms") == "3");
    CHECK(events[0].time_ms >= before);
    CHECK(events[1].id == 2);
    CHECK(events[1].fields.empty());
}

TEST_CASE("a reader goes on after the last event it has seen") {
    const Quiet quiet;
    EventRing ring;
    CHECK(ring.since(0, 10).empty());
    for (int i = 0; i < 5; ++i)
        ring.record("step", std::to_string(i));
    const auto first = ring.since(0, 2);
    REQUIRE(first.size() == 2);
    CHECK(first.back().id == 2);
    const auto rest = ring.since(2, 10);
    REQUIRE(rest.size() == 3);
    CHECK(rest.front().id == 3);
    CHECK(ring.since(5, 10).empty());
    CHECK(ring.since(0, 0).empty());
}

TEST_CASE("a full ring forgets the oldest events and no others") {
    const Quiet quiet;
    EventRing ring;
    for (std::size_t i = 0; i < kEventsKept + 3; ++i)
        ring.record("step", "x");
    const auto events = ring.since(0, 2 * kEventsKept);
    REQUIRE(events.size() == kEventsKept);
    CHECK(events.front().id == 4);
    CHECK(events.back().id == kEventsKept + 3);
}

TEST_CASE("every event is counted by its name") {
    const Quiet quiet;
    EventRing ring;
    for (int i = 0; i < 3; ++i)
        ring.record("counted_in_this_test", "x");
    CHECK(metrics::expose().find("dwcp_events_total{event=\"counted_in_this_test\"} 3") != std::string::npos);
}

TEST_CASE("events of several threads are all kept, each with its own number") {
    const Quiet quiet;
    EventRing ring;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&ring] {
                for (int i = 0; i < 200; ++i)
                    ring.record("step", "x");
            });
        }
    }
    const auto events = ring.since(0, kEventsKept);
    REQUIRE(events.size() == 800);
    for (std::size_t i = 0; i < events.size(); ++i)
        REQUIRE(events[i].id == i + 1);
}

TEST_CASE("a subscriber is woken after each event, may read the events then, and is left alone afterwards") {
    const Quiet quiet;
    EventRing ring;
    std::vector<std::uint64_t> seen;
    const auto subscription = ring.subscribe([&] { seen.push_back(ring.latest(1).front().id); });
    CHECK(ring.last_id() == 0);
    ring.record("one", "x");
    ring.record("two", "x");
    CHECK(seen == std::vector<std::uint64_t>{1, 2});
    ring.unsubscribe(subscription);
    ring.record("three", "x");
    CHECK(seen.size() == 2);
    CHECK(ring.last_id() == 3);
}

TEST_CASE("metrics are found by a part of their name") {
    metrics::counter("test_samples_pears_total", "Pears.", {{"kind", "ripe"}}).add(3);
    metrics::histogram("test_samples_weight_kg", "Weights.", {1, 2}).observe(1.5);
    const auto pears = metrics::samples("samples_pears");
    REQUIRE(pears.size() == 1);
    CHECK(pears[0].name == "test_samples_pears_total");
    CHECK(pears[0].type == "counter");
    CHECK(pears[0].help == "Pears.");
    CHECK(pears[0].labels.at("kind") == "ripe");
    CHECK(pears[0].value == 3);
    const auto all = metrics::samples("test_samples");
    REQUIRE(all.size() == 3);
    CHECK(all[1].name == "test_samples_weight_kg_count");
    CHECK(all[1].value == 1);
    CHECK(all[2].value == 1.5);
    CHECK(metrics::samples("no such name").empty());
}

} // namespace dwcp
