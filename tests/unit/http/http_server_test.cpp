#include "runtime/http/request_parser.hpp"
#include "tests/unit/http/server_fixture.hpp"

#include <future>
#include <stdexcept>

using namespace dwcp;
using namespace dwcp::http;
using namespace dwcp::test;
using Fixture = dwcp::test::ServerFixture;

TEST_CASE_METHOD(Fixture, "a route is served, with a request id") {
    const auto running = start();
    const auto answer = exchange(get("/hello"));
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(answer, "\r\n\r\nhello"));
    const auto at = answer.find("X-DWCP-Request-Id: ");
    REQUIRE(at != std::string::npos);
    CHECK(answer.substr(at + 19, 34).find("\r\n") == 32);
}

TEST_CASE_METHOD(Fixture, "an unknown path and an unknown method are answered in JSON") {
    const auto running = start();
    const auto unknown = exchange(get("/nowhere/%F0%9F%98%80"));
    CHECK(unknown.starts_with("HTTP/1.1 404 "));
    CHECK(error_of(unknown)["code"] == "not_found");
    const auto method = exchange("DELETE /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(method.starts_with("HTTP/1.1 405 "));
    CHECK(has(method, "Allow: GET, HEAD\r\n"));
    CHECK(error_of(method)["remedy"] == "use one of: GET, HEAD");
    CHECK(exchange("OPTIONS /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
              .starts_with("HTTP/1.1 405 "));
}

TEST_CASE_METHOD(Fixture, "an exception in a handler becomes a JSON 500 and the server goes on") {
    server.route("GET", "/throws", [](Request&) -> Response { throw std::runtime_error("boom"); });
    server.route("GET", "/throws-int", [](Request&) -> Response { throw 7; });
    const auto running = start();
    for (const char* path : {"/throws", "/throws-int"}) {
        const auto answer = exchange(get(path));
        CHECK(answer.starts_with("HTTP/1.1 500 "));
        CHECK(error_of(answer)["code"] == "internal");
        CHECK_FALSE(has(answer, "boom"));
    }
    CHECK(exchange(get("/hello")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE_METHOD(Fixture, "a port in use is refused with the remedy") {
    const auto running = start();
    HttpServer second;
    auto taken = options;
    taken.port = server.port();
    const auto outcome = second.start(taken);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == Errc::already_exists);
    CHECK(has(outcome.error().message, std::to_string(server.port())));
    CHECK(has(outcome.error().remedy, "ss -ltnp"));
}

TEST_CASE_METHOD(Fixture, "a port is free again right after stop") {
    const auto running = start();
    exchange(get("/hello"));
    options.port = server.port();
    server.stop();
    REQUIRE(server.start(options));
    CHECK(exchange(get("/hello")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE_METHOD(Fixture, "idle connections hold no thread") {
    options.threads = 1;
    const auto running = start();
    std::vector<std::unique_ptr<RawClient>> idle;
    for (int i = 0; i < 20; ++i) {
        idle.push_back(std::make_unique<RawClient>(server.port()));
        // Kept alive after a request, or stuck in the middle of a head.
        idle.back()->send(i % 2 == 0 ? "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /hello HTT");
        if (i % 2 == 0) idle.back()->receive_until("hello");
    }
    CHECK(exchange(get("/hello")).starts_with("HTTP/1.1 200 "));
    idle[1]->send("P/1.1\r\nHost: x\r\n\r\n");
    idle[1]->receive_until("hello");
}

TEST_CASE_METHOD(Fixture, "an idle connection is closed after its time") {
    options.idle_timeout = milliseconds(50);
    options.head_timeout = milliseconds(50);
    const auto running = start();
    CHECK(exchange("").empty());
    CHECK(exchange("GET / HT").starts_with("HTTP/1.1 408 "));
}

TEST_CASE_METHOD(Fixture, "with all threads busy and the queue full a request is answered 503") {
    Gate gate;
    server.route("GET", "/hold", [&](Request&) {
        gate.pass();
        return text("done");
    });
    options.threads = 1;
    options.queue_max = 1;
    const auto running = start();
    RawClient busy(server.port());
    busy.send(get("/hold"));
    gate.wait_for_arrivals(1);
    RawClient first(server.port());
    RawClient second(server.port());
    first.send(get("/hello"));
    second.send(get("/hello"));
    // Which of the two is queued is up to the order of arrival; the other is refused while the thread is
    // still held.
    pollfd both[] = {{first.fd(), POLLIN, 0}, {second.fd(), POLLIN, 0}};
    REQUIRE(poll(both, 2, 10'000) == 1);
    RawClient& refused = both[0].revents != 0 ? first : second;
    RawClient& queued = both[0].revents != 0 ? second : first;
    const auto answer = refused.receive_all();
    CHECK(answer.starts_with("HTTP/1.1 503 "));
    CHECK(has(answer, "Retry-After: 1\r\n"));
    CHECK(error_of(answer)["code"] == "unavailable");
    gate.open();
    CHECK(busy.receive_all().ends_with("done"));
    CHECK(queued.receive_all().ends_with("hello"));
}

TEST_CASE_METHOD(Fixture, "when connections run out, the one that was idle longest goes") {
    options.connections_max = 2;
    const auto running = start();
    RawClient first(server.port());
    first.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    first.receive_until("hello");
    RawClient second(server.port());
    second.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    second.receive_until("hello");
    RawClient third(server.port());
    third.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    third.receive_until("hello");
    CHECK(first.receive_all().ends_with("hello"));
    second.send(get("/hello"));
    CHECK(second.receive_all().ends_with("hello"));
}

TEST_CASE_METHOD(Fixture, "with a request under way on every connection, a new one gets in for probes only") {
    Gate gate;
    server.route("GET", "/hold", [&](Request&) {
        gate.pass();
        return text("done");
    });
    auto probe = spec("GET", "/health");
    probe.probe = true;
    server.route(probe, Handler([](Request&) { return text("fine"); }));
    options.connections_max = 2;
    const auto running = start();
    RawClient first(server.port());
    RawClient second(server.port());
    first.send(get("/hold"));
    second.send(get("/hold"));
    gate.wait_for_arrivals(2); // all threads are busy as well
    const auto refused = exchange(get("/hello"));
    CHECK(refused.starts_with("HTTP/1.1 503 "));
    CHECK(has(refused, "Retry-After: 1\r\n"));
    CHECK(exchange(get("/health")).ends_with("fine"));
    gate.open();
    CHECK(first.receive_all().ends_with("done"));
}

TEST_CASE_METHOD(Fixture, "drain finishes what is under way and refuses what is new") {
    Gate gate;
    server.route("GET", "/hold", [&](Request&) {
        gate.pass();
        return text("done");
    });
    const auto running = start();
    RawClient busy(server.port());
    RawClient idle(server.port());
    idle.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    idle.receive_until("hello");
    busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    gate.wait_for_arrivals(1);
    auto drained = std::async(std::launch::async, [&] { return server.drain(std::chrono::seconds(10)); });
    idle.receive_all();
    gate.open();
    CHECK(busy.receive_all().ends_with("done"));
    CHECK(drained.get());
}

TEST_CASE_METHOD(Fixture, "drain gives up at its deadline and stop cuts the rest") {
    Uploads uploads;
    server.route(spec("POST", "/endless"), uploads.handler());
    const auto running = start();
    RawClient client(server.port());
    client.send("POST /endless HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
    uploads.wait_until([&] { return uploads.begun == 1; });
    CHECK_FALSE(server.drain(milliseconds(10)));
    server.stop();
    CHECK_FALSE(has(client.receive_all(), "HTTP/1.1 200"));
    // Nobody sees the answer, but the upload hears that it will never be whole.
    CHECK(uploads.ends == std::vector<std::string>{"cancelled"});
}

TEST_CASE_METHOD(Fixture, "bodies come with a length, in chunks, or not at all") {
    const auto running = start();
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    CHECK(exchange(head + "Content-Length: 5\r\n\r\nhello").ends_with("[hello]"));
    CHECK(exchange(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n")
              .ends_with("[hello]"));
    CHECK(exchange(head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").ends_with("[]"));
    CHECK(exchange(head + "Content-Length: 0\r\n\r\n").ends_with("[]"));
    CHECK(exchange(head + "\r\n").ends_with("[]"));
    CHECK(exchange(head + "Content-Type: multipart/form-data; boundary=x\r\nContent-Encoding: gzip\r\n"
                          "Content-Length: 5\r\n\r\nhello")
              .ends_with("[hello]"));
}

TEST_CASE_METHOD(Fixture, "a body cut short is never taken for whole") {
    const auto running = start();
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\n";
    const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello";
    for (const std::string& sent :
         {head + "Content-Length: 6\r\n\r\nhello", chunked, chunked + "\r", chunked + "\r\n",
          chunked + "\r\n0", chunked + "\r\n0\r\n", chunked + "\r\n0\r\n\r", chunked + "XX\r\n0\r\n\r\n",
          chunked + "\r\n-5\r\nhello"}) {
        CAPTURE(sent);
        RawClient client(server.port());
        client.send(sent);
        client.end_sending();
        const auto answer = client.receive_all();
        CHECK_FALSE(has(answer, "[hello]"));
        CHECK(answer.starts_with("HTTP/1.1 400 "));
        CHECK(error_of(answer)["code"] == "invalid_argument");
    }
}

TEST_CASE_METHOD(Fixture, "a silent sender is given up") {
    options.io_timeout = milliseconds(50);
    const auto running = start();
    RawClient client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nhel");
    CHECK(client.receive_all().starts_with("HTTP/1.1 408 "));
}

TEST_CASE_METHOD(Fixture, "ambiguous lengths are refused and end the connection") {
    const auto running = start();
    for (const char* lengths :
         {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
          "Content-Length: -5\r\n", "Content-Length: 5x\r\n", "Content-Length: 99999999999999999999\r\n"}) {
        CAPTURE(lengths);
        RawClient client(server.port());
        client.send(std::string("POST /echo HTTP/1.1\r\nHost: x\r\n") + lengths + "\r\nhello");
        client.end_sending();
        CHECK(client.receive_all().starts_with("HTTP/1.1 400 "));
    }
    CHECK(
        exchange(
            "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
            .starts_with("HTTP/1.1 501 "));
}

TEST_CASE_METHOD(Fixture, "what is not HTTP is answered in JSON and ends the connection") {
    const auto running = start();
    for (const char* sent : {"\x16\x03\x01 hello\r\n\r\n", "GET\r\n\r\n", "BREW /pot HTTP/1.1\r\n\r\n",
                             "GET / HTTP/2\r\n\r\n", "GET /%zz HTTP/1.1\r\nConnection: close\r\n\r\n",
                             "GET nopath HTTP/1.1\r\nConnection: close\r\n\r\n"}) {
        CAPTURE(sent);
        const auto answer = exchange(sent);
        CHECK(answer.starts_with("HTTP/1.1 400 "));
        CHECK(error_of(answer)["code"] == "invalid_argument");
    }
}

TEST_CASE_METHOD(Fixture, "heads have a limit") {
    const auto running = start();
    const auto many = exchange("GET /hello HTTP/1.1\r\nX: " + std::string(kHeadBytesMax, 'a') + "\r\n\r\n");
    CHECK(many.starts_with("HTTP/1.1 431 "));
    CHECK(error_of(many)["code"] == "too_large");
    RawClient endless(server.port());
    while (endless.send(std::string(64U << 10, 'a'))) {
    }
}

TEST_CASE_METHOD(Fixture, "a chunk size without an end is refused") {
    const auto running = start();
    RawClient client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;");
    client.send(std::string(64U << 10, 'x'));
    client.end_sending();
    CHECK(client.receive_all().starts_with("HTTP/1.1 400 "));
}

TEST_CASE_METHOD(Fixture, "a hostile Range header reaches the handler as text and harms nothing") {
    server.route("GET", "/range",
                 [](Request& request) { return text(request.header("range").value_or("none")); });
    const auto running = start();
    std::string ranges = "bytes=0-0";
    while (ranges.size() < 8000)
        ranges += ",1-2";
    CHECK(exchange(get("/range", "RANGE:  " + ranges + "\r\n")).ends_with("\r\n\r\n" + ranges));
    CHECK(exchange(get("/range", "Range: bytes=5-2\r\n")).starts_with("HTTP/1.1 200 "));
}

TEST_CASE_METHOD(Fixture, "100 Continue is sent only when the body is wanted") {
    Uploads uploads;
    server.route(spec("PUT", "/upload"), uploads.handler());
    server.set_guard([](Request& request, const RouteSpec&) -> std::optional<Response> {
        if (!request.header("X-Stranger")) return std::nullopt;
        return error_response({Errc::permission_denied, "no", ""});
    });
    const auto running = start();
    const std::string headers = " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n";
    for (const char* refused : {"PUT /upload", "POST /echo"}) {
        RawClient client(server.port());
        client.send(refused + headers + "X-Refuse: 1\r\nX-Stranger: 1\r\n\r\n");
        CHECK(client.receive_until("\"no\"").starts_with("HTTP/1.1 403 "));
    }
    RawClient unwanted(server.port());
    unwanted.send("PUT /upload" + headers + "X-Refuse: 1\r\n\r\n");
    CHECK(unwanted.receive_until("\"no\"").starts_with("HTTP/1.1 403 "));
    for (const char* wanted : {"PUT /upload", "POST /echo"}) {
        RawClient client(server.port());
        client.send(wanted + headers + "\r\n");
        CHECK(client.receive_until("100 Continue\r\n\r\n").starts_with("HTTP/1.1 100 "));
        client.send("hello");
        CHECK(has(client.receive_until("[hello]"), "HTTP/1.1 200 "));
    }
}

TEST_CASE_METHOD(Fixture, "a refused client that is still sending gets to see the answer") {
    server.route("POST", "/refuse", [](Request&) {
        return error_response({Errc::too_large, "too much", ""});
    });
    const auto running = start();
    RawClient client(server.port());
    client.send("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n");
    client.send(std::string(8U << 20, 'x'));
    const auto answer = client.receive_all();
    CHECK(answer.starts_with("HTTP/1.1 413 "));
    CHECK(has(answer, "Connection: close\r\n"));
}

TEST_CASE_METHOD(Fixture, "pipelined requests are answered in order on one connection") {
    const auto running = start();
    RawClient client(server.port());
    client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: "
                "3\r\n\r\noneGET /hello "
                "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const auto answers = client.receive_all();
    CHECK(answers.find("hello") < answers.find("[one]"));
    CHECK(answers.ends_with("hello"));
}

TEST_CASE_METHOD(Fixture, "a streamed body that fails or has the wrong length cuts the connection") {
    const auto stream = [](std::function<Result<Piece>()> next) {
        return [next = std::move(next)](Request&) {
            Response response;
            response.stream_bytes = 10;
            response.next = next;
            return response;
        };
    };
    const SharedBytes five = share(to_bytes("12345"));
    const SharedBytes six = share(to_bytes("123456"));
    server.route("GET", "/good", stream([=] { return Result<Piece>(Piece{five, *five}); }));
    server.route("GET", "/fails", stream([=, n = 0]() mutable -> Result<Piece> {
                     if (n++ > 0) return fail(Errc::corrupted, "block gone", "");
                     return Piece{five, *five};
                 }));
    server.route("GET", "/long", stream([=] { return Result<Piece>(Piece{six, *six}); }));
    server.route("GET", "/empty", stream([] { return Result<Piece>(Piece{}); }));
    server.route("GET", "/throws", stream([]() -> Result<Piece> { throw std::runtime_error("boom"); }));
    const auto running = start();
    const auto body = [&](const char* path) {
        const auto answer = exchange("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" +
                                     (path == std::string("/good") ? "Connection: close\r\n" : "") + "\r\n");
        CHECK(has(answer, "Content-Length: 10\r\n"));
        return answer.substr(answer.find("\r\n\r\n") + 4);
    };
    CHECK(body("/good") == "1234512345");
    CHECK(body("/fails") == "12345");
    CHECK(body("/long") == "123456");
    CHECK(body("/empty").empty());
    CHECK(body("/throws").empty());
}

TEST_CASE_METHOD(Fixture, "HEAD is answered like GET without the body") {
    const auto running = start();
    const auto answer = exchange("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(has(answer, "Content-Length: 5\r\n"));
    CHECK(answer.ends_with("\r\n\r\n"));
}
