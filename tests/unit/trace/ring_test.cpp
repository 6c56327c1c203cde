#include "runtime/trace/ring.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace dwcp;
using namespace dwcp::trace;

namespace {

Span span_of(const WorkloadId& workload, const std::string& name, std::int64_t start_us = 100,
             std::uint64_t duration_us = 10) {
    Span span;
    span.workload = workload;
    span.name = name;
    span.node = "site-a";
    span.actor = "manager/0";
    span.start_us = start_us;
    span.duration_us = span.busy_us = duration_us;
    return span;
}

} // namespace

TEST_CASE("spans are found by their workload, in the order of their beginning") {
    Ring ring;
    ring.record(span_of("w1", "seal", 200));
    ring.record(span_of("w1", "admit", 100));
    ring.record(span_of("w2", "admit", 50));
    const auto found = ring.find("w1", "site-a");
    REQUIRE(found.size() == 2);
    CHECK(found[0].name == "admit");
    CHECK(found[1].name == "seal");
    CHECK(found[0].id == span_id("w1", "admit", "site-a"));
    CHECK(ring.find("w3", "site-a").empty());
    CHECK(ring.find("w1", "site-b").empty());
}

TEST_CASE("spans are found by the trace id that the request came with") {
    Ring ring;
    auto request = span_of("w1", "request");
    request.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    ring.record(request);
    ring.record(span_of("w1", "seal"));
    ring.record(span_of("w2", "seal"));
    CHECK(ring.find(request.trace_id, "site-a").size() == 2);
}

TEST_CASE("a step that happens again is added to the first") {
    Ring ring;
    auto first = span_of("w", "ship", 1000, 100);
    first.detail = "site-b";
    first.numbers = {{"bytes", 10}, {"blocks", 1}};
    first.texts = {{"codec", "none"}};
    auto second = span_of("w", "ship", 1500, 300);
    second.detail = "site-b";
    second.numbers = {{"bytes", 5}, {"retries", 2}};
    second.texts = {{"codec", "zstd-3"}};
    second.error = "the link was cut";
    auto other = first;
    other.detail = "site-c";
    ring.record(first);
    ring.record(second);
    ring.record(other);
    const auto found = ring.find("w", "site-a");
    REQUIRE(found.size() == 2);
    const Span& sum = found[0].detail == "site-b" ? found[0] : found[1];
    CHECK(sum.count == 2);
    CHECK(sum.start_us == 1000);
    CHECK(sum.duration_us == 800);
    CHECK(sum.busy_us == 400);
    CHECK(sum.error == "the link was cut");
    CHECK(sum.numbers == decltype(sum.numbers){{"bytes", 15}, {"blocks", 1}, {"retries", 2}});
    CHECK(sum.texts == decltype(sum.texts){{"codec", "zstd-3"}});
}

TEST_CASE("a flood of one actor's spans pushes out its own oldest, and nobody else's") {
    Ring ring;
    ring.record(span_of("kept", "admit"));
    const std::size_t flood = 2 * kSpansPerActor + 7;
    for (std::size_t i = 0; i < flood; ++i) {
        auto span = span_of("tx-" + std::to_string(i), "append");
        span.actor = "consensus/bulk";
        ring.record(span);
    }
    CHECK(ring.find("kept", "site-a").size() == 1);
    CHECK(ring.find("tx-0", "site-a").empty());
    CHECK(ring.find("tx-" + std::to_string(flood - kSpansPerActor - 1), "site-a").empty());
    CHECK(ring.find("tx-" + std::to_string(flood - kSpansPerActor), "site-a").size() == 1);
    CHECK(ring.find("tx-" + std::to_string(flood - 1), "site-a").size() == 1);
    // What was pushed out can come again.
    auto again = span_of("tx-0", "append");
    again.actor = "consensus/bulk";
    ring.record(again);
    CHECK(ring.find("tx-0", "site-a").front().count == 1);
}

TEST_CASE("texts and fields of a span are bounded, and more actors than rooms share the last") {
    Ring ring;
    auto large = span_of("w", std::string(10'000, 'n'));
    large.error = std::string(10'000, 'e');
    for (int i = 0; i < 100; ++i)
        large.texts.emplace_back(std::to_string(i), std::string(1000, 't'));
    ring.record(large);
    const auto found = ring.find("w", "site-a");
    REQUIRE(found.size() == 1);
    CHECK(found[0].error.size() == kTextBytesMax);
    CHECK(found[0].texts.size() == kFieldsMax);
    CHECK(found[0].texts[0].second.size() == kTextBytesMax);
    for (std::size_t i = 0; i < 3 * kActorsMax; ++i) {
        auto span = span_of("many", "step-" + std::to_string(i));
        span.actor = "actor/" + std::to_string(i);
        ring.record(span);
    }
    CHECK(ring.find("many", "site-a").size() == 3 * kActorsMax);
}

TEST_CASE("a request that is not to be followed leaves no span") {
    Ring ring;
    ring.record(span_of("", "admit"));
    CHECK(ring.find("", "site-a").empty());
}

TEST_CASE("a step's id says which workload, step, node and detail it is, and nothing else") {
    CHECK(span_id("w", "ship", "a", "b") == span_id("w", "ship", "a", "b"));
    CHECK(span_id("w", "ship", "a", "b") != span_id("w", "ship", "b", "a"));
    CHECK(span_id("w", "ship", "ab", "") != span_id("w", "ship", "a", "b"));
    CHECK(span_id("w", "shi", "p", "") != span_id("w", "ship", "", ""));
    // It is the same on every node and in every version: another release must find it.
    CHECK(span_id("0123456789abcdef0123456789abcdef", "ship", "site-a", "site-b") == 0xb780d2e864adf059);
}

TEST_CASE("many threads record at once") {
    Ring ring;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&ring] {
            for (int i = 0; i < 500; ++i)
                ring.record(span_of("w", "step-" + std::to_string(i % 50)));
        });
    }
    for (auto& thread : threads)
        thread.join();
    std::uint64_t count = 0;
    for (const Span& span : ring.find("w", "site-a"))
        count += span.count;
    CHECK(count == 2000);
}

TEST_CASE("a recorder fills in where and when, and hangs a step under its request") {
    const Recorder recorder("site-r", "manager/1");
    const Mark begin = mark();
    recorder.record({.workload = "recorded", .name = "seal"}, begin);
    const auto found = ring().find("recorded", "site-r");
    REQUIRE(found.size() == 1);
    CHECK(found[0].actor == "manager/1");
    CHECK(found[0].parent == request_span("recorded", "site-r"));
    CHECK(found[0].start_us == begin.unix_us);
}
