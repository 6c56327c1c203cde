// A TCP connection to a node's port, by hand.
#pragma once

#include "protocols/base/bytes.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace dwcp::test {

class RawSocket {
  public:
    explicit RawSocket(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        is_connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~RawSocket() {
        if (fd_ >= 0) ::close(fd_);
    }
    RawSocket(RawSocket&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), is_connected_(other.is_connected_) {}
    RawSocket& operator=(RawSocket&&) = delete;

    int fd() const { return fd_; }
    bool is_connected() const { return is_connected_; }

    /// False: the other end has closed.
    bool send(ByteView bytes) const {
        return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
    }
    /// Up to `bytes_max` bytes that come within `patience`; less when the other end closes.
    Bytes read(std::size_t bytes_max, std::chrono::milliseconds patience) const {
        Bytes bytes;
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (bytes.size() < bytes_max) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            pollfd watched{fd_, POLLIN, 0};
            if (left.count() <= 0 || ::poll(&watched, 1, static_cast<int>(left.count())) <= 0) break;
            std::array<Byte, 4096> buffer{};
            const auto size =
                ::recv(fd_, buffer.data(), std::min(buffer.size(), bytes_max - bytes.size()), 0);
            if (size <= 0) break;
            bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + size);
        }
        return bytes;
    }
    /// Waits until the other end has closed the connection; what it sends meanwhile is thrown away.
    bool until_closed(std::chrono::milliseconds patience) const {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < deadline) {
            if (is_closed(100)) return true;
        }
        return false;
    }
    bool is_closed(int wait_ms = 0) const {
        for (;;) {
            pollfd watched{fd_, POLLIN, 0};
            if (::poll(&watched, 1, wait_ms) <= 0) return false;
            std::array<Byte, 4096> buffer{};
            if (::recv(fd_, buffer.data(), buffer.size(), 0) <= 0) return true;
        }
    }

  private:
    int fd_;
    bool is_connected_ = false;
};

} // namespace dwcp::test
