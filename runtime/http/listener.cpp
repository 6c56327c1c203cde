#include "runtime/http/listener.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::http {
namespace {

std::unexpected<Error> explain(int error, const std::string& host, std::uint16_t port) {
    const auto message = fmt::format("cannot listen for HTTP on {}:{}: {}", host, port, std::strerror(error));
    switch (error) {
    case EADDRINUSE:
        return fail(
            Errc::already_exists, message,
            fmt::format(
                "another program has the port: find it with 'ss -ltnp sport = :{}', or set another one in "
                "[listen].http",
                port));
    case EACCES:
        return fail(Errc::permission_denied, message,
                    "ports below 1024 need a privilege: set a higher one in [listen].http");
    case EADDRNOTAVAIL:
        return fail(Errc::invalid_argument, message,
                    "this machine has no such address: correct [listen].http");
    default:
        return fail(Errc::io_error, message, "");
    }
}

std::uint16_t bound_port(int fd) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
    return address.ss_family == AF_INET6 ? ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port)
                                         : ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

} // namespace

Result<Listener> listen_on(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0)
        return fail(Errc::invalid_argument,
                    fmt::format("cannot resolve '{}' to listen on: {}", host, gai_strerror(error)),
                    "give an address of this machine, such as 127.0.0.1, in [listen].http");
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);

    int error = EADDRNOTAVAIL;
    for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
        const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            error = errno;
            continue;
        }
        const int on = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, kListenBacklog) == 0)
            return Listener{fd, bound_port(fd)};
        error = errno;
        close(fd);
    }
    return explain(error, host, port);
}

} // namespace dwcp::http
