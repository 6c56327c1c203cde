#include "runtime/http/errors.hpp"
#include "runtime/http/router.hpp"
#include "runtime/http/url.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::http;

TEST_CASE("percent-encoding round-trips every byte") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte)
        all += static_cast<char>(byte);
    CHECK(percent_decode(percent_encode(all)) == all);
    CHECK(percent_decode(percent_encode_path(all)) == all);
    CHECK(percent_encode_path("a b/ü") == "a%20b/%c3%bc");
    CHECK(percent_encode("a/b") == "a%2fb");
}

TEST_CASE("a broken escape is an error") {
    for (const char* text : {"%", "%4", "%zz", "a%", "%u0041"})
        CHECK_FALSE(percent_decode(text));
    CHECK(percent_decode("%41%2f+") == "A/+");
}

TEST_CASE("a target is split into path and parameters") {
    const auto target = parse_target("/a%20b/c?x=1&y=%26&z&&x=2");
    REQUIRE(target);
    CHECK(target->path == "/a b/c");
    CHECK(target->params == std::map<std::string, std::string>{{"x", "2"}, {"y", "&"}, {"z", ""}});
    CHECK(parse_target("http://host:1/a?b=c")->path == "/a");
    CHECK(parse_target("http://host")->path == "/");
    CHECK_FALSE(parse_target("*"));
    CHECK_FALSE(parse_target("/a?b=%"));
}

TEST_CASE("exact routes win over prefixes and longer prefixes over shorter") {
    Router router;
    const auto named = [](std::string name) {
        return [name = std::move(name)](Request&) {
            Response response;
            response.body = name;
            return response;
        };
    };
    const auto add = [&](std::string method, std::string path, Handler handler) {
        router.add({.method = std::move(method), .pattern = std::move(path), .group = {}, .sentence = {}},
                   std::move(handler));
    };
    add("GET", "/a/*", named("short"));
    add("GET", "/a/b/*", named("long"));
    add("POST", "/a/b/c", named("exact"));
    const auto pattern = [&](const char* method, const char* path) {
        const auto match = router.match(method, path);
        return match.route == nullptr ? std::string() : match.route->spec.pattern + "|" + match.rest;
    };
    CHECK(pattern("GET", "/a/x/y") == "/a/*|x/y");
    CHECK(pattern("GET", "/a/b/c") == "/a/b/*|c");
    CHECK(pattern("HEAD", "/a/b/c") == "/a/b/*|c");
    CHECK(pattern("POST", "/a/b/c") == "/a/b/c|");
    CHECK(pattern("GET", "/a/").empty());
    CHECK(router.match("PUT", "/a/b/c").allowed == std::set<std::string>{"GET", "HEAD", "POST"});
    CHECK(router.match("PUT", "/b").allowed.empty());
}

TEST_CASE("every error code has a status, and being told to come back has a time") {
    CHECK(status_of(Errc::invalid_argument) == 400);
    CHECK(status_of(Errc::unauthenticated) == 401);
    CHECK(status_of(Errc::permission_denied) == 403);
    CHECK(status_of(Errc::not_found) == 404);
    CHECK(status_of(Errc::already_exists) == 409);
    CHECK(status_of(Errc::precondition_failed) == 409);
    CHECK(status_of(Errc::too_large) == 413);
    CHECK(status_of(Errc::resource_exhausted) == 429);
    CHECK(status_of(Errc::corrupted) == 500);
    CHECK(status_of(Errc::unimplemented) == 501);
    CHECK(status_of(Errc::unavailable) == 503);
    CHECK(status_of(Errc::cancelled) == 503);
    CHECK(status_of(Errc::deadline_exceeded) == 504);
    CHECK(error_response({Errc::resource_exhausted, "", ""}).headers.size() == 1);
    CHECK(error_response({Errc::unavailable, "", ""}).headers[0].first == "Retry-After");
    CHECK(error_response({Errc::not_found, "not utf-8: \xff", ""}).body.find("not utf-8") !=
          std::string::npos);
}
