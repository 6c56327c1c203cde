#include "runtime/node/service_manager.hpp"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace dwcp::node {
namespace {

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// A newline would begin another assignment.
std::string one_line(std::string_view text) {
    std::string line(text);
    for (char& c : line) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    return line;
}

} // namespace

ServiceManager ServiceManager::from_environment() {
    ServiceManager manager;
    manager.socket_path_ = environment("NOTIFY_SOCKET");
    const auto interval_us = number(environment("WATCHDOG_USEC"));
    // Set for a parent's process, the interval is not meant for this one.
    const auto watched_pid = number(environment("WATCHDOG_PID"));
    const bool is_meant = !watched_pid || *watched_pid == static_cast<std::uint64_t>(getpid());
    if (!manager.socket_path_.empty() && interval_us && *interval_us > 0 && is_meant)
        manager.watchdog_interval_ = std::chrono::microseconds(*interval_us);
    return manager;
}

void ServiceManager::ready(std::string_view status) const { notify("READY=1\nSTATUS=" + one_line(status)); }

void ServiceManager::reloading() const {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto now_us =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now_us) + "\nSTATUS=reloading");
}

void ServiceManager::stopping(std::string_view status) const {
    notify("STOPPING=1\nSTATUS=" + one_line(status));
}

void ServiceManager::alive() const { notify("WATCHDOG=1"); }

void ServiceManager::notify(const std::string& message) const {
    sockaddr_un address{};
    if (socket_path_.empty() || socket_path_.size() >= sizeof(address.sun_path)) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0'; // the abstract name space
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_path_.size());
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    // Not waiting: a service manager that does not read must not hold the node up.
    (void)sendto(fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), length);
    close(fd);
}

} // namespace dwcp::node
