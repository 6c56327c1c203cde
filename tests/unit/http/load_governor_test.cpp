// What counts against the objectives, what is shed, and whose uploads hold places; without a server.
#include "actors/gateway/load_governor.hpp"
#include "actors/gateway/upload_places.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace dwcp;
using namespace dwcp::gateway;
using health::Priority;
using health::Served;
using health::Work;

namespace {

constexpr Duration kLatency = milliseconds(100);

http::Request read() {
    http::Request request;
    request.work = Work::read;
    return request;
}

std::optional<Served> judged(const http::Request& request, int status, Duration took = milliseconds(1),
                             std::uint64_t answer_bytes = 0) {
    return served_as(request, status, answer_bytes, took, kLatency);
}

std::size_t changes(const EventRing& events) {
    const auto all = events.since(0, kEventsKept);
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [](const Event& event) { return event.name == "degradation_changed"; }));
}

} // namespace

TEST_CASE("only what the node did to its clients counts") {
    CHECK(judged(read(), 200) == Served::well);
    CHECK(judged(read(), 404) == Served::well);
    CHECK(judged(read(), 500) == Served::not_at_all);
    CHECK(judged(read(), 503) == Served::not_at_all);
    CHECK_FALSE(judged(read(), 429)); // told to come later
    CHECK_FALSE(judged(read(), 408)); // the client was slow
    CHECK_FALSE(judged(read(), 501));
    CHECK_FALSE(judged(http::Request{}, 500)); // an operator's verb
    CHECK(judged(read(), 200, milliseconds(101)) == Served::slowly);
    CHECK(judged(read(), 200, milliseconds(101), 1 << 20) == Served::well); // however slowly it was taken
    auto upload = read();
    upload.work = Work::write;
    upload.content_length = std::nullopt;
    CHECK(judged(upload, 201, milliseconds(101)) == Served::well);
    auto hurried = read();
    hurried.urgency.deadline = TimePoint{};
    CHECK_FALSE(judged(hurried, 504, milliseconds(99))); // an impatient client is no failure of ours
    CHECK(judged(hurried, 504, milliseconds(100)) == Served::not_at_all);
    CHECK(judged(read(), 504, milliseconds(99)) == Served::not_at_all);
}

TEST_CASE(
    "a node whose requests fail refuses low priority, then all but critical, and counts what it refused") {
    EventRing events;
    GovernorOptions options;
    options.node = "a";
    LoadGovernor governor(std::move(options), events);
    CHECK(governor.admit(Work::write, Priority::low));
    for (int i = 0; i < 100; ++i)
        governor.ended(read(), 500, 0, milliseconds(1));
    const metrics::Labels labels{{"priority", "normal"}, {"work", "read"}};
    const double before = metrics::counter("dwcp_http_shed_total", "", labels).value();
    // The level is looked at every 100 ms at most.
    while (governor.level() != health::Level::emergency) {
    }
    CHECK(changes(events) == 1);
    const auto refused = governor.admit(Work::read, Priority::normal);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(refused.error().message.find("emergency") != std::string::npos);
    CHECK(metrics::counter("dwcp_http_shed_total", "", labels).value() == before + 1);
    CHECK(governor.admit(Work::read, Priority::critical));
    CHECK(governor.admit(Work::none, Priority::low));
    CHECK(governor.view()["level"] == "emergency");
    CHECK(governor.view()["failed"] == 100);
}

TEST_CASE("what is answered while the node drains counts for nothing") {
    EventRing events;
    GovernorOptions options;
    options.draining = [] { return true; };
    LoadGovernor governor(std::move(options), events);
    for (int i = 0; i < 100; ++i)
        governor.ended(read(), 503, 0, milliseconds(1));
    CHECK(governor.view()["requests"] == 0);
}

TEST_CASE("an upload's place is its client's, and given back with the upload") {
    auto places = std::make_shared<UploadPlaces>([] { return 4U; });
    http::Request here;
    here.peer = "10.0.0.1:4000";
    http::Request again = here;
    again.peer = "10.0.0.1:4001"; // another connection of the same client
    http::Request other = here;
    other.peer = "10.0.0.2:4000";
    auto first = places->take(here);
    auto second = places->take(again);
    REQUIRE(first);
    REQUIRE(second);
    const auto refused = places->take(here);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::resource_exhausted);
    CHECK(refused.error().message.find("10.0.0.1 has 2 uploads under way") != std::string::npos);
    CHECK(places->take(other));
    first->reset();
    CHECK(places->take(again));
}
