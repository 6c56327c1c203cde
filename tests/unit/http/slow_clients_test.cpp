// Clients that are slow, silent, many or gone: what they cost and what becomes of them.
#include "runtime/http/pace.hpp"
#include "runtime/http/sources.hpp"
#include "runtime/metrics/metrics.hpp"
#include "tests/unit/http/server_fixture.hpp"

#include <algorithm>
#include <atomic>
#include <sys/resource.h>

using namespace dwcp;
using namespace dwcp::http;
using namespace dwcp::test;
using Fixture = dwcp::test::ServerFixture;

namespace {

double refused(const std::string& reason) {
    return metrics::counter("dwcp_http_refused_total",
                            "Clients that were refused or cut for their own or others' load.",
                            {{"reason", reason}})
        .value();
}

/// Streams `bytes` in pieces of 64 KiB and counts the pieces asked for.
Handler stream(std::uint64_t bytes, std::atomic<int>* pieces = nullptr) {
    return [bytes, pieces, piece = share(Bytes(64U << 10, 'x'))](Request&) {
        Response response;
        response.content_type = "application/octet-stream";
        response.stream_bytes = bytes;
        response.next = [=]() -> Result<Piece> {
            if (pieces != nullptr) ++*pieces;
            return Piece{piece, *piece};
        };
        return response;
    };
}

/// For what the server does by the clock.
template<class Condition>
void until(Condition holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!holds()) {
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        poll(nullptr, 0, 5);
    }
}

void allow_descriptors(rlim_t count) {
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= count) return;
    limit.rlim_cur = std::min(count, limit.rlim_max);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

} // namespace

TEST_CASE_METHOD(Fixture, "500 slow clients keep nobody from being served") {
    allow_descriptors(2048);
    Uploads uploads;
    server.route(spec("PUT", "/upload"), uploads.handler());
    server.route("GET", "/big", stream(64U << 20));
    options.connections_max = 600;
    const auto running = start();
    std::vector<std::unique_ptr<RawClient>> slow;
    for (int i = 0; i < 500; ++i) {
        slow.push_back(std::make_unique<RawClient>(server.port(), 4096));
        const char* sent[] = {"GET /hello HTTP/1.1\r\nHo",
                              "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nh",
                              "PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nh",
                              "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"};
        REQUIRE(slow.back()->send(sent[i % 4]));
    }
    uploads.wait_until([&] { return uploads.begun == 125 && uploads.bytes == 125; });
    // Two threads, both of them free.
    for (int i = 0; i < 20; ++i)
        CHECK(exchange(get("/hello")).ends_with("hello"));
    // And each of the slow ones is served as soon as it goes on.
    slow[0]->send("st: x\r\n\r\n");
    slow[0]->receive_until("hello");
    slow[1]->send("ello wor");
    slow[1]->receive_until("[hello wor]");
    slow[2]->send("ello wor");
    slow[2]->receive_until("[hello wor]");
    slow[3]->receive_until(std::string(1000, 'x'));
}

TEST_CASE_METHOD(Fixture, "a response is pulled only as fast as its client takes it") {
    std::atomic<int> pieces{0};
    constexpr std::uint64_t kBytes = 256U << 20;
    server.route("GET", "/big", stream(kBytes, &pieces));
    const auto running = start();
    RawClient client(server.port(), 4096);
    client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    client.receive_until(std::string(1000, 'x'));
    // Everything that can be buffered is; then nothing more is asked for, and the threads are free.
    int seen = -1;
    while (seen != pieces.load()) {
        seen = pieces.load();
        for (int i = 0; i < 50; ++i)
            CHECK(exchange(get("/hello")).ends_with("hello"));
    }
    CHECK(static_cast<std::uint64_t>(seen) * (64U << 10) < kBytes / 4);
}

TEST_CASE_METHOD(Fixture, "an upload is gathered while its worker is busy, up to a limit") {
    Uploads uploads;
    Gate gate;
    uploads.gate = &gate;
    server.route(spec("PUT", "/upload"), uploads.handler());
    options.threads = 1;
    const auto running = start();
    RawClient client(server.port());
    constexpr std::size_t kBytes = 32U << 20;
    client.send("PUT /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                std::to_string(kBytes) + "\r\n\r\nfirst");
    gate.wait_for_arrivals(1);
    // The socket fills up: the server does not take what it cannot hand over.
    std::string chunk(64U << 10, 'x');
    std::size_t sent = 5;
    pollfd writable{client.fd(), POLLOUT, 0};
    while (sent < kBytes && poll(&writable, 1, 200) == 1) {
        const ssize_t count = ::send(client.fd(), chunk.data(), std::min(chunk.size(), kBytes - sent),
                                     MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) sent += static_cast<std::size_t>(count);
    }
    CHECK(sent < kBytes);
    const auto held =
        metrics::gauge("dwcp_http_held_bytes", "Bytes of bodies and responses held for clients.");
    CHECK(held.value() <= 1U << 20);
    gate.open();
    client.send(std::string(kBytes - sent, 'x'));
    CHECK(client.receive_all().ends_with("x]"));
    CHECK(uploads.bytes == kBytes);
    CHECK(uploads.ends == std::vector<std::string>{"finished"});
}

TEST_CASE_METHOD(Fixture, "an upload hears how its body ended") {
    Uploads uploads;
    server.route(spec("PUT", "/upload"), uploads.handler());
    options.io_timeout = milliseconds(100);
    const auto running = start();
    const std::string head = "PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
    {
        RawClient cut(server.port());
        cut.send(head + "hello");
        cut.end_sending();
        CHECK(cut.receive_all().starts_with("HTTP/1.1 400 "));
    }
    {
        RawClient silent(server.port());
        silent.send(head + "hello");
        CHECK(silent.receive_all().starts_with("HTTP/1.1 408 "));
    }
    {
        RawClient malformed(server.port());
        malformed.send(
            "PUT /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello-3\r\nhel");
        CHECK(malformed.receive_all().starts_with("HTTP/1.1 400 "));
    }
    {
        RawClient refused(server.port());
        refused.send(head + "bad words");
        CHECK(refused.receive_all().starts_with("HTTP/1.1 413 "));
    }
    CHECK(uploads.ends ==
          std::vector<std::string>{"invalid_argument", "deadline_exceeded", "invalid_argument", "too_large"});
    {
        auto gone = std::make_unique<RawClient>(server.port());
        gone->send(head + "hello");
        uploads.wait_until([&] { return uploads.begun == 5; });
        const linger at_once{1, 0};
        setsockopt(gone->fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    uploads.wait_until([&] { return uploads.ends.size() == 5; });
    CHECK(uploads.ends.back() == "cancelled");
}

TEST_CASE_METHOD(Fixture, "who sends or takes less than the least rate is cut, and counted") {
    options.min_rate_bytes_per_s = 1U << 20;
    options.rate_grace = milliseconds(100);
    server.route("GET", "/big", stream(64U << 20));
    const auto running = start();
    const double before = refused("slow");
    RawClient sender(server.port());
    sender.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n");
    const auto answered = [&] {
        pollfd readable{sender.fd(), POLLIN, 0};
        return poll(&readable, 1, 10) == 1;
    };
    for (int i = 0; i < 1000 && !answered(); ++i)
        sender.send("x");
    CHECK(sender.receive_all().starts_with("HTTP/1.1 408 "));

    RawClient reader(server.port(), 4096);
    reader.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    until([&] { return refused("slow") == before + 2; });
    CHECK(reader.receive_all().size() < 64U << 20);
}

TEST_CASE_METHOD(Fixture, "with its memory spent the server takes no more bodies, and says so") {
    options.memory_bytes_max = 100'000;
    const auto running = start();
    RawClient holder(server.port());
    holder.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n" +
                std::string(99'990, 'x'));
    const auto held =
        metrics::gauge("dwcp_http_held_bytes", "Bytes of bodies and responses held for clients.");
    until([&] { return held.value() >= 99'990; });
    const auto answer =
        exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n" + std::string(40, 'x'));
    CHECK(answer.starts_with("HTTP/1.1 503 "));
    CHECK(has(answer, "Retry-After: 1\r\n"));
    CHECK(exchange(get("/hello")).ends_with("hello"));
    holder.send(std::string(11, 'x'));
    holder.receive_until("x]");
    CHECK(exchange("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
              .ends_with("[hello]"));
}

TEST_CASE_METHOD(Fixture,
                 "readers that hold all the memory are cut, the slowest first; small answers never wait") {
    server.route("GET", "/big", stream(64U << 20));
    server.route("GET", "/small", stream(64U << 10));
    options.memory_bytes_max = 200'000;
    const auto running = start();
    const double before = refused("memory");
    std::vector<std::unique_ptr<RawClient>> readers;
    for (int i = 0; i < 20; ++i) {
        readers.push_back(std::make_unique<RawClient>(server.port(), 4096));
        readers.back()->send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    // Twenty of them want more than there is; none of them takes any of it.
    until([&] {
        CHECK(exchange(get("/small")).size() > 64U << 10);
        return refused("memory") > before;
    });
    // In the end there is room for one who does.
    const auto whole = exchange(get("/big"));
    CHECK(whole.size() > 64U << 20);
}

TEST_CASE("one address off this machine gets only its part of the connections") {
    Sources sources(2);
    CHECK(sources.enter("10.0.0.1"));
    CHECK(sources.enter("10.0.0.1"));
    CHECK_FALSE(sources.enter("10.0.0.1"));
    CHECK(sources.enter("10.0.0.2"));
    sources.leave("10.0.0.1");
    CHECK(sources.enter("10.0.0.1"));
    for (const char* own : {"127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"})
        for (int i = 0; i < 5; ++i)
            CHECK(sources.enter(own));
    CHECK_FALSE(sources.enter("10.0.0.1"));
    sources.leave("10.0.0.1");
    sources.leave("10.0.0.1");
    sources.leave("10.0.0.2");
    CHECK(sources.size() == 0);
}

TEST_CASE("a pace counts only the time that the client was waited for") {
    const TimePoint start{};
    const auto at = [&](int seconds) { return start + std::chrono::seconds(seconds); };
    Pace pace;
    pace.wait(at(0));
    pace.moved(100, at(1));
    CHECK(pace.silence(at(3)) == std::chrono::seconds(2));
    CHECK_FALSE(pace.slower_than(100, std::chrono::seconds(2), at(1)));
    CHECK_FALSE(pace.slower_than(100, std::chrono::seconds(3), at(3))); // still in its grace
    CHECK(pace.slower_than(100, std::chrono::seconds(2), at(3)));
    pace.pause(at(1));
    CHECK(pace.silence(at(50)) == Duration{});
    CHECK_FALSE(pace.slower_than(100, Duration{}, at(50)));
    pace.wait(at(50));
    CHECK(pace.silence(at(51)) == std::chrono::seconds(1));
    CHECK(pace.slower_than(100, std::chrono::seconds(1), at(51)));
    CHECK_FALSE(pace.slower_than(0, std::chrono::seconds(1), at(99)));
}
