// What the parser takes, what it refuses, and that it does not matter how its input was cut.
#include "protocols/base/random.hpp"
#include "runtime/http/request_parser.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>
#include <random>
#include <vector>

using namespace dwcp;
using namespace dwcp::http;
using namespace std::string_literals;

namespace {

struct Parsed {
    std::string method;
    std::string target;
    std::string body;
    Headers headers;
    bool keep_alive = false;
    bool operator==(const Parsed&) const = default;
};

struct Outcome {
    std::vector<Parsed> requests; ///< Whole ones, in order.
    std::optional<Error> error;
};

/// Feeds the pieces as a connection does: what is not taken is offered again with what follows.
Outcome parse(const std::vector<std::string>& pieces) {
    Outcome outcome;
    RequestParser parser;
    std::string input;
    std::string body;
    const auto step = [&]() -> Result<std::size_t> {
        if (!parser.head_done()) return parser.feed_head(input);
        return parser.feed_body(input, [&](std::string_view part) { body += part; });
    };
    for (const std::string& piece : pieces) {
        input += piece;
        for (;;) {
            if (parser.head_done() && parser.body_done()) {
                const RequestHead& head = parser.head();
                outcome.requests.push_back(
                    {head.method, head.target, std::exchange(body, {}), head.headers, head.keep_alive});
                parser.reset();
            }
            const auto taken = step();
            if (!taken) {
                outcome.error = taken.error();
                return outcome;
            }
            input.erase(0, *taken);
            if (parser.head_done() && parser.body_done()) continue;
            if (*taken == 0) break;
        }
    }
    return outcome;
}

std::string post(const std::string& headers, const std::string& body) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body;
}

std::string chunked(const std::string& body) { return post("Transfer-Encoding: chunked\r\n", body); }

} // namespace

TEST_CASE("well-formed requests are taken in whatever pieces they come") {
    const std::string many = "GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Tab:\t v \r\n\r\n" +
                             post("Content-Length: 5\r\n", "hello") +
                             chunked("3\r\nhel\r\n2;x=y;z=\"a b\"\r\nlo\r\n0\r\nTrailer: ignored\r\n\r\n") +
                             "\r\nGET / HTTP/1.0\r\n\r\n" +
                             post("Content-Length: 0\r\nConnection: close\r\n", "");
    const Outcome whole = parse({many});
    REQUIRE_FALSE(whole.error);
    REQUIRE(whole.requests.size() == 5);
    CHECK(whole.requests[0].target == "/a?b=c");
    CHECK(whole.requests[0].headers.find("x-tab")->second == "v");
    CHECK(whole.requests[0].headers.find("X-Empty")->second.empty());
    CHECK(whole.requests[1].body == "hello");
    CHECK(whole.requests[2].body == "hello");
    CHECK(whole.requests[2].headers.count("Trailer") == 0);
    CHECK_FALSE(whole.requests[3].keep_alive);
    CHECK_FALSE(whole.requests[4].keep_alive);

    const char* given = std::getenv("DWCP_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "DWCP_SEED=" << seed << '\n';
    Random random(seed);
    for (int round = 0; round < 300; ++round) {
        std::vector<std::string> pieces;
        for (std::size_t at = 0; at < many.size();) {
            const std::size_t count = 1 + random.below(round % 2 == 0 ? 3 : 60);
            pieces.push_back(many.substr(at, count));
            at += count;
        }
        const Outcome cut = parse(pieces);
        REQUIRE_FALSE(cut.error);
        REQUIRE(cut.requests == whole.requests);
    }
}

TEST_CASE("what could be read in two ways is refused") {
    const std::string get = "GET /x HTTP/1.1\r\nHost: a\r\n";
    const std::vector<std::pair<const char*, std::string>> table = {
        {"two different lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")},
        {"the same length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
        {"a list of lengths", post("Content-Length: 5, 5\r\n", "hello")},
        {"a length with a sign", post("Content-Length: +5\r\n", "hello")},
        {"a negative length", post("Content-Length: -5\r\n", "hello")},
        {"a hexadecimal length", post("Content-Length: 0x5\r\n", "hello")},
        {"a length that overflows", post("Content-Length: 18446744073709551616\r\n", "hello")},
        {"an empty length", post("Content-Length:\r\n", "hello")},
        {"a length and chunks", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"chunks and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
        {"two transfer codings",
         post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"a coding in two headers",
         post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"chunks in HTTP/1.0", "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"a chunk size with a sign", chunked("+5\r\nhello\r\n0\r\n\r\n")},
        {"a negative chunk size", chunked("-3\r\nhel\r\n0\r\n\r\n")},
        {"a chunk size with a prefix", chunked("0x3\r\nhel\r\n0\r\n\r\n")},
        {"a chunk size with a blank before", chunked(" 3\r\nhel\r\n0\r\n\r\n")},
        {"a chunk size that overflows", chunked("10000000000000000\r\nhel\r\n0\r\n\r\n")},
        {"an empty chunk size", chunked("\r\nhel\r\n0\r\n\r\n")},
        {"a chunk without its line end", chunked("3\r\nhelXX0\r\n\r\n")},
        {"a chunk size that ends in a bare LF", chunked("3\nhel\r\n0\r\n\r\n")},
        {"a bare CR in a chunk size", chunked("3\rx\r\nhel\r\n0\r\n\r\n")},
        {"lines that end in a bare LF", "GET /x HTTP/1.1\nHost: a\n\n"},
        {"one line that ends in a bare LF", "GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"},
        {"a bare CR in a header", get + "X: a\rb\r\n\r\n"},
        {"a folded header", get + "X: a\r\n b\r\n\r\n"},
        {"a folded first header", "GET /x HTTP/1.1\r\n Host: a\r\n\r\n"},
        {"a blank before the colon", get + "X : a\r\n\r\n"},
        {"a header without a colon", get + "nothing\r\n\r\n"},
        {"a header without a name", get + ": a\r\n\r\n"},
        {"a NUL in a header", get + "X: a\0b\r\n\r\n"s},
        {"a NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s},
        {"a control character in a name", get + "X\x01: a\r\n\r\n"},
        {"no Host", "GET /x HTTP/1.1\r\n\r\n"},
        {"two Hosts", "GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"another version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {"a version in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {"no version", "GET /\r\nHost: a\r\n\r\n"},
        {"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"TLS", "\x16\x03\x01\x02"},
        {"something else", "\xff\xfe\xfd"},
    };
    for (const auto& [what, sent] : table) {
        INFO(what);
        const Outcome outcome = parse({sent});
        CHECK(outcome.requests.empty());
        REQUIRE(outcome.error);
        CHECK(outcome.error->code == Errc::invalid_argument);
        // However it comes.
        std::vector<std::string> bytes;
        for (const char c : sent)
            bytes.emplace_back(1, c);
        const Outcome slowly = parse(bytes);
        CHECK(slowly.requests.empty());
        CHECK(slowly.error);
    }
}

TEST_CASE("a last chunk that comes byte by byte is waited for, whatever follows its size") {
    for (const char* end : {"0\r\n\r\n", "0\r\nX: y\r\n\r\n", "000\r\n\r\n", "0;x\r\n\r\n"}) {
        INFO(end);
        const std::string sent = chunked("1\r\nx\r\n" + std::string(end));
        const std::string empty = chunked(end);
        for (const std::string& text : {sent, empty}) {
            std::vector<std::string> bytes;
            for (const char c : text)
                bytes.emplace_back(1, c);
            const Outcome outcome = parse(bytes);
            CHECK_FALSE(outcome.error);
            CHECK(outcome.requests.size() == 1);
        }
    }
    // The fuzzer found that Beast 1.74 ends the process here when its assertions are on.
    const Outcome outcome = parse({chunked("0\r\nh"), "\r\n0\r\n"});
    CHECK(outcome.requests.empty());
}

TEST_CASE("a transfer coding other than chunked is not known") {
    for (const char* coding : {"gzip, chunked", "chunked, gzip", "gzip", "identity", "xchunked"}) {
        INFO(coding);
        const Outcome outcome =
            parse({post("Transfer-Encoding: " + std::string(coding) + "\r\n", "0\r\n\r\n")});
        CHECK(outcome.requests.empty());
        REQUIRE(outcome.error);
        CHECK(outcome.error->code == Errc::unimplemented);
    }
}

TEST_CASE("heads, headers and chunk lines have limits, and what comes before them is not kept waiting") {
    const auto code = [](const std::string& sent) {
        const Outcome outcome = parse({sent});
        return outcome.error ? std::optional(outcome.error->code) : std::nullopt;
    };
    const std::string get = "GET /x HTTP/1.1\r\nHost: a\r\n";
    CHECK(code(get + "X: " + std::string(kHeadBytesMax, 'x')) == Errc::too_large);
    CHECK(code(std::string(kHeadBytesMax + 1, 'A')) == Errc::too_large);
    std::string headers;
    for (std::size_t i = 0; i < kHeadersMax; ++i)
        headers += "X: y\r\n";
    CHECK(code(get + headers + "\r\n") == Errc::too_large);
    CHECK(code(chunked("5;" + std::string(2 * kChunkLineBytesMax, 'x'))) == Errc::invalid_argument);
    CHECK(code(chunked("0\r\nX: " + std::string(2 * kChunkLineBytesMax, 'x'))) == Errc::invalid_argument);
}
