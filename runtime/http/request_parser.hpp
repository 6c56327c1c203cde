// Takes HTTP/1.1 requests out of a stream of bytes, however the stream was cut into pieces.
//
// Boost.Beast's parser stands behind it, without its I/O. It is strict where servers and proxies have been
// led to disagree: what could be read in two ways is refused, never guessed (two lengths, a length beside
// chunks, folded lines, lines that end in a bare LF, two Hosts).
//
//   parser.feed_head(bytes)  until head_done(); then head()
//   parser.feed_body(bytes)  until body_done(); then reset() for the next request
//
// Pure: no sockets, no clocks. One a connection, used by one thread at a time.
#pragma once

#include "runtime/http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dwcp::http {

/// Request line and headers together. The longest legal key, wholly percent-encoded, takes 3 KiB.
inline constexpr std::size_t kHeadBytesMax = 32U << 10;
/// Headers of one request: browsers send about twenty.
inline constexpr std::size_t kHeadersMax = 100;
/// A chunk's size with its extensions, or all trailers together.
inline constexpr std::size_t kChunkLineBytesMax = 8U << 10;

struct RequestHead {
    std::string method;
    std::string target;
    Headers headers;
    int minor_version = 1; ///< Of HTTP/1.x.
    bool keep_alive = true;
    bool expects_continue = false;
    std::optional<std::uint64_t> content_length = 0; ///< nullopt: chunks.
    bool body_announced = false;
};

class RequestParser {
  public:
    RequestParser();
    ~RequestParser();

    /// Offer all bytes that were received and not taken yet. Returns how many it took; 0: more is needed.
    /// Errors: too_large, unimplemented (a transfer coding), invalid_argument.
    Result<std::size_t> feed_head(std::string_view input);
    bool head_done() const;
    /// Valid from head_done() until reset(); the caller may move out of it.
    RequestHead& head() { return head_; }

    /// Gives `sink` what of the body is in `input`; returns how many bytes it took. What it leaves before
    /// body_done() must be offered again with more. Errors: invalid_argument.
    Result<std::size_t> feed_body(std::string_view input, const std::function<void(std::string_view)>& sink);
    /// After a whole head: whether the body has come to its end, too.
    bool body_done() const;

    void reset();

  private:
    class Beast;
    Result<std::size_t> find_head_end(std::string_view input);
    Result<void> check_head();
    Result<void> check_lengths();

    std::unique_ptr<Beast> beast_;
    RequestHead head_;
    std::size_t scanned_ = 0; ///< Of an incomplete head.
    bool empty_line_ = false; ///< One was taken before the head.
};

} // namespace dwcp::http
