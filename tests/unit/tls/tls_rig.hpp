// Two ends of a socket pair that shake hands in turns, and a directory that goes with the test.
#pragma once

#include "tests/unit/tls/test_certificates.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::testing {

class Directory {
  public:
    Directory() {
        std::string path = (std::filesystem::temp_directory_path() / "dwcp-tls-XXXXXX").string();
        REQUIRE(mkdtemp(path.data()) != nullptr);
        path_ = path;
    }
    ~Directory() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    /// A folder in it, made at the first call.
    std::filesystem::path operator/(const std::string& name) const {
        std::filesystem::create_directories(path_ / name);
        return path_ / name;
    }

  private:
    std::filesystem::path path_;
};

/// Both ends of a connection, non-blocking.
struct Pair {
    Pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0); }
    ~Pair() {
        close_end(0);
        close_end(1);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    void close_end(std::size_t end) {
        if (fds[end] >= 0) ::close(fds[end]);
        fds[end] = -1;
    }
    std::array<int, 2> fds{-1, -1};
};

inline std::shared_ptr<tls::Context> load(const tls::Files& files, const std::string& cluster = "demo") {
    auto context = tls::Context::load(files, cluster);
    if (!context) FAIL(context.error().render());
    return *context;
}

/// How a handshake ended at one end; nothing: well.
using End = std::optional<Error>;

struct Ends {
    End accepting;
    End connecting;
};

/// Repeats `step` until it is done or failed, or wants what the socket is not: then nothing has moved and
/// the other end has its turn.
template<class Step>
std::optional<Result<tls::Progress>> as_far_as_it_goes(int fd, Step step) {
    for (;;) {
        auto progress = step();
        if (!progress || progress->want == tls::Want::nothing) return progress;
        const bool reads = progress->want == tls::Want::readable;
        pollfd ready{fd, static_cast<short>(reads ? POLLIN : POLLOUT), 0};
        if (::poll(&ready, 1, 0) == 0) return std::nullopt;
    }
}

/// Shakes hands; then the connecting end sends a byte and the accepting one answers, since a refusal of a
/// client's certificate reaches the client only then.
inline Ends meet(tls::Session& accepting, tls::Session& connecting, const Pair& pair) {
    Ends ends;
    bool accepted = false;
    bool connected = false;
    for (int turn = 0; turn < 100 && !(accepted && connected); ++turn) {
        if (!connected) {
            if (auto r = as_far_as_it_goes(pair.fds[1], [&] { return connecting.handshake(); })) {
                connected = true;
                if (!*r) ends.connecting = r->error();
            }
        }
        if (!accepted) {
            if (auto r = as_far_as_it_goes(pair.fds[0], [&] { return accepting.handshake(); })) {
                accepted = true;
                if (!*r) ends.accepting = r->error();
            }
        }
    }
    REQUIRE(accepted);
    REQUIRE(connected);
    Byte byte = 'x';
    if (!ends.accepting && !ends.connecting) REQUIRE(accepting.write({&byte, 1}).has_value());
    if (!ends.connecting) {
        const auto answer = as_far_as_it_goes(pair.fds[1], [&] { return connecting.read({&byte, 1}); });
        REQUIRE(answer.has_value());
        if (!*answer) ends.connecting = answer->error();
    }
    return ends;
}

} // namespace dwcp::testing
