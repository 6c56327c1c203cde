#include "runtime/http/request_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cctype>
#include <charconv>
#include <limits>

namespace dwcp::http {
namespace {

namespace beast = boost::beast;

constexpr std::size_t kLastChunkBytes = 5;

std::unexpected<Error> malformed(std::string message) {
    return fail(Errc::invalid_argument, std::move(message), "send one well-formed HTTP/1.1 request");
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_method_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// What a client that speaks another protocol sends first.
std::unexpected<Error> not_http(char first) {
    constexpr char kTlsHandshake = 0x16;
    if (first == kTlsHandshake)
        return fail(Errc::invalid_argument, "this port speaks plain HTTP, not TLS",
                    "use http:// here, or configure [tls] on the node");
    return malformed("this is not an HTTP/1.1 request");
}

std::string_view trim(std::string_view text) {
    while (text.starts_with(' ') || text.starts_with('\t'))
        text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t'))
        text.remove_suffix(1);
    return text;
}

} // namespace

class RequestParser::Beast : public beast::http::basic_parser<true> {
  public:
    explicit Beast(RequestHead& head) : head_(head) {
        header_limit(static_cast<std::uint32_t>(kHeadBytesMax));
        // Not boost::none: Beast 1.74 takes that for a limit of nothing. Whoever gets the body limits it.
        body_limit(std::numeric_limits<std::uint64_t>::max());
    }

    const std::function<void(std::string_view)>* sink = nullptr;
    bool too_many_headers = false;

  private:
    using error_code = beast::error_code;
    using string_view = beast::string_view;

    void on_request_impl(beast::http::verb, string_view method, string_view target, int version,
                         error_code&) override {
        head_.method.assign(method.data(), method.size());
        head_.target.assign(target.data(), target.size());
        head_.minor_version = version % 10;
    }
    void on_field_impl(beast::http::field, string_view name, string_view value, error_code& ec) override {
        // What a chunked body's trailers say comes too late to be checked by anybody: it is left out.
        if (is_header_done()) return;
        if (head_.headers.size() >= kHeadersMax) {
            too_many_headers = true;
            ec = beast::http::error::header_limit;
            return;
        }
        head_.headers.emplace(std::string(name.data(), name.size()),
                              trim(std::string_view(value.data(), value.size())));
    }
    std::size_t on_body_impl(string_view body, error_code&) override {
        (*sink)(std::string_view(body.data(), body.size()));
        return body.size();
    }
    std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override {
        return on_body_impl(body, ec);
    }
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    void on_finish_impl(error_code&) override {}

    RequestHead& head_;
};

RequestParser::RequestParser() { reset(); }
RequestParser::~RequestParser() = default;

void RequestParser::reset() {
    head_ = {};
    scanned_ = 0;
    empty_line_ = false;
    beast_ = std::make_unique<Beast>(head_);
}

bool RequestParser::head_done() const { return beast_->is_header_done(); }
bool RequestParser::body_done() const { return beast_->is_done(); }

/// Length of the head that `input` starts with; 0: incomplete. Beast unfolds folded lines and would wait for
/// the end of what only looks like a head, so both are caught here.
Result<std::size_t> RequestParser::find_head_end(std::string_view input) {
    for (; scanned_ < input.size(); ++scanned_) {
        const std::size_t at = scanned_;
        const char c = input[at];
        if (at == 0 && !is_method_char(c)) return not_http(c);
        if (at >= kHeadBytesMax)
            return fail(Errc::too_large, fmt::format("the request's head is over {} bytes", kHeadBytesMax),
                        "send fewer headers or a shorter target");
        const bool after_line = at >= 2 && input[at - 1] == '\n';
        if (after_line && (c == ' ' || c == '\t')) return malformed("a header line is folded");
        if (at > 0 && (input[at - 1] == '\r') != (c == '\n'))
            return malformed("a line of the head does not end in CR LF");
        if (c == '\n' && at >= 3 && input[at - 2] == '\n') return ++scanned_;
    }
    return 0;
}

Result<std::size_t> RequestParser::feed_head(std::string_view input) {
    // One empty line before a request is allowed: some clients end a body with it (RFC 9112, section 2.2).
    if (!empty_line_ && scanned_ == 0 && input.starts_with('\r')) {
        if (input.size() < 2) return 0;
        empty_line_ = true;
        if (input[1] == '\n') return 2;
    }
    const auto end = find_head_end(input);
    if (!end || *end == 0) return end;
    beast::error_code error;
    const std::size_t used = beast_->put(boost::asio::const_buffer(input.data(), *end), error);
    if (beast_->too_many_headers)
        return fail(Errc::too_large, fmt::format("the request has more than {} headers", kHeadersMax),
                    "send fewer headers");
    if (error || used != *end || !beast_->is_header_done())
        return malformed(
            fmt::format("this is not an HTTP/1.1 request{}", error ? ": " + error.message() : std::string()));
    if (auto good = check_head(); !good) return std::unexpected(good.error());
    return used;
}

Result<void> RequestParser::check_head() {
    const std::size_t hosts = head_.headers.count("Host");
    if (hosts > 1) return malformed("the request has more than one Host");
    if (hosts == 0 && head_.minor_version > 0) return malformed("the request has no Host");
    head_.keep_alive = beast_->keep_alive();
    const auto expect = head_.headers.find("Expect");
    head_.expects_continue = expect != head_.headers.end() && head_.minor_version > 0 &&
                             equals_ignoring_case(expect->second, "100-continue");
    return check_lengths();
}

/// How long the body is (RFC 9112, section 6.3).
Result<void> RequestParser::check_lengths() {
    const auto [coding, no_coding] = head_.headers.equal_range("Transfer-Encoding");
    const auto [length, no_length] = head_.headers.equal_range("Content-Length");
    if (coding != no_coding) {
        if (std::next(coding) != no_coding || length != no_length)
            return malformed("the request tells the length of its body in more than one way");
        if (head_.minor_version == 0) return malformed("HTTP/1.0 knows no Transfer-Encoding");
        if (!equals_ignoring_case(coding->second, "chunked"))
            return fail(Errc::unimplemented, "the only Transfer-Encoding known here is 'chunked'",
                        "send the body as it is");
        head_.content_length.reset();
        head_.body_announced = true;
        return {};
    }
    if (length == no_length) return {};
    const std::string& text = length->second;
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (std::next(length) != no_length || error != std::errc() || end != text.data() + text.size())
        return malformed("Content-Length is not one decimal number");
    head_.content_length = bytes;
    head_.body_announced = true;
    return {};
}

Result<std::size_t> RequestParser::feed_body(std::string_view input,
                                             const std::function<void(std::string_view)>& sink) {
    beast_->sink = &sink;
    // Beast 1.74 asserts that it is not called again between "0\r\n" and the fifth byte of a last chunk. At
    // least "0\r\n\r\n" is still to come wherever a chunked body is, so waiting for five bytes never waits in
    // vain.
    const std::size_t least = head_.content_length ? 1 : kLastChunkBytes;
    std::size_t used = 0;
    while (!body_done() && input.size() - used >= least) {
        beast::error_code error;
        const auto rest = input.substr(used);
        used += beast_->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
        if (error == beast::http::error::need_more) {
            if (input.size() - used > kChunkLineBytesMax)
                return malformed("a chunk's size line, or the trailers, are too long");
            break;
        }
        if (error) return malformed("the body is malformed: " + error.message());
    }
    return used;
}

} // namespace dwcp::http
