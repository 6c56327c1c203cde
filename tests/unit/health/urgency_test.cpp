#include "protocols/health/urgency.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace dwcp;
using namespace dwcp::health;

TEST_CASE("a priority is one of four words, and nothing else") {
    for (const Priority priority : kPriorities)
        CHECK(parse_priority(to_string(priority)).value() == priority);
    for (const char* wrong : {"", "LOW", "urgent", "low ", "1"})
        CHECK(parse_priority(wrong).error().code == Errc::invalid_argument);
}

TEST_CASE("a client's wait is a whole number of milliseconds within an hour") {
    CHECK(parse_deadline_ms("1").value() == milliseconds(1));
    CHECK(parse_deadline_ms("3600000").value() == milliseconds(kDeadlineMsMax));
    for (const char* wrong : {"", "0", "-1", "+5", "1.5", "5s", " 5", "3600001", "99999999999999999999"})
        CHECK(parse_deadline_ms(wrong).error().code == Errc::invalid_argument);
}

TEST_CASE("work is wanted until its client's deadline, and without one for ever") {
    const TimePoint now{std::chrono::seconds(100)};
    CHECK(still_wanted(kNoDeadline, now, "it was begun"));
    CHECK(still_wanted(now + milliseconds(1), now, "it was begun"));
    const auto late = still_wanted(now, now, "the block was read");
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Errc::deadline_exceeded);
    CHECK(late.error().message.find("the block was read") != std::string::npos);
}
