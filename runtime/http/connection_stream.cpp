#include "runtime/http/connection_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace dwcp::http {
namespace {

/// A quarter of a block at a time keeps system calls rare beside copying.
constexpr std::size_t kReceiveBytes = 256U << 10;
constexpr std::size_t kReceiveBytesMin = 4U << 10;
/// The library reads lines (chunk sizes, trailers) one byte at a time into a string without a limit.
constexpr std::size_t kLineBytesMax = 8U << 10;
/// How much, and how long, a client may go on sending after it was refused.
constexpr std::size_t kLingerBytesMax = 64U << 20;
constexpr milliseconds kLingerTime{2'000};
constexpr std::uint32_t kCrLfCrLf = 0x0d0a0d0a;

} // namespace

ConnectionStream::ConnectionStream(Connection& connection, milliseconds io_timeout)
    : connection_(connection), io_timeout_(io_timeout), receive_bytes_(kReceiveBytes) {}

void ConnectionStream::expect(std::optional<std::uint64_t> body_bytes) {
    receive_bytes_ =
        std::clamp<std::uint64_t>(body_bytes.value_or(kReceiveBytes), kReceiveBytesMin, kReceiveBytes);
}

bool ConnectionStream::wait_for(short events) {
    pollfd waiting{connection_.fd, events, 0};
    for (;;) {
        const int ready = poll(&waiting, 1, static_cast<int>(io_timeout_.count()));
        if (ready > 0) return true;
        if (ready < 0 && errno == EINTR) continue;
        timed_out_ = ready == 0;
        return false;
    }
}

ssize_t ConnectionStream::fill() {
    std::string& input = connection_.input;
    connection_.consumed = 0;
    input.resize(receive_bytes_);
    for (;;) {
        const ssize_t count = recv(connection_.fd, input.data(), input.size(), MSG_DONTWAIT);
        if (count >= 0) {
            input.resize(static_cast<std::size_t>(count));
            saw_end_ = count == 0;
            return count;
        }
        if (errno == EINTR) continue;
        if ((errno != EAGAIN && errno != EWOULDBLOCK) || !wait_for(POLLIN)) break;
    }
    input.clear();
    return -1;
}

bool ConnectionStream::line_too_long(const char* read, std::size_t size) {
    if (size != 1 || *read == '\n')
        line_bytes_ = 0;
    else
        ++line_bytes_;
    return line_bytes_ > kLineBytesMax;
}

ssize_t ConnectionStream::read(char* to, std::size_t size) {
    if (connection_.consumed == connection_.input.size()) {
        if (const ssize_t count = fill(); count <= 0) return count;
    }
    const std::size_t count = std::min(size, connection_.input.size() - connection_.consumed);
    std::memcpy(to, connection_.input.data() + connection_.consumed, count);
    connection_.consumed += count;
    received_bytes_ += count;
    for (std::size_t i = count - std::min<std::size_t>(count, 4); i < count; ++i)
        last_four_ = last_four_ << 8 | static_cast<unsigned char>(to[i]);
    return line_too_long(to, count) ? -1 : static_cast<ssize_t>(count);
}

ssize_t ConnectionStream::write(const char* from, std::size_t size) {
    for (;;) {
        const ssize_t count = send(connection_.fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            sent_bytes_ += static_cast<std::uint64_t>(count);
            return count;
        }
        if (errno == EINTR) continue;
        if ((errno != EAGAIN && errno != EWOULDBLOCK) || !wait_for(POLLOUT)) return -1;
    }
}

bool ConnectionStream::ended_with_empty_line() const { return last_four_ == kCrLfCrLf; }

void ConnectionStream::linger() {
    shutdown(connection_.fd, SHUT_WR);
    std::array<char, 64U << 10> ignored;
    const auto end = std::chrono::steady_clock::now() + kLingerTime;
    for (std::size_t taken = 0; taken < kLingerBytesMax;) {
        const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
        pollfd waiting{connection_.fd, POLLIN, 0};
        if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return;
        const ssize_t count = recv(connection_.fd, ignored.data(), ignored.size(), MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return;
        if (count > 0) taken += static_cast<std::size_t>(count);
    }
}

} // namespace dwcp::http
