#include "runtime/links/control/dial.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::links {
namespace {

/// The beginning of what CAF 0.17 sends first on a connection (caf/io/basp/header.hpp): operation 0, a
/// length, version.
struct BaspStart {
    static constexpr std::size_t kBytes = 16;
    static constexpr std::uint32_t kPayloadBytesMax = 64U << 10; // a handshake is below 200 bytes

    static bool matches(ByteView bytes) {
        std::uint32_t payload_bytes = 0;
        std::memcpy(&payload_bytes, &bytes[4], sizeof payload_bytes);
        return bytes[0] == 0 && ntohl(payload_bytes) <= kPayloadBytesMax;
    }
};

constexpr std::size_t kRefusalBytesMax = 1024;

/// A heartbeat of CAF's protocol, which says nothing there. A port that wants TLS sees at once that this is
/// none, and can say so, where it would wait in silence for a plain dialler that waits as well.
constexpr std::array<Byte, 32> kPlainOpening{6};

class Dial {
  public:
    Dial(const DialTarget& target, TimePoint deadline, const Cancellation& cancellation)
        : target_(target), address_(fmt::format("{}:{}", target.host, target.port)), deadline_(deadline),
          cancellation_(cancellation) {}

    Result<Channel> to(const addrinfo& address) {
        auto connected = connect(address);
        if (connected) connected = target_.tls != nullptr ? secure() : open_plainly();
        if (connected) connected = listen_for_start();
        if (!connected) return std::unexpected(connected.error());
        return std::move(channel_);
    }

  private:
    int fd() const { return channel_.socket.get(); }

    Result<void> connect(const addrinfo& address) {
        channel_.socket = Descriptor(::socket(
            address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol));
        if (fd() < 0) return unavailable(std::strerror(errno));
        if (::connect(fd(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
            return unavailable(std::strerror(errno));
        }
        if (auto ready = wait_for(POLLOUT, "does not accept the connection"); !ready) return ready;
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return unavailable(std::strerror(error));
        return {};
    }

    Result<void> open_plainly() {
        // Fits a new socket's buffer, always.
        const auto sent = ::send(fd(), kPlainOpening.data(), kPlainOpening.size(), MSG_NOSIGNAL);
        if (sent != static_cast<ssize_t>(kPlainOpening.size())) return unavailable(std::strerror(errno));
        return {};
    }

    Result<void> secure() {
        channel_.session = target_.tls->connect(fd(), target_.peer);
        for (;;) {
            const auto progress = channel_.session->handshake();
            if (!progress) return std::unexpected(in_our_words(progress.error()));
            if (progress->want == tls::Want::nothing) return {};
            if (auto ready = wait_for(*progress, "does not complete TLS"); !ready) return ready;
        }
    }

    /// Reads the first bytes: the peer's handshake begins with them, or its refusal.
    Result<void> listen_for_start() {
        while (channel_.read_ahead.size() < BaspStart::kBytes) {
            auto more = read_some(BaspStart::kBytes);
            if (!more) return more;
        }
        if (BaspStart::matches(channel_.read_ahead)) return {};
        if (as_text(channel_.read_ahead).starts_with(kRefusalMark)) return hear_refusal();
        return fail(Errc::precondition_failed,
                    fmt::format("what answers at {} is not the control port of a DWCP node", address_),
                    "correct the control address in the [[peers]] entry");
    }

    Result<void> hear_refusal() {
        while (channel_.read_ahead.size() < kRefusalBytesMax && channel_.read_ahead.back() != '\n') {
            if (!read_some(kRefusalBytesMax)) break; // What has come says enough.
        }
        std::string reason(as_text(channel_.read_ahead).substr(kRefusalMark.size()));
        while (!reason.empty() && reason.back() == '\n')
            reason.pop_back();
        for (char& letter : reason) { // It goes to logs and terminals.
            if (static_cast<unsigned char>(letter) < ' ' || letter == 127) letter = '?';
        }
        return fail(Errc::permission_denied, reason, {});
    }

    /// Waits until more of at most `bytes_max` bytes are there.
    Result<void> read_some(std::size_t bytes_max) {
        constexpr const char* kSilent = "accepted the connection but says nothing";
        std::array<Byte, kRefusalBytesMax> buffer{};
        const std::span<Byte> room(buffer.data(), bytes_max - channel_.read_ahead.size());
        for (;;) {
            auto progress = channel_.session ? channel_.session->read(room) : receive(room);
            if (!progress) return std::unexpected(in_our_words(progress.error()));
            if (progress->ended) return unavailable("the peer closed the connection at once");
            if (progress->bytes > 0) {
                channel_.read_ahead.insert(channel_.read_ahead.end(), room.begin(),
                                           room.begin() + static_cast<std::ptrdiff_t>(progress->bytes));
                return {};
            }
            if (auto ready = wait_for(*progress, kSilent); !ready) return ready;
        }
    }

    Result<tls::Progress> receive(std::span<Byte> to) {
        const auto size = ::recv(fd(), to.data(), to.size(), 0);
        if (size > 0) return tls::Progress{.bytes = static_cast<std::size_t>(size)};
        if (size == 0) return tls::Progress{.ended = true};
        if (errno == EAGAIN || errno == EINTR) return tls::Progress{.want = tls::Want::readable};
        return unavailable(std::strerror(errno));
    }

    Result<void> wait_for(const tls::Progress& progress, const char* otherwise) {
        return wait_for(progress.want == tls::Want::writable ? POLLOUT : POLLIN, otherwise);
    }

    Result<void> wait_for(short events, const char* otherwise) {
        for (;;) {
            const auto left = std::chrono::ceil<milliseconds>(deadline_ - std::chrono::steady_clock::now());
            std::array<pollfd, 2> watched{{{fd(), events, 0}, {cancellation_.fd(), POLLIN, 0}}};
            const int ready =
                ::poll(watched.data(), watched.size(), static_cast<int>(std::max<long>(0, left.count())));
            if (ready < 0 && errno == EINTR) continue;
            if (watched[1].revents != 0) return fail(Errc::cancelled, "this node is shutting down");
            if (watched[0].revents != 0) return {};
            return unavailable(otherwise);
        }
    }

    /// What a session says of a connection to clients in general, said of this one.
    Error in_our_words(Error error) const {
        if (error.code == Errc::invalid_argument) {
            error.code = Errc::unauthenticated;
            error.message = fmt::format("the control port at {} does not speak TLS", address_);
            error.remedy = fmt::format("set [tls] on {} too", target_.peer);
        }
        return error;
    }

    std::unexpected<Error> unavailable(std::string_view reason) const {
        return fail(Errc::unavailable, fmt::format("cannot connect to {}: {}", address_, reason),
                    "start the peer, or correct its control address");
    }

    const DialTarget& target_;
    const std::string address_;
    const TimePoint deadline_;
    const Cancellation& cancellation_;
    Channel channel_;
};

} // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

Cancellation::Cancellation() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Cancellation::cancel() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

bool is_loopback(const std::string& host) {
    in_addr v4{};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    return host == "::1" || host == "localhost";
}

Addresses addresses_of(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) found = nullptr;
    return {found, freeaddrinfo};
}

std::string refusal_line(const Error& error) {
    return fmt::format("{}{} ({})\n", kRefusalMark, error.message, error.remedy);
}

Result<Channel> dial(const DialTarget& target, TimePoint deadline, const Cancellation& cancellation) {
    const auto addresses = addresses_of(target.host, target.port);
    Result<Channel> result =
        fail(Errc::unavailable, fmt::format("cannot find the address of {}", target.host),
             "correct the control address in the [[peers]] entry");
    for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
        result = Dial(target, deadline, cancellation).to(*address);
        if (result || result.error().code == Errc::cancelled) break;
    }
    return result;
}

} // namespace dwcp::links
