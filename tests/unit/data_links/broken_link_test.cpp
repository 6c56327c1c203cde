#include "runtime/metrics/metrics.hpp"
#include "tests/unit/data_links/fixture.hpp"
#include "tests/unit/data_links/proxy.hpp"
#include "tests/unit/wire/seed.hpp"

using namespace dwcp;
using namespace dwcp::test;

namespace {

/// a ships to b through a proxy.
struct ProxiedPair {
    explicit ProxiedPair(const links::DataPlaneOptions& options = quick_options())
        : a("a", {"b"}, options), b("b", {"a"}, options), proxy(b.plane->port()) {
        a.add_peer("b", proxy.port());
        REQUIRE(eventually([&] { return a.up("b"); }));
    }

    void ship(Answers& answers, std::uint64_t count, std::size_t size) {
        for (std::uint64_t i = 0; i < count; ++i) {
            a.plane->send_block("b", make_block(i, size), "w", in(kPatience), answers.next());
        }
    }

    TestNode a;
    TestNode b;
    Proxy proxy;
};

double counted(const std::string& name, const metrics::Labels& labels) {
    return metrics::counter(name, "", labels).value();
}

} // namespace

TEST_CASE("a transfer goes on at the next missing block after its stream was cut, again and again") {
    Random random(test::seed());
    ProxiedPair pair;
    const double before = counted("dwcp_data_retransfers_total", {{"peer", "b"}});
    Answers answers;
    constexpr std::uint64_t kBlocks = 60;
    constexpr std::size_t kCuts = 5;
    pair.proxy.cut_after(300'000 + random.below(700'000), kCuts);
    pair.ship(answers, kBlocks, 200'000);
    REQUIRE(answers.wait_all());
    CHECK(pair.proxy.cuts() == kCuts);
    CHECK(answers.succeeded() == kBlocks);
    CHECK(answers.each_exactly_once());
    for (std::uint64_t i = 0; i < kBlocks; ++i)
        CHECK(pair.b.service.has(make_block(i, 200'000).hash));
    const double again = counted("dwcp_data_retransfers_total", {{"peer", "b"}}) - before;
    CHECK(again > 0);
    // Only what was under way is sent again: never more than a stream's credit for each cut.
    CHECK(again <= kCuts * quick_options().stream_credit_blocks);
}

TEST_CASE("a changed byte is counted, named, and costs one stream, not the transfer") {
    ProxiedPair pair;
    REQUIRE(send_and_wait(pair.a, "b", make_block(99, 10)).has_value());
    const auto bad = [&] {
        double sum = 0;
        for (const char* reason : {"bad_checksum", "bad_prefix_checksum", "bad_magic"}) {
            sum += counted("dwcp_data_bad_frames_total", {{"peer", "a"}, {"reason", reason}});
        }
        return sum;
    };
    const double before = bad();
    pair.b.add_peer("a", pair.a.plane->port()); // so that b has a status for a
    pair.proxy.corrupt_after(500'000);
    Answers answers;
    pair.ship(answers, 20, 100'000);
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 20);
    CHECK(bad() - before == 1);
    CHECK(eventually([&] { return pair.b.status_of("a").bad_frames == 1; }));
    CHECK(pair.b.service.accepted() >= 21);
}

TEST_CASE("a stalled stream is noticed and its work moves to a new one") {
    auto options = quick_options();
    options.idle_timeout_ms = 600;
    ProxiedPair pair(options);
    pair.proxy.stall(1);
    Answers answers;
    pair.ship(answers, 10, 100'000);
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 10);
    CHECK(pair.proxy.connections() >= 2);
}

TEST_CASE("with one of several streams stalled the others carry on at once") {
    auto options = quick_options();
    options.idle_timeout_ms = 4000; // the stalled one is noticed after half of it
    options.streams_min = options.streams_max = 3;
    ProxiedPair pair(options);
    REQUIRE(eventually([&] { return pair.a.status_of("b").streams == 3; }));
    pair.proxy.stall(1);
    Answers answers;
    pair.ship(answers, 40, 50'000);
    REQUIRE(answers.wait_for(40 - options.stream_credit_blocks));
    CHECK(pair.a.status_of("b").streams == 3);
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 40);
}

TEST_CASE("an idle stream is kept alive by probes") {
    auto options = quick_options();
    options.idle_timeout_ms = 1500; // a busy machine may hold a process back for less
    ProxiedPair pair(options);
    const auto until = in(3500ms);
    CHECK(eventually([&] { return std::chrono::steady_clock::now() > until; }));
    CHECK(pair.a.up("b"));
    CHECK(pair.proxy.connections() == 1);
}

TEST_CASE("a request that cannot be answered before its deadline fails once, and the next one works") {
    ProxiedPair pair;
    pair.b.service.hold();
    Answer<void> late;
    pair.a.plane->send_block("b", make_block(1, 1000), "w", in(100ms), late.callback());
    const auto result = late.wait();
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::deadline_exceeded);
    pair.b.service.release();
    CHECK(send_and_wait(pair.a, "b", make_block(2, 1000)).has_value()); // the late answer disturbed nothing
    CHECK(pair.a.status_of("b").bad_frames == 0);
    CHECK(pair.proxy.connections() == 1);
}

TEST_CASE("stopping with work under way cancels each request exactly once") {
    auto options = quick_options();
    options.streams_min = options.streams_max = 2;
    Answers answers;
    {
        ProxiedPair pair(options);
        pair.b.service.hold();
        pair.ship(answers, 50, 20'000);
        REQUIRE(eventually([&] { return pair.b.service.waiting() > 0; }));
        pair.a.plane.reset();
        CHECK(answers.answered() == 50); // all of them, before the destructor returned
        pair.b.service.release();
    }
    CHECK(answers.failed_with(Errc::cancelled) == 50);
    CHECK(answers.each_exactly_once());
}

TEST_CASE(
    "a receiver that stops in the middle of a transfer leaves the sender's requests to their deadline") {
    auto options = quick_options();
    TestNode a("a", {"b"}, options);
    auto b = std::make_unique<TestNode>("b", std::set<NodeName>{"a"}, options);
    a.add_peer("b", b->plane->port());
    Answers answers;
    for (std::uint64_t i = 0; i < 40; ++i) {
        a.plane->send_block("b", make_block(i, 50'000), "w", in(1s), answers.next());
    }
    REQUIRE(answers.wait_for(5));
    b.reset();
    REQUIRE(answers.wait_all());
    CHECK(answers.each_exactly_once());
    CHECK(answers.succeeded() + answers.failed_with(Errc::unavailable) == 40);
}

TEST_CASE("many threads may send while the link breaks again and again, and each gets its one answer") {
    auto options = quick_options();
    options.streams_min = options.streams_max = 2;
    ProxiedPair pair(options);
    pair.proxy.cut_after(100'000, 10);
    Answers answers;
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&, thread] {
                for (std::uint64_t i = 0; i < 50; ++i) {
                    pair.a.plane->send_block("b", make_block(1000 * thread + i, 20'000), "w", in(kPatience),
                                             answers.next());
                    (void)pair.a.plane->status();
                }
            });
        }
    }
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 200);
    CHECK(answers.each_exactly_once());
    CHECK(pair.proxy.cuts() == 10);
}
