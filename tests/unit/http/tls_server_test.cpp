// HTTP over TLS: who gets in, as whom, and what those hear who do not.
#include "runtime/base/events.hpp"
#include "runtime/tls/context.hpp"
#include "tests/unit/http/server_fixture.hpp"
#include "tests/unit/tls/tls_rig.hpp"

using namespace dwcp;
using namespace dwcp::http;
using namespace dwcp::test;
using testing::TestAuthority;

namespace {

/// A client that speaks TLS over a raw connection.
class TlsClient {
  public:
    TlsClient(std::uint16_t port, tls::Context& context)
        : raw_(port), session_(context.connect(raw_.fd(), "")) {
        REQUIRE(fcntl(raw_.fd(), F_SETFL, O_NONBLOCK) == 0);
    }
    /// What comes back until the server closes; the error if TLS fails.
    Result<std::string> exchange(const std::string& sent) {
        if (auto shaken = until_done([&] { return session_->handshake(); }); !shaken)
            return std::unexpected(shaken.error());
        for (std::size_t at = 0; at < sent.size();) {
            const auto written =
                until_done([&] { return session_->write(as_bytes(std::string_view(sent).substr(at))); });
            if (!written) return std::unexpected(written.error());
            at += written->bytes;
        }
        std::string received;
        std::array<Byte, 4096> buffer;
        for (;;) {
            const auto read = until_done([&] { return session_->read(buffer); });
            if (!read) return std::unexpected(read.error());
            if (read->ended) return received;
            received += as_text(ByteView(buffer).first(read->bytes));
        }
    }

  private:
    template<class Step>
    Result<tls::Progress> until_done(Step step) {
        for (;;) {
            auto progress = step();
            if (!progress || progress->want == tls::Want::nothing) return progress;
            pollfd ready{raw_.fd(),
                         static_cast<short>(progress->want == tls::Want::readable ? POLLIN : POLLOUT), 0};
            REQUIRE(poll(&ready, 1, 10'000) == 1);
        }
    }

    RawClient raw_;
    std::unique_ptr<tls::Session> session_;
};

struct TlsFixture : ServerFixture {
    testing::Directory directory;
    TestAuthority authority{"demo"};
    EventRing events;

    TlsFixture() {
        options.tls = testing::load(authority.node(directory / "node", "site-a"));
        options.events = &events;
        server.route("GET", "/who", [](Request& request) {
            return text(request.certificate ? request.certificate->subject.uri() : "nobody");
        });
        server.route("GET", "/big", [piece = share(Bytes(1U << 20, 'x'))](Request&) {
            Response response;
            response.stream_bytes = 8U << 20;
            response.next = [piece]() -> Result<Piece> { return Piece{piece, *piece}; };
            return response;
        });
    }
    std::shared_ptr<tls::Context> client(const std::string& role, const std::string& name) {
        return testing::load(authority.client(directory / name, role, name));
    }
    Event wait_for_event() {
        for (int i = 0; i < 1000; ++i) {
            if (const auto all = events.latest(1); !all.empty()) return all.front();
            pollfd none{-1, 0, 0};
            poll(&none, 1, 10);
        }
        FAIL("no event came");
        return {};
    }
};

} // namespace

TEST_CASE_METHOD(TlsFixture, "over TLS a request carries who its client is") {
    const auto running = start();
    const auto ann = client("operator", "ann");
    const auto answer = TlsClient(server.port(), *ann).exchange(get("/who"));
    REQUIRE(answer);
    CHECK(answer->starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer->ends_with("dwcp://demo/operator/ann"));
}

TEST_CASE_METHOD(TlsFixture, "large bodies pass through TLS both ways") {
    Uploads uploads;
    server.route(spec("PUT", "/upload"), uploads.handler());
    const auto running = start();
    const auto ann = client("writer", "ann");
    const auto big = TlsClient(server.port(), *ann).exchange(get("/big"));
    REQUIRE(big);
    CHECK(big->size() > 8U << 20);
    CHECK(big->ends_with("xxxx"));
    const std::string body(3U << 20, 'y');
    const auto put =
        TlsClient(server.port(), *ann)
            .exchange("PUT /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body);
    REQUIRE(put);
    CHECK(uploads.bytes == body.size());
    CHECK(put->ends_with("yy]"));
}

TEST_CASE_METHOD(TlsFixture, "plain HTTP to a TLS port is told what is spoken there") {
    const auto running = start();
    const auto answer = exchange(get("/hello"));
    CHECK(answer.starts_with("HTTP/1.1 400 "));
    CHECK(error_of(answer)["message"] == "this port speaks TLS, not plain HTTP");
    CHECK(wait_for_event().fields.at("reason") == "this port speaks TLS, not plain HTTP");
}

TEST_CASE("TLS to a plain port is told what is spoken there") {
    ServerFixture plain;
    const auto running = plain.start();
    const auto answer = plain.exchange(std::string("\x16\x03\x01\x00\x05hello", 10));
    CHECK(error_of(answer)["message"] == "this port speaks plain HTTP, not TLS");
}

TEST_CASE_METHOD(TlsFixture, "a stranger's certificate is refused, counted and shown") {
    const auto running = start();
    TestAuthority other("demo", "another authority");
    const auto eve = testing::load(other.client(directory / "eve", "admin", "eve"));
    CHECK_FALSE(TlsClient(server.port(), *eve).exchange(get("/who")));
    const Event event = wait_for_event();
    CHECK(event.name == "http_handshake_failed");
    CHECK(event.subject == "127.0.0.1");
    CHECK_FALSE(event.fields.at("reason").empty());
    // Others go on.
    CHECK(TlsClient(server.port(), *client("viewer", "bob")).exchange(get("/hello")));
}

TEST_CASE_METHOD(TlsFixture, "who does not finish its handshake goes") {
    options.head_timeout = milliseconds(100);
    const auto running = start();
    CHECK(exchange("").empty());
    CHECK(exchange(std::string("\x16\x03\x01\x02\x00\x01", 6)).empty());
}
