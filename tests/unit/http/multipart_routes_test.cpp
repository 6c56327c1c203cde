// Multi-part uploads through HTTP.
#include "actors/gateway/routes.hpp"
#include "tests/unit/http/fake_backend.hpp"

#include <catch2/catch.hpp>

#include <httplib.h>

using namespace dwcp;
using nlohmann::json;

namespace {

struct Uploader {
    test::FakeBackend backend;
    http::HttpServer server;
    std::unique_ptr<httplib::Client> client;

    Uploader() {
        gateway::register_routes(server, backend, {});
        REQUIRE(server.start({}));
        client = std::make_unique<httplib::Client>("127.0.0.1", server.port());
    }
    std::string open(const json& body = {{"key", "big"}}) {
        const auto answer = client->Post("/v1/uploads", body.dump(), "application/json");
        REQUIRE(answer);
        REQUIRE(answer->status == 201);
        return json::parse(answer->body).at("upload");
    }
    httplib::Result part(const std::string& upload, const std::string& number, const std::string& body,
                         const httplib::Headers& headers = {}) {
        auto answer =
            client->Put("/v1/uploads/" + upload + "/" + number, headers, body, "application/octet-stream");
        REQUIRE(answer);
        return answer;
    }
    httplib::Result complete(const std::string& upload, const json& list,
                             const httplib::Headers& headers = {}) {
        auto answer =
            client->Post("/v1/uploads/" + upload + "/complete", headers, list.dump(), "application/json");
        REQUIRE(answer);
        return answer;
    }
    json get(const std::string& path) {
        const auto answer = client->Get(path);
        REQUIRE(answer);
        REQUIRE(answer->status == 200);
        return json::parse(answer->body);
    }
};

std::string sha256(const std::string& text) { return crypto::sha256(as_bytes(text)).hex(); }
json named(std::uint32_t number, const std::string& body) {
    return {{"part", number}, {"etag", '"' + sha256(body) + '"'}};
}

const std::string kOne(1U << 20, '1');
const std::string kTwo((2U << 20) + 5, '2');
const std::string kLast = "the end";

} // namespace

TEST_CASE_METHOD(Uploader, "parts sent in any order become one object with its own SHA-256") {
    const auto upload =
        open({{"key", "big"}, {"content_type", "text/x"}, {"replicas", 1U}, {"codec", "zstd"}});
    CHECK(part(upload, "7", kLast)->status == 201);
    CHECK(part(upload, "2", "a first try")->status == 201);
    const auto sent = part(upload, "2", kTwo, {{"X-DWCP-SHA256", sha256(kTwo)}});
    CHECK(sent->get_header_value("ETag") == '"' + sha256(kTwo) + '"');
    CHECK(part(upload, "1", kOne)->status == 201);
    const auto shown = get("/v1/uploads/" + upload);
    CHECK(shown["key"] == "big");
    REQUIRE(shown["parts"].size() == 3);
    CHECK(shown["parts"][1]["size_bytes"] == kTwo.size());
    CHECK(get("/v1/uploads")["uploads"][0]["upload"] == upload);

    const std::string whole = kOne + kTwo + kLast;
    const json list{named(1, kOne), named(2, kTwo), named(7, kLast)};
    const auto done = complete(upload, list, {{"X-DWCP-SHA256", sha256(whole)}, {"If-None-Match", "*"}});
    CHECK(done->status == 201);
    CHECK(done->get_header_value("ETag") == '"' + sha256(whole) + '"');
    CHECK(json::parse(done->body)["size_bytes"] == whole.size());
    const auto loaded = client->Get("/v1/objects/big");
    CHECK(loaded->body == whole);
    CHECK(loaded->get_header_value("X-DWCP-SHA256") == sha256(whole));
    CHECK(loaded->get_header_value("Content-Type") == "text/x");
    CHECK(complete(upload, list)->body == done->body); // asked once more
    CHECK(get("/v1/uploads")["uploads"].empty());
    CHECK(backend.attempts.empty());
}

TEST_CASE_METHOD(Uploader, "a completion that is wrong leaves the upload open") {
    const auto upload = open();
    part(upload, "1", kLast);
    part(upload, "2", kOne);
    part(upload, "3", kLast);
    const json good{named(2, kOne), named(3, kLast)};
    for (const json& list :
         {json::object(), json::array(), json{named(3, kLast), named(2, kOne)},
          json{named(2, kOne), named(2, kOne)}, json{named(2, kLast)}, json{named(9, kOne)},
          json{named(1, kLast), named(2, kOne)}, json{1}, json{{{"part", 2U}}},
          json{{{"part", 0U}, {"etag", "x"}}}, json{{{"part", 2U}, {"etag", sha256(kOne)}, {"size", 1U}}}}) {
        CAPTURE(list.dump());
        const auto refused = complete(upload, list);
        CHECK(refused->status == 400);
        CHECK_FALSE(json::parse(refused->body)["error"]["remedy"].get<std::string>().empty());
    }
    CHECK(complete(upload, good, {{"X-DWCP-SHA256", sha256("else")}})->status == 400);
    CHECK(complete(upload, good, {{"If-Match", "*"}})->status == 412);
    CHECK(get("/v1/uploads/" + upload)["state"] == "open");
    CHECK(complete(upload, good)->status == 201);
}

TEST_CASE_METHOD(Uploader, "what is wrong with an upload or a part is refused by name") {
    for (const char* body : {"", "[]", "{}", R"({"key": "../x"})", R"({"key": "k", "replicas": 0})",
                             R"({"key": "k", "codec": "zip"})", R"({"key": "k", "size": 1})"}) {
        CAPTURE(body);
        CHECK(client->Post("/v1/uploads", body, "application/json")->status == 400);
    }
    const auto upload = open();
    for (const char* number : {"0", "10001", "x", "-1", "1/2", ""}) {
        CAPTURE(number);
        CHECK(part(upload, number, "x")->status == 400);
    }
    CHECK(part("nobody", "1", "x")->status == 404);
    CHECK(part(upload, "1", "x", {{"X-DWCP-SHA256", sha256("y")}})->status == 400);
    CHECK(part(upload, "1", "x", {{"Content-Encoding", "gzip"}})->status == 415);
    CHECK(backend.attempts.empty());
    CHECK(backend.parts[upload].empty());
    CHECK(client->Post("/v1/uploads/" + upload, "[]", "application/json")->status == 404);
    CHECK(client->Get("/v1/uploads/nobody")->status == 404);
}

TEST_CASE_METHOD(Uploader, "an upload can be given up") {
    const auto upload = open();
    part(upload, "1", kLast);
    backend.before_abort = [] { return fail(Errc::unavailable, "the manager is being restarted", ""); };
    CHECK(client->Delete("/v1/uploads/" + upload)->status == 503); // it is open still, and who asked knows
    backend.before_abort = nullptr;
    CHECK(client->Delete("/v1/uploads/" + upload)->status == 200);
    CHECK(backend.aborted.contains(upload));
    CHECK(client->Delete("/v1/uploads/" + upload)->status == 409);
    CHECK(client->Delete("/v1/uploads/nobody")->status == 404);
}
