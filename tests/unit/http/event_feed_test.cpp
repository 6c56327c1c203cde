// The stream of events, without a server: what a client that reads it gets.
#include "actors/gateway/event_feed.hpp"
#include "runtime/log/log.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <thread>

using namespace dwcp;
using namespace dwcp::gateway;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    Fixture() { log::set_level(log::Level::off); }
    ~Fixture() { log::set_level(log::Level::info); }

    std::shared_ptr<http::LiveBody> open(const std::string& last_id = "", const std::string& after = "") {
        http::Request request;
        if (!last_id.empty()) request.headers.emplace("Last-Event-ID", last_id);
        if (!after.empty()) request.params["after"] = after;
        auto response = feed.open(request);
        if (!response) FAIL(response.error().render());
        CHECK(response->content_type == "text/event-stream");
        response->live->on_ready([this] { ++wakes; });
        return response->live;
    }
    void record(int times) {
        for (int i = 0; i < times; ++i)
            ring.record("tick", std::to_string(i));
    }
    static std::string all(http::LiveBody& body) {
        std::string text;
        for (auto piece = body.take(); piece && !piece->empty(); piece = body.take())
            text += *piece;
        return text;
    }
    static std::size_t count(const std::string& text, const std::string& part) {
        std::size_t found = 0;
        for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
            ++found;
        return found;
    }

    EventRing ring;
    std::atomic<int> wakes{0};
    EventFeed feed{ring, "cafe", 1h};
};

} // namespace

TEST_CASE_METHOD(Fixture, "a stream without an id begins now, and wakes its server for each event") {
    record(3);
    const auto body = open();
    CHECK(all(*body) == "retry: 2000\n: events of this node\n\n");
    ring.record("peer_up", "site-b", {{"rtt_ms", "3"}});
    CHECK(wakes == 1);
    const auto text = all(*body);
    CHECK(text.starts_with("id: cafe-4\nevent: peer_up\ndata: {"));
    CHECK(text.ends_with("}\n\n"));
    const auto data = nlohmann::json::parse(text.substr(text.find("data: ") + 6));
    CHECK(data == event_json(ring.latest(1).front()));
    CHECK(body->take()->empty());
}

TEST_CASE_METHOD(Fixture, "a client that comes back goes on after the last event it has seen") {
    record(200);
    const auto body = open("cafe-50", "7"); // the header is newer than the address
    const auto text = all(*body);
    CHECK(count(text, "event: tick") == 150);
    CHECK(text.find("id: cafe-51\n") < text.find("id: cafe-52\n"));
    CHECK(count(text, "event: gap") == 0);
    CHECK(count(all(*open("", "199")), "event: tick") == 1);
}

TEST_CASE_METHOD(Fixture, "what is no longer kept, or is of another life, is told as a gap") {
    record(static_cast<int>(kEventsKept) + 10);
    SECTION("the ring has moved on") {
        const auto text = all(*open("cafe-3"));
        CHECK(text.find("event: gap\ndata: {\"missed\":7,\"next\":11") != std::string::npos);
        CHECK(count(text, "event: tick") == kEventsKept);
    }
    SECTION("the node was restarted") {
        const auto text = all(*open("beef-4000"));
        CHECK(text.find("\"reason\":\"the node was restarted\"") != std::string::npos);
        CHECK(count(text, "event: tick") == kEventsKept);
    }
    SECTION("an id that was never given") { CHECK(count(all(*open("", "999999")), "event: gap") == 1); }
}

TEST_CASE_METHOD(Fixture, "an id that is none is refused, and so is one stream too many") {
    http::Request request;
    for (const char* bad : {"x", "cafe-", "cafe-x", "-"}) {
        request.headers.clear();
        request.headers.emplace("Last-Event-ID", bad);
        REQUIRE_FALSE(feed.open(request));
        CHECK(feed.open(request).error().code == Errc::invalid_argument);
    }
    std::vector<std::shared_ptr<http::LiveBody>> streams;
    while (streams.size() < kStreamsMax)
        streams.push_back(open());
    CHECK(feed.open({}).error().code == Errc::resource_exhausted);
    streams.pop_back();
    CHECK(feed.open({}));
}

TEST_CASE("a silent stream is kept alive by comments, and outlives its feed") {
    EventRing ring;
    std::atomic<int> wakes{0};
    auto feed = std::make_unique<EventFeed>(ring, "cafe", 5ms);
    const auto body = feed->open({})->live;
    body->on_ready([&] { ++wakes; });
    CHECK(body->take()->starts_with("retry:"));
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    std::string text;
    while (text.empty() && std::chrono::steady_clock::now() < deadline) {
        if (wakes > 0) text = body->take().value();
        std::this_thread::yield();
    }
    CHECK(text == ": alive\n\n");
    feed.reset();
    CHECK(body->take().value_or("").size() < 20);
}
