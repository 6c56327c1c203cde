// Bytes to and from a connection while a worker serves one request on it, with every wait bounded and every
// byte counted.
//
// It closes holes of the HTTP library's parser that stands above: lines without an end, bodies whose end was
// cut off. One a request; used by one worker thread.
#pragma once

#include "runtime/http/connection_loop.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <sys/types.h>

namespace dwcp::http {

class ConnectionStream {
  public:
    ConnectionStream(Connection& connection, milliseconds io_timeout);

    /// Like recv(): 0 at the end of the stream, -1 on an error or after a silence of io_timeout.
    ssize_t read(char* to, std::size_t size);
    /// Like send(): some bytes were taken; -1 on an error or if none was taken for io_timeout.
    ssize_t write(const char* from, std::size_t size);

    /// The body's length, if known: no more room than that is made for what arrives.
    void expect(std::optional<std::uint64_t> body_bytes);

    bool timed_out() const { return timed_out_; }
    bool saw_end() const { return saw_end_; }
    /// Whether what was read so far ends with an empty line, as a whole chunked body does.
    bool ended_with_empty_line() const;

    std::uint64_t received_bytes() const { return received_bytes_; }
    std::uint64_t sent_bytes() const { return sent_bytes_; }

    /// Before closing with a body unread: takes what still comes for a while, so that a client which is still
    /// sending gets to see the answer instead of a reset.
    void linger();

  private:
    bool wait_for(short events);
    ssize_t fill();
    bool line_too_long(const char* read, std::size_t size);

    Connection& connection_;
    const milliseconds io_timeout_;
    std::size_t receive_bytes_;
    std::uint64_t received_bytes_ = 0;
    std::uint64_t sent_bytes_ = 0;
    std::size_t line_bytes_ = 0; ///< Of the line that is being read byte by byte.
    std::uint32_t last_four_ = 0;
    bool timed_out_ = false;
    bool saw_end_ = false;
};

} // namespace dwcp::http
