// A TCP client that sends what it is told, however malformed, for tests of HTTP servers.
#pragma once

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <cstdint>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::test {

class RawClient {
  public:
    /// `receive_bytes`: the receive buffer's size, to be slow with; 0: the system's.
    explicit RawClient(std::uint16_t port, int receive_bytes = 0)
        : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (receive_bytes > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    ~RawClient() { close(fd_); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    /// False once the server has closed.
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (count <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }
    void end_sending() { shutdown(fd_, SHUT_WR); }

    /// What comes until the server closes. Fails after 10 s of silence.
    std::string receive_all() {
        while (receive_some()) {
        }
        return received_;
    }
    /// What came so far, once it contains `text`.
    std::string receive_until(std::string_view text) {
        while (received_.find(text) == std::string::npos)
            if (!receive_some()) FAIL("closed before '" << text << "' came: " << received_);
        return received_;
    }
    int fd() const { return fd_; }

  private:
    bool receive_some() {
        pollfd waiting{fd_, POLLIN, 0};
        if (poll(&waiting, 1, 10'000) != 1) FAIL("nothing came for 10 s, after: " << received_);
        char buffer[4096];
        const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
        if (count <= 0) return false;
        received_.append(buffer, static_cast<std::size_t>(count));
        return true;
    }

    int fd_;
    std::string received_;
};

} // namespace dwcp::test
