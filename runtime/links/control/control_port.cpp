#include "runtime/links/control/control_port.hpp"

#include "runtime/base/events.hpp"
#include "runtime/base/worker_pool.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace dwcp::links {
namespace {

/// Accepted in one go; then those get their turn that were accepted before.
constexpr int kAcceptsAtOnce = 64;
/// As many connections as the system may hold until they are accepted.
constexpr int kBacklog = 256;
/// How long a refused one may take to read why.
constexpr milliseconds kLeaveWithin{500};
/// Without descriptors the listening socket would be ready for ever.
constexpr milliseconds kWithoutDescriptors{100};
/// What is overdue is ended this much later at the most.
constexpr int kSweepEveryMs = 100;

/// The unit that limits count: an IPv4 address, or the /64 that an IPv6 host chooses its addresses from.
std::string source_of(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        return ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    }
    auto v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) return ::inet_ntop(AF_INET, &v6.s6_addr[12], text.data(), text.size());
    std::memset(&v6.s6_addr[8], 0, 8);
    return std::string(::inet_ntop(AF_INET6, &v6, text.data(), text.size())) + "/64";
}

Result<Descriptor> bind_to(const ControlPort::Options& options) {
    const auto addresses = addresses_of(options.host, options.port);
    const auto failed = [&](const std::string& why, int error) {
        return fail(
            Errc::unavailable,
            fmt::format("cannot listen for control links on {}:{}: {}", options.host, options.port, why),
            error == EADDRNOTAVAIL
                ? "this machine has no such address: correct listen.control"
                : "stop what uses that port (`ss -ltnp` shows it), or change listen.control");
    };
    if (!addresses) return failed("no such address", EADDRNOTAVAIL);
    Descriptor socket(
        ::socket(addresses->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, addresses->ai_protocol));
    const int on = 1;
    // The port may still have connections of an earlier life in TIME_WAIT.
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.get(), addresses->ai_addr, addresses->ai_addrlen) != 0 ||
        ::listen(socket.get(), kBacklog) != 0) {
        return failed(std::strerror(errno), errno);
    }
    return socket;
}

std::uint16_t port_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

/// If the socket takes it; nothing waits for a stranger.
void say(int fd, const std::string& line) {
    (void)::send(fd, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

Refused why_refused(const Error& error) {
    switch (error.code) {
    case Errc::invalid_argument:
        return Refused::not_tls;
    case Errc::unauthenticated:
        return Refused::bad_certificate;
    default:
        return Refused::no_handshake;
    }
}

} // namespace

Result<std::unique_ptr<ControlPort>> ControlPort::start(Options options,
                                                        std::shared_ptr<Connections> connections,
                                                        std::shared_ptr<Refusals> refusals, Taker taker) {
    auto socket = bind_to(options);
    if (!socket) return std::unexpected(socket.error());
    return std::unique_ptr<ControlPort>(new ControlPort(std::move(options), std::move(connections),
                                                        std::move(refusals), std::move(taker),
                                                        std::move(*socket)));
}

ControlPort::ControlPort(Options options, std::shared_ptr<Connections> connections,
                         std::shared_ptr<Refusals> refusals, Taker taker, Descriptor socket)
    : options_(std::move(options)), connections_(std::move(connections)), refusals_(std::move(refusals)),
      taker_(std::move(taker)), socket_(std::move(socket)), port_(port_of(socket_.get())),
      thread_([this] { run(); }) {}

ControlPort::~ControlPort() {
    end_.cancel();
    thread_.join();
    for (const Guest& guest : guests_)
        connections_->forget(guest.id);
}

void ControlPort::run() {
    name_this_thread("control-port");
    std::vector<pollfd> watched;
    for (;;) {
        TimePoint now = std::chrono::steady_clock::now();
        watched.clear();
        watched.push_back({end_.fd(), POLLIN, 0});
        watched.push_back({now < accept_again_at_ ? -1 : socket_.get(), POLLIN, 0});
        for (const Guest& guest : guests_)
            watched.push_back({guest.socket.get(), guest.events, 0});
        (void)::poll(watched.data(), watched.size(), kSweepEveryMs);
        if (watched[0].revents != 0) return;
        now = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < guests_.size(); ++i) {
            if (watched[i + 2].revents != 0) serve(guests_[i], now);
            if (guests_[i].leaving && now >= guests_[i].leaves_by) let_go(guests_[i]);
        }
        std::erase_if(guests_, [](const Guest& guest) { return guest.socket.get() < 0; });
        if (watched[1].revents != 0) accept_all(now);
        connections_->sweep(now, unix_now_ms());
    }
}

void ControlPort::let_go(Guest& guest) {
    connections_->forget(guest.id);
    guest.socket = Descriptor();
}

void ControlPort::accept_all(TimePoint now) {
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        Descriptor socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket.get() >= 0) {
            receive(std::move(socket), source_of(address), now);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_again_at_ = now + kWithoutDescriptors;
            refusals_->note(Refused::no_descriptors, "control-port",
                            {Errc::resource_exhausted,
                             fmt::format("cannot accept connections: {}", std::strerror(errno)),
                             "raise LimitNOFILE of the node's service"},
                            now);
        }
        if (errno != EINTR && errno != ECONNABORTED) return;
    }
}

void ControlPort::receive(Descriptor socket, const std::string& source, TimePoint now) {
    const int fd = socket.get();
    const auto id = connections_->accepted(fd, source, options_.tls != nullptr, now);
    if (!id) {
        if (!options_.tls) {
            say(fd, refusal_line({Errc::resource_exhausted, "too many connections from this address",
                                  "try again later"}));
        }
        return;
    }
    if (!options_.tls) return taker_({{std::move(socket), nullptr, {}}, *id, port_});
    auto session = options_.tls->accept(fd, tls::Clients::nodes);
    guests_.push_back({std::move(socket), std::move(session), *id, POLLIN, false, {}});
}

void ControlPort::serve(Guest& guest, TimePoint now) {
    if (!guest.leaving) return shake(guest, now);
    std::array<Byte, 4096> thrown_away{};
    const auto size = ::recv(guest.socket.get(), thrown_away.data(), thrown_away.size(), MSG_DONTWAIT);
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) return;
    let_go(guest);
}

void ControlPort::shake(Guest& guest, TimePoint now) {
    const auto progress = guest.session->handshake();
    if (!progress) {
        if (progress.error().code != Errc::invalid_argument)
            return refuse(guest, why_refused(progress.error()), progress.error(), now);
        const Error plain{Errc::invalid_argument, progress.error().message,
                          "if it is a node, it needs a [tls] section like this node's"};
        say(guest.socket.get(),
            refusal_line({Errc::permission_denied, "the control port of this node speaks only TLS",
                          "set [tls] on the node that dials; see ops/certs"}));
        return refuse(guest, Refused::not_tls, plain, now);
    }
    if (progress->want == tls::Want::nothing) return admit(guest, now);
    guest.events = progress->want == tls::Want::readable ? POLLIN : POLLOUT;
}

void ControlPort::admit(Guest& guest, TimePoint now) {
    const tls::Certificate& certificate = *guest.session->peer(); // Clients::nodes: there is one.
    const std::string& name = certificate.subject.name;
    if (!options_.peers.contains(name)) {
        const Error error{Errc::permission_denied, fmt::format("{} is not a peer of this node", name),
                          fmt::format("add a [[peers]] entry for {} here, or stop it", name)};
        (void)guest.session->write(as_bytes(refusal_line(error)));
        guest.session->close();
        return refuse(guest, Refused::not_a_peer, error, now);
    }
    connections_->secured(guest.id, name, certificate.until_ms, now);
    taker_({{std::move(guest.socket), std::move(guest.session), {}}, guest.id, port_});
}

/// Keeps the socket until the other end has read why; see tls/session.hpp.
void ControlPort::refuse(Guest& guest, Refused reason, const Error& error, TimePoint now) {
    const bool is_first = connections_->refuse(guest.id, reason, error, now, true);
    guest.leaving = true;
    guest.events = POLLIN;
    guest.leaves_by = is_first ? now + kLeaveWithin : now;
}

} // namespace dwcp::links
