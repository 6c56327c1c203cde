#include "protocols/base/result.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace dwcp {

TEST_CASE("every error code has its own stable lower-case name") {
    std::set<std::string_view> names;
    for (int code = 0; code <= static_cast<int>(kErrcLast); ++code) {
        const std::string_view name = to_string(static_cast<Errc>(code));
        CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
        CHECK(names.insert(name).second);
    }
    CHECK_FALSE(names.contains("unknown"));
    CHECK(to_string(static_cast<Errc>(200)) == "unknown");
}

TEST_CASE("the numbers of error codes are those of the wire format") {
    CHECK(static_cast<int>(Errc::internal) == 0);
    CHECK(static_cast<int>(Errc::not_found) == 2);
    CHECK(static_cast<int>(Errc::unavailable) == 8);
    CHECK(static_cast<int>(Errc::corrupted) == 10);
    CHECK(static_cast<int>(Errc::io_error) == 14);
}

TEST_CASE("an error is shown with its remedy if it has one") {
    CHECK(Error{Errc::internal, "broken", ""}.render() == "broken");
    CHECK(Error{Errc::io_error, "disk full", "make room"}.render() == "disk full (make room)");
}

TEST_CASE("a failure turns into any result") {
    const Result<int> result = fail(Errc::not_found, "no such key", "list the keys");
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::not_found);
    CHECK(result.error().remedy == "list the keys");
}

} // namespace dwcp
