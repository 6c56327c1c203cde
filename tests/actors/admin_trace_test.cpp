#include "protocols/wire/control.hpp"
#include "runtime/node/admin_trace.hpp"
#include "runtime/trace/ring.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using nlohmann::json;

namespace {

links::PeerRequest question(const std::string& id) {
    links::PeerRequest request;
    request.from = "site-b";
    request.service = node::kTraceService;
    request.body = to_bytes(id);
    return request;
}

} // namespace

TEST_CASE("a span is the same after its way through JSON") {
    const trace::Span span{.workload = "w",
                           .name = "ship",
                           .detail = "site-b",
                           .node = "site-a",
                           .actor = "manager/0",
                           .id = 0x00ab,
                           .parent = 7,
                           .start_us = 1'700'000'000'000'000,
                           .duration_us = 12,
                           .busy_us = 34,
                           .count = 2,
                           .error = "cut",
                           .numbers = {{"bytes", 5}},
                           .texts = {{"codec", "none"}}};
    const json shown = node::span_json(span);
    CHECK(shown["span"] == "00000000000000ab");
    CHECK(shown["ok"] == false);
    const auto back = node::span_of(json::parse(shown.dump()));
    REQUIRE(back);
    CHECK(node::span_json(*back) == shown);
}

TEST_CASE("what a peer calls a span and is none is dropped") {
    const json good = node::span_json({.workload = "w", .name = "n", .id = 1});
    REQUIRE(node::span_of(good));
    CHECK_FALSE(node::span_of(json::array()));
    CHECK_FALSE(node::span_of(json::object()));
    for (const char* id : {"", "0000000000000000", "1", "zzzzzzzzzzzzzzzz"}) {
        json bad = good;
        bad["span"] = id;
        CHECK_FALSE(node::span_of(bad));
    }
    json odd = good;
    odd["name"] = 5;
    odd["start_us"] = "late";
    odd["fields"] = {{"list", json::array()}, {"bytes", 1}};
    const auto taken = node::span_of(json::parse(odd.dump()));
    REQUIRE(taken);
    CHECK(taken->name.empty());
    CHECK(taken->start_us == 0);
    CHECK(taken->numbers.size() == 1);
}

TEST_CASE("an answer to a peer fits a control frame and says how many spans it leaves out") {
    const trace::Recorder recorder("site-large", "manager/0");
    constexpr std::size_t kSpans = 1000;
    for (std::size_t i = 0; i < kSpans; ++i) {
        recorder.record(
            {.workload = "large", .name = "step-" + std::to_string(i), .error = std::string(90, '"')},
            trace::mark());
    }
    const auto answer = node::serve_spans("site-large", question("large"));
    REQUIRE(answer);
    CHECK(answer->size() <= wire::control::kBodyBytesMax);
    const auto parsed = json::parse(as_text(*answer), nullptr, false);
    REQUIRE(parsed.is_object());
    CHECK(parsed["spans"].size() > 50);
    CHECK(parsed["spans"].size() + parsed["left_out"].get<std::size_t>() == kSpans);
    CHECK(parsed["spans"][0]["name"] == "step-0");
    CHECK(node::serve_spans("site-other", question("large")).value() ==
          to_bytes(R"({"left_out":0,"spans":[]})"));
    CHECK(node::serve_spans("site-large", question("no such id!")).error().code == Errc::invalid_argument);
}
