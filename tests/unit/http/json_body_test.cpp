// JSON bodies: bounded, and what is wrong is named.
#include "actors/gateway/json_body.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using gateway::Members;
using gateway::parse_json;
using nlohmann::json;

TEST_CASE("a body nested too deeply is refused, however deep it is") {
    const auto nested = [](int levels) {
        return std::string(static_cast<std::size_t>(levels), '[') +
               std::string(static_cast<std::size_t>(levels), ']');
    };
    CHECK(parse_json(nested(gateway::kJsonDepthMax)));
    for (const int levels : {gateway::kJsonDepthMax + 1, 1000, 1'000'000}) {
        const auto refused = parse_json(nested(levels));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message.find("nested") != std::string::npos);
    }
    std::string objects;
    for (int i = 0; i < 100'000; ++i)
        objects += R"({"a":)";
    CHECK_FALSE(parse_json(objects));
}

TEST_CASE("what is not JSON is refused") {
    for (const char* text :
         {"", "{", "{\"a\":}", "nul", "[1,]", "{} {}", "\"\xff\"", "1e999", "NaN", "{'a':1}"}) {
        CAPTURE(text);
        const auto refused = parse_json(text);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::invalid_argument);
    }
}

TEST_CASE("members are taken within their bounds") {
    const json object = parse_json(R"({"t": "text", "n": 7, "r": 0.5, "l": [1, 2]})").value();
    Members members(object, "the body");
    CHECK(members.required_text("t", 4) == "text");
    CHECK(members.text("absent", "else", 4) == "else");
    CHECK(members.required_number("n", 7, 7) == 7);
    CHECK(members.number("none", 3, 1, 9) == 3);
    CHECK(members.real("r", 0, 0, 1) == 0.5);
    CHECK(members.list("l", 2, true)->size() == 2);
    CHECK(members.list("no_list", 2, false) == nullptr);
    CHECK(members.done());
}

TEST_CASE("the first thing that is wrong with a body is named") {
    using Take = std::function<void(Members&)>;
    struct Row {
        json body;
        Take take;
        const char* named;
    };
    const Row rows[] = {
        {json::array(), [](Members&) {}, "not a JSON object"},
        {{{"a", 1}}, [](Members& m) { m.text("a", "", 9); }, "'a' is not a text"},
        {{{"a", "long"}}, [](Members& m) { m.text("a", "", 3); }, "at most 3 bytes"},
        {json::object(), [](Members& m) { m.required_text("a", 9); }, "'a' is missing"},
        {{{"a", -1}}, [](Members& m) { m.number("a", 0, 0, 9); }, "whole number from 0 to 9"},
        {{{"a", 10}}, [](Members& m) { m.number("a", 0, 0, 9); }, "whole number"},
        {{{"a", 1.5}}, [](Members& m) { m.number("a", 0, 0, 9); }, "whole number"},
        {{{"a", "1"}}, [](Members& m) { m.real("a", 0, 0, 9); }, "not a number"},
        {{{"a", 1e300}}, [](Members& m) { m.real("a", 0, 0, 9); }, "not a number"},
        {{{"a", {1, 2}}}, [](Members& m) { m.list("a", 1, true); }, "a list of at most 1"},
        {{{"b", 1}}, [](Members& m) { m.number("a", 0, 0, 9); }, "no member 'b'"},
    };
    for (const auto& [body, take, named] : rows) {
        CAPTURE(body.dump());
        Members members(body, "the body");
        take(members);
        const auto done = members.done();
        REQUIRE_FALSE(done);
        CHECK(done.error().code == Errc::invalid_argument);
        CHECK(done.error().message.starts_with("the body"));
        CHECK(done.error().message.find(named) != std::string::npos);
    }
}
