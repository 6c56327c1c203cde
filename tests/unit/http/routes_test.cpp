#include "actors/gateway/conditions.hpp"
#include "actors/gateway/guards.hpp"
#include "actors/gateway/range.hpp"
#include "actors/gateway/routes.hpp"
#include "protocols/base/random.hpp"
#include "runtime/http/url.hpp"
#include "tests/unit/http/fake_backend.hpp"
#include "tests/unit/http/gate.hpp"
#include "tests/unit/http/raw_client.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <httplib.h>
#include <thread>

using namespace dwcp;
using dwcp::test::FakeBackend;
using dwcp::test::Gate;
using dwcp::test::RawClient;
using nlohmann::json;

namespace {

constexpr const char* kBinary = "application/octet-stream";

struct Fixture {
    FakeBackend backend;
    gateway::RouteOptions routes;
    http::Options options;
    std::unique_ptr<http::HttpServer> server = std::make_unique<http::HttpServer>();
    std::unique_ptr<httplib::Client> client;

    Fixture() {
        options.threads = 8;
        routes.operator_token_file = "/data/operator.token";
    }
    struct Running {
        std::unique_ptr<http::HttpServer>& server;
        ~Running() { server.reset(); }
    };
    /// Kept by a test after everything that its hooks refer to, so that calls of them end before it goes.
    [[nodiscard]] Running start() {
        gateway::register_routes(*server, backend, routes);
        REQUIRE(server->start(options));
        client = std::make_unique<httplib::Client>("127.0.0.1", server->port());
        client->set_keep_alive(true);
        client->set_url_encode(false);
        client->set_tcp_nodelay(true);
        return Running{server};
    }
    httplib::Result put(const std::string& key, const std::string& body,
                        const httplib::Headers& headers = {}) {
        return client->Put("/v1/objects/" + http::percent_encode_path(key), headers, body.data(), body.size(),
                           kBinary);
    }
    httplib::Result get(const std::string& key, const httplib::Headers& headers = {}) {
        return client->Get("/v1/objects/" + http::percent_encode_path(key), headers);
    }
    std::string raw(const std::string& text) {
        RawClient connection(server->port());
        connection.send(text);
        connection.end_sending();
        return connection.receive_all();
    }
};

std::string noise(std::size_t bytes) {
    Random random(bytes);
    std::string text;
    text.reserve(bytes + 8);
    while (text.size() < bytes) {
        const std::uint64_t word = random.next();
        text.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    text.resize(bytes);
    return text;
}

std::string sha256(const std::string& text) { return crypto::sha256(as_bytes(text)).hex(); }

json error_of(const httplib::Result& result) { return json::parse(result->body).at("error"); }

} // namespace

TEST_CASE_METHOD(Fixture, "what was put comes back, for every size around the block's") {
    const auto running = start();
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{kBlockBytes - 1}, std::size_t{kBlockBytes},
          std::size_t{kBlockBytes + 1}, std::size_t{7 * kBlockBytes + 123}}) {
        CAPTURE(size);
        const std::string body = noise(size);
        const auto stored = put("some/key", body, {{"X-DWCP-SHA256", sha256(body)}});
        REQUIRE(stored);
        REQUIRE(stored->status == 201);
        const auto receipt = json::parse(stored->body);
        CHECK(receipt["key"] == "some/key");
        CHECK(receipt["size_bytes"] == size);
        CHECK(receipt["sha256"] == sha256(body));
        CHECK(receipt["blocks"] == (size + kBlockBytes - 1) / kBlockBytes);
        CHECK(receipt["lane"] == "metadata");
        CHECK(receipt["id"] == stored->get_header_value("X-DWCP-Request-Id"));
        CHECK(stored->get_header_value("ETag") == receipt["etag"]);
        const auto loaded = get("some/key");
        REQUIRE(loaded);
        CHECK(loaded->status == 200);
        CHECK(loaded->body == body);
        CHECK(loaded->get_header_value("X-DWCP-SHA256") == sha256(body));
        const auto head = client->Head("/v1/objects/some/key");
        CHECK(head->get_header_value("Content-Length") == std::to_string(size));
    }
}

TEST_CASE_METHOD(Fixture, "a chunked upload needs no length") {
    const auto running = start();
    const std::string body = noise(2 * kBlockBytes + 5);
    const auto stored = client->Put(
        "/v1/objects/k", {},
        [&](std::size_t offset, httplib::DataSink& sink) {
            const std::size_t count = std::min<std::size_t>(body.size() - offset, 100'000);
            sink.write(body.data() + offset, count);
            if (offset + count == body.size()) sink.done();
            return true;
        },
        kBinary);
    REQUIRE(stored);
    CHECK(stored->status == 201);
    CHECK(get("k")->body == body);
    CHECK_FALSE(backend.begun.begin()->second.size_bytes);
}

TEST_CASE_METHOD(Fixture, "keys are any UTF-8 path, percent-encoded") {
    const auto running = start();
    for (const std::string key :
         {"with space/and+plus", "grüße/日本語/😀.txt", "100%/a?b#c&d=e", "a'b\"c;d,e"}) {
        CAPTURE(key);
        REQUIRE(put(key, key)->status == 201);
        CHECK(get(key)->body == key);
        CHECK(backend.objects.contains(key));
    }
}

TEST_CASE_METHOD(Fixture, "a key that is none is refused") {
    const auto running = start();
    for (const char* path : {"..", "a/../b", "a//b", "/a", "a/", "a%00b", "a%0Ab", "%ff", "./a"}) {
        CAPTURE(path);
        const auto answer = raw("PUT /v1/objects/" + std::string(path) +
                                " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
        CHECK(answer.starts_with("HTTP/1.1 400 "));
    }
    CHECK(put(std::string(wire::kKeyBytesMax + 1, 'a'), "x")->status == 400);
    CHECK(put(std::string(wire::kKeyBytesMax, 'a'), "x")->status == 201);
    CHECK(backend.objects.size() == 1);
}

TEST_CASE_METHOD(Fixture, "headers of an upload reach the manager") {
    const auto running = start();
    const auto path = "/v1/objects/k";
    const std::string body = "x";
    CHECK(
        client
            ->Put(path, {{"X-DWCP-Replicas", "3"}, {"X-DWCP-Codec", "zstd-3"}}, body, "text/x; charset=utf-8")
            ->status == 201);
    const auto& begun = backend.begun.begin()->second;
    CHECK(begun.replicas == 3);
    CHECK(begun.codec == CodecChoice{Codec::zstd, 3});
    CHECK(begun.content_type == "text/x; charset=utf-8");
    CHECK(begun.size_bytes == 1);
    CHECK(get("k")->get_header_value("Content-Type") == "text/x; charset=utf-8");
}

TEST_CASE_METHOD(Fixture, "wrong headers of an upload are refused before anything begins") {
    const auto running = start();
    for (const auto& [name, value, status] :
         std::vector<std::tuple<std::string, std::string, int>>{{"X-DWCP-Replicas", "0", 400},
                                                                {"X-DWCP-Replicas", "17", 400},
                                                                {"X-DWCP-Replicas", "two", 400},
                                                                {"X-DWCP-Codec", "zip", 400},
                                                                {"X-DWCP-SHA256", "abc", 400},
                                                                {"If-None-Match", "x", 400},
                                                                {"If-Match", "\"a\" \"b\"", 400},
                                                                {"If-Match", ",", 400},
                                                                {"If-Match", "*", 412},
                                                                {"Content-Encoding", "gzip", 415}}) {
        CAPTURE(name, value);
        const auto answer = put("k", "x", {{name, value}});
        REQUIRE(answer);
        CHECK(answer->status == status);
        CHECK_FALSE(error_of(answer)["message"].get<std::string>().empty());
    }
    CHECK(raw("PUT /v1/objects/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
              .starts_with("HTTP/1.1 411 "));
    CHECK(backend.begun.empty());
}

TEST_CASE_METHOD(Fixture, "a content that is not what was announced is not stored") {
    const auto running = start();
    const auto answer = put("k", "content", {{"X-DWCP-SHA256", sha256("other")}});
    CHECK(answer->status == 400);
    CHECK(error_of(answer)["code"] == "invalid_argument");
    CHECK(backend.objects.empty());
    CHECK(backend.aborted.size() == 1);
}

TEST_CASE_METHOD(Fixture, "an upload that the client cuts is aborted and nothing is committed") {
    const auto running = start();
    const std::string head = "PUT /v1/objects/k HTTP/1.1\r\nHost: localhost\r\n";
    const std::string half(kBlockBytes + 1000, 'x');
    raw(head + "Content-Length: 3000000\r\n\r\n" + half);
    raw(head + "Transfer-Encoding: chunked\r\n\r\n" + fmt::format("{:x}\r\n", half.size()) + half + "\r\n");
    CHECK(backend.objects.empty());
    REQUIRE(backend.aborted.size() == 2);
    for (const auto& [id, reason] : backend.aborted)
        CHECK(reason.find("cut the body short") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "an object over the limit is refused, announced or not") {
    routes.object_bytes_max = 1000;
    const auto running = start();
    const auto answer = put("k", std::string(1001, 'x'));
    REQUIRE(answer);
    CHECK(answer->status == 413);
    CHECK(error_of(answer)["code"] == "too_large");
    CHECK(backend.begun.empty());
    CHECK(raw("PUT /v1/objects/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
              std::string(1001, 'x') + "\r\n0\r\n\r\n")
              .starts_with("HTTP/1.1 413 "));
    CHECK(backend.aborted.size() == 1);
    CHECK(put("k", std::string(1000, 'x'))->status == 201);
}

TEST_CASE_METHOD(Fixture, "a block that is refused ends the upload with its error") {
    backend.before_put_block = [](const manager::PutBlock& block) -> Result<void> {
        if (block.index == 2) return fail(Errc::resource_exhausted, "the disk is full", "free some");
        return {};
    };
    const auto running = start();
    const auto answer = put("k", noise(5 * kBlockBytes));
    REQUIRE(answer);
    CHECK(answer->status == 429);
    CHECK(answer->get_header_value("Retry-After") == "1");
    CHECK(backend.aborted.size() == 1);
}

TEST_CASE_METHOD(Fixture, "every bad upload gets its status, and none of them is stored") {
    routes.object_bytes_max = 1000;
    const auto running = start();
    const auto put_head = [](const std::string& headers) {
        return "PUT /v1/objects/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + "\r\n";
    };
    struct Row {
        const char* what;
        std::string request;
        int status;
    };
    const Row rows[] = {
        {"a body that ends early", put_head("Content-Length: 10\r\n") + "five!", 400},
        {"a chunked body without its end", put_head("Transfer-Encoding: chunked\r\n") + "5\r\nfive!\r\n",
         400},
        {"a chunk that is none", put_head("Transfer-Encoding: chunked\r\n") + "zz\r\n", 400},
        {"no length", put_head(""), 411},
        {"too large, and not sent", put_head("Content-Length: 1001\r\n"), 413},
        {"a wrong digest",
         put_head("Content-Length: 1\r\nX-DWCP-SHA256: " + std::string(64, '0') + "\r\n") + "x", 400},
        {"a digest that is none", put_head("Content-Length: 1\r\nX-DWCP-SHA256: 12\r\n") + "x", 400},
        {"an encoded body", put_head("Content-Length: 1\r\nContent-Encoding: gzip\r\n") + "x", 415},
        {"a version that is not there", put_head("Content-Length: 1\r\nIf-Match: *\r\n") + "x", 412},
    };
    for (const auto& [what, request, status] : rows) {
        CAPTURE(what);
        CHECK(raw(request).starts_with("HTTP/1.1 " + std::to_string(status) + " "));
    }
    CHECK(backend.objects.empty());
    CHECK(backend.aborted.size() == backend.begun.size());
}

TEST_CASE_METHOD(Fixture, "a seal that times out is not aborted and says where to ask") {
    backend.before_seal = []() -> Result<void> { return fail(Errc::deadline_exceeded, "no answer", ""); };
    const auto running = start();
    const auto answer = put("k", "x");
    CHECK(answer->status == 504);
    CHECK(error_of(answer)["remedy"] ==
          "it may still be stored: ask GET /v1/workloads/" + std::string(31, '0') + "1");
    CHECK(backend.aborted.empty());
}

TEST_CASE_METHOD(Fixture, "a begin without an answer is aborted, a refused one is not") {
    Errc code = Errc::resource_exhausted;
    backend.before_begin = [&]() -> Result<void> { return fail(code, "no", ""); };
    const auto running = start();
    CHECK(put("k", "x")->status == 429);
    CHECK(backend.aborted.empty());
    code = Errc::deadline_exceeded;
    CHECK(put("k", "x")->status == 504);
    CHECK(backend.aborted.size() == 1);
}

TEST_CASE_METHOD(Fixture, "blocks of an upload are under way together, in a bounded window") {
    Gate gate;
    std::atomic<int> now = 0;
    std::atomic<int> most = 0;
    backend.before_put_block = [&](const manager::PutBlock&) -> Result<void> {
        most = std::max<int>(most, ++now);
        gate.pass();
        --now;
        return {};
    };
    const auto running = start();
    const std::string body = noise(10 * kBlockBytes);
    auto stored = std::async(std::launch::async, [&] { return put("k", body); });
    gate.wait_for_arrivals(4);
    gate.open();
    CHECK(stored.get()->status == 201);
    CHECK(most <= 4);
    CHECK(get("k")->body == body);
}

TEST_CASE("a range is decided as RFC 9110 says") {
    using gateway::ByteRange;
    using gateway::decide_range;
    using Kind = gateway::RangeDecision::Kind;
    const auto part = [](const char* header, std::uint64_t size) {
        const auto decision = decide_range(header, size);
        CAPTURE(header);
        REQUIRE(decision.kind == Kind::part);
        return decision.range;
    };
    CHECK(part("bytes=0-0", 10) == ByteRange{0, 1});
    CHECK(part("bytes=3-5", 10) == ByteRange{3, 3});
    CHECK(part("bytes=3-", 10) == ByteRange{3, 7});
    CHECK(part("bytes=0-99", 10) == ByteRange{0, 10});
    CHECK(part("bytes=9-99999999999999999999999", 10) == ByteRange{9, 1});
    CHECK(part("bytes=-3", 10) == ByteRange{7, 3});
    CHECK(part("bytes=-30", 10) == ByteRange{0, 10});
    for (const char* header : {"bytes=10-", "bytes=10-11", "bytes=99999999999999999999999-", "bytes=-0"})
        CHECK(decide_range(header, 10).kind == Kind::unsatisfiable);
    for (const char* header : {"bytes=0-", "bytes=-1"})
        CHECK(decide_range(header, 0).kind == Kind::unsatisfiable);
    for (const char* header :
         {"bytes=0-1,3-4", "bytes=5-3", "lines=0-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "0-1"})
        CHECK(decide_range(header, 10).kind == Kind::whole);
}

TEST_CASE_METHOD(Fixture, "ranges are served across blocks, reading only the blocks they touch") {
    const auto running = start();
    const std::string body = noise(3 * kBlockBytes + 10);
    put("k", body);
    const auto ranged = [&](const std::string& range) { return get("k", {{"Range", range}}); };
    const std::uint64_t b = kBlockBytes;
    for (const auto& [first, last, blocks] :
         std::vector<std::tuple<std::uint64_t, std::uint64_t, int>>{{0, 0, 1},
                                                                    {b - 1, b, 2},
                                                                    {b, 2 * b - 1, 1},
                                                                    {5, 3 * b + 9, 4},
                                                                    {3 * b, 3 * b + 9, 1},
                                                                    {2 * b - 1, 3 * b, 3}}) {
        CAPTURE(first, last);
        backend.block_reads = 0;
        const auto answer = ranged(fmt::format("bytes={}-{}", first, last));
        REQUIRE(answer);
        CHECK(answer->status == 206);
        CHECK(answer->body == body.substr(first, last - first + 1));
        CHECK(answer->get_header_value("Content-Range") ==
              fmt::format("bytes {}-{}/{}", first, last, body.size()));
        CHECK(backend.block_reads == blocks);
    }
    const auto outside = ranged(fmt::format("bytes={}-", body.size()));
    CHECK(outside->status == 416);
    CHECK(outside->get_header_value("Content-Range") == fmt::format("bytes */{}", body.size()));
    CHECK(ranged("bytes=0-1,5-6")->status == 200);
    CHECK(ranged("bytes=0-1,5-6")->body == body);
    CHECK(get("k", {{"Range", "bytes=0-1"}, {"If-Range", "\"other\""}})->status == 200);
    CHECK(get("k", {{"Range", "bytes=0-1"}, {"If-Range", '"' + sha256(body) + '"'}})->status == 206);
}

TEST_CASE_METHOD(Fixture, "a client that has the object is told so") {
    const auto running = start();
    put("k", "content");
    const std::string etag = '"' + sha256("content") + '"';
    for (const std::string& known : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
        // Without the library's client: it waits for the body that Content-Length speaks of but a 304 never
        // has.
        const auto answer = raw(
            "GET /v1/objects/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIf-None-Match: " + known +
            "\r\n\r\n");
        CHECK(answer.starts_with("HTTP/1.1 304 "));
        CHECK(answer.find("ETag: " + etag) != std::string::npos);
        CHECK(answer.find("Content-Length: 7\r\n") != std::string::npos);
        CHECK(answer.ends_with("\r\n\r\n"));
    }
    CHECK(get("k", {{"If-None-Match", "\"x\""}})->status == 200);
}

TEST_CASE("entity tags are taken apart as RFC 9110 says") {
    using gateway::parse_entity_tags;
    CHECK(parse_entity_tags(" * ")->any);
    const auto two = parse_entity_tags(R"("a,b" , W/"c",, )");
    REQUIRE(two);
    REQUIRE(two->tags.size() == 2);
    CHECK(two->tags[0].opaque == "a,b");
    CHECK_FALSE(two->tags[0].weak);
    CHECK(two->tags[1].opaque == "c");
    CHECK(two->tags[1].weak);
    CHECK(parse_entity_tags(R"("")")->tags[0].opaque.empty());
    for (const char* bad : {"", ",", "a", "\"a", "\"a\" \"b\"", "*, \"a\"", "w/\"a\"", "\"a b\"", "\"a\"x"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_entity_tags(bad));
    }
}

TEST_CASE_METHOD(Fixture, "a read is served only in the version that the client names") {
    const auto running = start();
    put("k", "content");
    const std::string etag = '"' + sha256("content") + '"';
    CHECK(get("k", {{"If-Match", etag}})->status == 200);
    CHECK(get("k", {{"If-Match", "*"}})->status == 200);
    for (const std::string& other : {std::string("\"x\""), "W/" + etag}) {
        const auto refused = get("k", {{"If-Match", other}});
        CHECK(refused->status == 412);
        CHECK(error_of(refused)["code"] == "condition_failed");
        CHECK(refused->get_header_value("ETag") == etag);
    }
    CHECK(get("k", {{"If-Match", "x"}})->status == 400);
    CHECK(get("k", {{"If-None-Match", "x"}})->status == 200);
    CHECK(get("k", {{"If-Match", etag}, {"If-Match", "\"y\""}})->status == 200);
    CHECK(client->Head("/v1/objects/k", {{"If-Match", "\"x\""}})->status == 412);
    CHECK(get("k", {{"Range", "bytes=0-1"}, {"If-Range", "W/" + etag}})->status == 200);
}

TEST_CASE_METHOD(Fixture,
                 "an object is created, replaced and deleted only in the version that the client names") {
    backend.blind = GENERATE(false, true); // refused before the body, or where it is decided
    const auto running = start();
    const auto etag_of = [](const std::string& text) { return '"' + sha256(text) + '"'; };
    const httplib::Headers create{{"If-None-Match", "*"}};
    CHECK(put("k", "one", {{"If-Match", etag_of("zero")}})->status == 412);
    CHECK(put("k", "one", create)->status == 201);
    const auto refused = put("k", "two", create);
    CHECK(refused->status == 412);
    CHECK(error_of(refused)["code"] == "condition_failed");
    CHECK(refused->has_header("ETag") == !backend.blind);
    if (!backend.blind) CHECK(refused->get_header_value("ETag") == etag_of("one"));
    CHECK(get("k")->body == "one");
    CHECK(put("k", "two", {{"If-None-Match", etag_of("one")}})->status == 412);
    CHECK(put("k", "two", {{"If-Match", etag_of("zero") + ", " + etag_of("one")}})->status == 201);
    CHECK(put("k", "three", {{"If-Match", "W/" + etag_of("two")}})->status == 412);
    CHECK(put("k", "three", {{"If-Match", "*"}, {"If-None-Match", "*"}})->status == 400);
    std::string many = etag_of("0");
    for (int i = 1; i < 17; ++i)
        many += ", " + etag_of(std::to_string(i));
    CHECK(put("k", "three", {{"If-Match", many}})->status == 400);

    CHECK(client->Delete("/v1/objects/k", {{"If-Match", etag_of("one")}})->status == 412);
    CHECK(client->Delete("/v1/objects/k", {{"If-Match", "\"no-hash\""}})->status == 412);
    CHECK(get("k")->body == "two");
    CHECK(client->Delete("/v1/objects/k", {{"If-Match", etag_of("two")}})->status == 200);
    CHECK(client->Delete("/v1/objects/k", {{"If-Match", etag_of("two")}})->status == 412);
    CHECK(client->Delete("/v1/objects/k")->status == 404);
    if (!backend.blind) CHECK(backend.begun.size() == 2); // the others were refused before they began
}

TEST_CASE_METHOD(Fixture, "a first block that cannot be read is an error, a later one cuts the connection") {
    const std::string body = noise(3 * kBlockBytes);
    Hash256 lost;
    std::atomic<int> reads = 0;
    backend.before_read_block = [&](const BlockRef& ref) -> Result<void> {
        ++reads;
        if (ref.hash == lost) return fail(Errc::corrupted, "every copy is damaged", "restore it");
        return {};
    };
    const auto running = start();
    put("k", body);
    lost = backend.objects["k"].blocks[0].hash;
    const auto refused = get("k");
    CHECK(refused->status == 500);
    CHECK(error_of(refused)["code"] == "corrupted");
    lost = backend.objects["k"].blocks[2].hash;
    const auto answer = raw("GET /v1/objects/k HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK"));
    const std::string got = answer.substr(answer.find("\r\n\r\n") + 4);
    CHECK(got == body.substr(0, 2 * kBlockBytes));
    CHECK_FALSE(get("k"));
}

TEST_CASE_METHOD(Fixture, "a slow reader gets everything, and is read ahead for within bounds") {
    const auto running = start();
    const std::string body = noise(12 * kBlockBytes);
    put("k", body);
    RawClient slow(server->port(), 4096);
    slow.send("GET /v1/objects/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    slow.receive_until("\r\n\r\n");
    // Others are served meanwhile, and hardly more is read for the slow one than the block that it is at.
    REQUIRE(client->Get("/v1/objects"));
    {
        const auto lock = backend.lock();
        CHECK(backend.block_reads <= 3);
    }
    const auto answer = slow.receive_all();
    CHECK(answer.substr(answer.find("\r\n\r\n") + 4) == body);
}

TEST_CASE_METHOD(Fixture, "objects are deleted once and listed by prefix in pages") {
    const auto running = start();
    for (const char* key : {"a/1", "a/2", "a/3", "b"})
        put(key, key);
    auto page = json::parse(client->Get("/v1/objects?prefix=a%2F&limit=2")->body);
    CHECK(page["objects"].size() == 2);
    CHECK(page["objects"][0]["key"] == "a/1");
    CHECK(page["objects"][0]["sha256"] == sha256("a/1"));
    page = json::parse(client
                           ->Get("/v1/objects?prefix=a/&limit=2&cursor=" +
                                 http::percent_encode(page["next_cursor"].get<std::string>()))
                           ->body);
    CHECK(page["objects"].size() == 1);
    CHECK(page["next_cursor"] == "");
    CHECK(page["damaged"] == 0);
    CHECK(page["objects"][0]["etag"] == '"' + sha256("a/3") + '"');
    client->Get("/v1/objects?prefix=a&delimiter=%2F&cursor=a%2F&limit=7");
    CHECK(backend.lists.back().delimiter == "/");
    CHECK(backend.lists.back().after == "a/");
    CHECK(backend.lists.back().limit == 7);
    backend.damaged = 3;
    CHECK(json::parse(client->Get("/v1/objects")->body)["damaged"] == 3);
    CHECK(client->Get("/v1/objects?prefx=a")->status == 400);
    CHECK(client->Get("/v1/objects?delimiter=12345678901234567")->status == 400);
    CHECK(client->Get("/v1/objects?prefix=" + std::string(1025, 'a'))->status == 400);
    CHECK(get("a/1?versionId=3")->status == 404); // encoded, so part of the key
    CHECK(client->Get("/v1/objects/a/1?versionId=3")->status == 400);
    for (const char* limit : {"0", "1001", "x", "-1", ""})
        CHECK(client->Get(std::string("/v1/objects?limit=") + limit)->status == 400);

    const auto gone = client->Delete("/v1/objects/a/1");
    CHECK(gone->status == 200);
    CHECK(json::parse(gone->body)["existed"] == true);
    CHECK(client->Delete("/v1/objects/a/1")->status == 404);
    CHECK(get("a/1")->status == 404);
    CHECK(error_of(get("a/1"))["code"] == "not_found");
}

TEST_CASE_METHOD(Fixture, "a body over its route's limit is refused with what to do") {
    const auto running = start();
    const auto answer = client->Post("/v1/transactions", std::string(40000, 'x'), "text/plain");
    REQUIRE(answer);
    CHECK(answer->status == 413);
    CHECK(error_of(answer)["remedy"] == "send less at once");
}

TEST_CASE_METHOD(Fixture, "transactions are committed once for each id") {
    const auto running = start();
    const auto submit = [&](const std::string& body, const std::string& id) {
        return client->Post("/v1/transactions",
                            id.empty() ? httplib::Headers{} : httplib::Headers{{"X-DWCP-Transaction-Id", id}},
                            body, kBinary);
    };
    const auto first = submit("pay", "tx-1");
    CHECK(first->status == 201);
    CHECK(json::parse(first->body)["duplicate"] == false);
    CHECK(json::parse(first->body)["lane"] == "bulk");
    const auto again = json::parse(submit("pay", "tx-1")->body);
    CHECK(again["duplicate"] == true);
    CHECK(again["index"] == json::parse(first->body)["index"]);
    const auto record = json::parse(client->Get("/v1/transactions/tx-1")->body);
    CHECK(record["payload_bytes"] == 3);
    CHECK(record["payload_sha256"] == sha256("pay"));
    CHECK(json::parse(submit("pay", "")->body)["id"].get<std::string>().size() == 32);
    CHECK(client->Get("/v1/transactions/unknown")->status == 404);
    CHECK(submit("pay", "no spaces")->status == 400);
    CHECK(submit("", "tx-2")->status == 400);
    CHECK(submit(std::string((32U << 10) + 1, 'x'), "tx-2")->status == 413);
    CHECK(submit(std::string(32U << 10, 'x'), "tx-2")->status == 201);
}

TEST_CASE_METHOD(Fixture, "workloads are listed and found by id") {
    const auto running = start();
    const auto receipt = json::parse(put("k", "x")->body);
    CHECK(json::parse(client->Get("/v1/workloads")->body)["workloads"][0]["key"] == "k");
    const auto one = json::parse(client->Get("/v1/workloads/" + receipt["id"].get<std::string>())->body);
    CHECK(one["state"] == "committed");
    CHECK(client->Get("/v1/workloads/none")->status == 404);
    put("k2", "x");
    CHECK(json::parse(client->Get("/v1/workloads?limit=1")->body)["workloads"].size() == 1);
    CHECK(json::parse(client->Get("/v1/workloads?state=committed")->body)["workloads"].size() == 2);
    CHECK(json::parse(client->Get("/v1/workloads?state=failed")->body)["workloads"].empty());
    for (const char* query : {"?state=done", "?limit=0", "?limit=1001", "?stat=open"})
        CHECK(client->Get(std::string("/v1/workloads") + query)->status == 400);
}

TEST_CASE_METHOD(Fixture, "operator questions pass their arguments on") {
    const auto running = start();
    for (const char* path : {"/v1/status", "/v1/nodes", "/v1/tree?node=site-b", "/v1/events?after=5&limit=7",
                             "/v1/events", "/v1/actors/consensus/metadata?node=site-c"})
        CHECK(client->Get(path)->status == 200);
    const std::vector<std::pair<std::string, json>> expected = {
        {"status", json::object()},     {"nodes", json::object()},
        {"tree", {{"node", "site-b"}}}, {"events", {{"after", 5}, {"limit", 7}}},
        {"events", json::object()},     {"actor.show", {{"path", "consensus/metadata"}, {"node", "site-c"}}}};
    CHECK(backend.admin_calls == expected);
    CHECK(client->Get("/v1/events?after=x")->status == 400);
    CHECK(client->Get("/v1/events?limt=5")->status == 400);
}

TEST_CASE_METHOD(Fixture, "operator commands need the token") {
    const auto running = start();
    const std::string body = R"({"path": "manager/0", "node": "site-b", "who": "ann@desk"})";
    const auto command = [&](const char* path, const httplib::Headers& headers, const std::string& text) {
        return client->Post(path, headers, text, "application/json");
    };
    for (const httplib::Headers& headers :
         {httplib::Headers{}, {{"Authorization", "Bearer wrong"}}, {{"Authorization", "Basic secret"}}}) {
        const auto refused = command("/v1/actors/kill", headers, body);
        CHECK(refused->status == 401);
        CHECK(error_of(refused)["remedy"].get<std::string>().find("/data/operator.token") !=
              std::string::npos);
    }
    CHECK(backend.admin_calls.empty());
    const auto refusals = backend.wait_for_refusals(3); // for the audit log
    REQUIRE(refusals.size() == 3);
    CHECK(refusals[0].first == "actor.kill");
    CHECK(client->Get("/v1/audit")->status == 401); // a question that is turned away changes nothing
    CHECK(command("/v1/drain", {}, "{}")->status == 401);
    CHECK(backend.wait_for_refusals(4).at(3).first == "drain");
    const httplib::Headers token = {{"Authorization", "Bearer secret"}};
    CHECK(command("/v1/actors/kill", token, body)->status == 200);
    CHECK(command("/v1/actors/restart", token, R"({"path": "manager/0"})")->status == 200);
    CHECK(backend.admin_calls[0] == std::pair<std::string, json>("actor.kill", json::parse(body)));
    CHECK(backend.admin_calls[1].second["who"].get<std::string>().starts_with("127.0.0.1:"));
    for (const char* wrong : {"", "{", "[]", "{}", R"({"path": 1})", R"({"path": "a", "node": 1})"})
        CHECK(command("/v1/actors/kill", token, wrong)->status == 400);
    CHECK(client->Get("/v1/actors/kill")->status == 200); // an actor may be called so
}

TEST_CASE_METHOD(Fixture, "a refusal that the audit log is slow to keep holds nobody up") {
    Gate disk;
    backend.before_refused = [&] { disk.pass(); };
    const auto running = start();
    CHECK(client->Post("/v1/drain", "{}", "application/json")->status == 401);
    disk.wait_for_arrivals(1);
    client->set_read_timeout(std::chrono::seconds(10));
    const auto health = client->Get("/health");
    disk.open();
    REQUIRE(health);
    CHECK(health->status == 200);
    CHECK(backend.wait_for_refusals(1).size() == 1);
}

TEST_CASE("only names of this machine are loopback") {
    for (const char* good :
         {"localhost", "LocalHost:8101", "a.localhost", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:80"})
        CHECK(gateway::is_loopback_authority(good));
    for (const char* bad :
         {"", "evil.example", "evil.example:8101", "localhost.evil.example", "127.0.0.1.evil.example",
          "10.0.0.1", "0.0.0.0", "[::2]", "1270.0.0.1", "notlocalhost"})
        CHECK_FALSE(gateway::is_loopback_authority(bad));
}

TEST_CASE_METHOD(Fixture, "a page from elsewhere gets nothing through the user's browser") {
    const auto running = start();
    put("k", "secret");
    const auto with = [&](const std::string& method, const std::string& headers) {
        return raw(method + " /v1/objects/k HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n" +
                   headers + "\r\n");
    };
    for (const char* method : {"PUT", "DELETE", "GET"}) {
        CHECK(with(method, "Host: evil.example\r\n").starts_with("HTTP/1.1 403 "));
        CHECK(
            with(method, "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n").starts_with("HTTP/1.1 403 "));
        CHECK(with(method, "Host: 127.0.0.1\r\nOrigin: null\r\n").starts_with("HTTP/1.1 403 "));
        CHECK(with(method, "Host: 127.0.0.1\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n")
                  .starts_with("HTTP/1.1 403 "));
        CHECK(with(method, "Host: 127.0.0.1\r\nHost: evil.example\r\n").starts_with("HTTP/1.1 400 "));
        CHECK(raw(std::string(method) + " http://evil.example/v1/objects/k HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                        "Content-Length: 0\r\n\r\n")
                  .starts_with("HTTP/1.1 400 "));
        CHECK(raw(std::string(method) + " http://evil.example/v1/objects/k HTTP/1.1\r\nHost: evil.example\r\n"
                                        "Content-Length: 0\r\n\r\n")
                  .starts_with("HTTP/1.1 403 "));
    }
    CHECK(get("k")->body == "secret");
    CHECK(with("DELETE", "Host: localhost:1\r\nOrigin: http://localhost:1\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE_METHOD(Fixture, "probes tell whether the node is well and takes requests") {
    const auto running = start();
    CHECK(client->Get("/health")->status == 200);
    backend.health_report["status"] = "degraded";
    CHECK(client->Get("/health")->status == 200);
    for (const json& broken : {json{{"status", "unhealthy"}}, json::object(), json()}) {
        backend.health_report = broken;
        CHECK(client->Get("/health")->status == 503);
    }
    CHECK(client->Get("/ready")->status == 200);
    const auto check = [](const char* name, bool ok, const char* detail) {
        return json{{"name", name}, {"ok", ok}, {"detail", detail}, {"seconds", 0}};
    };
    backend.health_report = {{"status", "degraded"},
                             {"checks",
                              {check("actor consensus/bulk", true, ""), check("lane bulk", true, ""),
                               check("actor consensus/metadata", false, "is quarantined")}}};
    const auto silent = json::parse(client->Get("/ready")->body);
    CHECK(silent["can_commit"] == false);
    CHECK(silent["lanes"].size() == 2);
    CHECK(silent["lanes"][1] ==
          json{{"lane", "metadata"}, {"can_commit", false}, {"note", "is quarantined"}});
    backend.readiness = fail(Errc::precondition_failed, "no quorum", "start more nodes");
    const auto unready = client->Get("/ready");
    CHECK(unready->status == 503);
    CHECK(error_of(unready)["message"] == "no quorum");
}

TEST_CASE_METHOD(Fixture, "metrics count requests by route, method and status") {
    const auto running = start();
    put("k", "x");
    get("none");
    const auto metrics = client->Get("/metrics");
    CHECK(metrics->get_header_value("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
    CHECK(
        metrics->body.find(R"(dwcp_http_requests_total{method="PUT",route="/v1/objects/*",status="201"})") !=
        std::string::npos);
    CHECK(
        metrics->body.find(R"(dwcp_http_requests_total{method="GET",route="/v1/objects/*",status="404"})") !=
        std::string::npos);
    CHECK(metrics->body.find("dwcp_http_requests_in_flight 1\n") != std::string::npos);
    CHECK(metrics->body.find("dwcp_http_request_duration_seconds_bucket{") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a hundred clients at once all get what they put") {
    options.threads = 4;
    const auto running = start();
    std::vector<std::future<bool>> clients;
    for (int i = 0; i < 100; ++i) {
        clients.push_back(std::async(std::launch::async, [this, i] {
            httplib::Client own("127.0.0.1", server->port());
            own.set_keep_alive(true);
            const std::string body = noise(1000 + static_cast<std::size_t>(i) * 3001);
            const std::string path = fmt::format("/v1/objects/many/{}", i);
            const auto stored = own.Put(path, body, kBinary);
            if (!stored || stored->status != 201) return false;
            const auto loaded = own.Get(path);
            return loaded && loaded->body == body;
        }));
    }
    for (auto& done : clients)
        CHECK(done.get());
}

TEST_CASE_METHOD(Fixture, "draining finishes an upload under way; a node that drains refuses others") {
    Gate gate;
    backend.before_put_block = [&](const manager::PutBlock&) -> Result<void> {
        gate.pass();
        return {};
    };
    bool draining = false;
    backend.before_route = [&]() -> Result<void> {
        if (draining) return fail(Errc::unavailable, "this node is draining", "ask another");
        return {};
    };
    const auto running = start();
    auto stored = std::async(std::launch::async, [&] { return put("k", "content"); });
    gate.wait_for_arrivals(1);
    draining = true;
    httplib::Client other("127.0.0.1", server->port());
    const auto refused = other.Put("/v1/objects/other", "x", kBinary);
    CHECK(refused->status == 503);
    CHECK(refused->get_header_value("Retry-After") == "1");
    auto drained = std::async(std::launch::async, [&] { return server->drain(std::chrono::seconds(10)); });
    gate.open();
    CHECK(drained.get());
    CHECK(stored.get()->status == 201);
    CHECK_FALSE(httplib::Client("127.0.0.1", server->port()).Get("/ready"));
}

TEST_CASE_METHOD(Fixture, "requests damaged at random are answered or dropped, and the node goes on") {
    const auto running = start();
    put("k", "content");
    const std::vector<std::string> whole = {
        "PUT /v1/objects/a%20b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nX-DWCP-Codec: "
        "lz4\r\n\r\nhello",
        "PUT /v1/objects/c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
        "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "GET /v1/objects/k HTTP/1.1\r\nHost: 127.0.0.1:1\r\nRange: bytes=1-3\r\nIf-None-Match: \"x\"\r\n\r\n",
        "GET /v1/objects?prefix=a%2F&limit=10&cursor= HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /v1/actors/kill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\nExpect: "
        "100-continue\r\n"
        "Content-Length: 20\r\n\r\n{\"path\": \"manager/0\"}",
        "POST /v1/transactions HTTP/1.0\r\nX-DWCP-Transaction-Id: t\r\nContent-Length: 3\r\n\r\npay"};
    Random random(test::seed());
    for (int i = 0; i < 1'000; ++i) {
        std::string sent = whole[random.below(whole.size())];
        for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
            const std::size_t at = random.below(sent.size());
            switch (random.below(4)) {
            case 0:
                sent[at] = static_cast<char>(random.next());
                break;
            case 1:
                sent.erase(at, 1 + random.below(8));
                break;
            case 2:
                sent.insert(at, sent.substr(random.below(sent.size()), random.below(16)));
                break;
            default:
                sent.insert(at, std::string(random.below(3), "\r\n:%0 "[random.below(6)]));
            }
            if (sent.empty()) sent = "x";
        }
        const std::string answer = raw(sent);
        CAPTURE(i, sent);
        CHECK((answer.empty() || answer.starts_with("HTTP/1.1 ")));
        CHECK_FALSE(answer.starts_with("HTTP/1.1 500"));
    }
    CHECK(client->Get("/ready")->status == 200);
}
