#include "runtime/trace/traceparent.hpp"

#include <catch2/catch.hpp>

using namespace dwcp::trace;

namespace {

constexpr std::string_view kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr std::string_view kGood = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string changed(std::size_t at, char to) {
    std::string text(kGood);
    text[at] = to;
    return text;
}

} // namespace

TEST_CASE("a traceparent of the standard's own example is read") {
    const auto parsed = parse_traceparent(kGood);
    REQUIRE(parsed);
    CHECK(parsed->trace_id == kTrace);
    CHECK(parsed->parent == 0x00f067aa0ba902b7);
    CHECK(parsed->sampled);
    const auto unsampled = parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    REQUIRE(unsampled);
    CHECK_FALSE(unsampled->sampled);
    // Flags that nobody knows yet do not matter.
    CHECK(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff")->sampled);
}

TEST_CASE("what is not a traceparent of version 00 is ignored") {
    const std::string good(kGood);
    const std::string bad[] = {"",
                               "00",
                               good + "-",
                               good + "-more",
                               good.substr(1),
                               " " + good.substr(1),
                               changed(0, 'f'),
                               changed(1, '1'),
                               changed(2, '_'),
                               changed(10, 'A'),
                               changed(10, 'g'),
                               changed(35, ' '),
                               changed(40, 'F'),
                               changed(52, ' '),
                               changed(54, 'x'),
                               "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                               "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                               "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"};
    for (const auto& text : bad) {
        INFO("'" << text << "'");
        CHECK_FALSE(parse_traceparent(text));
    }
}

TEST_CASE("a traceparent that is made here is read back") {
    const auto parsed = parse_traceparent(make_traceparent(kTrace, 0x1234));
    REQUIRE(parsed);
    CHECK(*parsed == TraceParent{std::string(kTrace), 0x1234, true});
    CHECK(span_text(0x1234) == "0000000000001234");
}
