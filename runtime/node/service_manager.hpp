// What the process tells its service manager (systemd, Type=notify): the notify protocol of sd_notify(3),
// which is one datagram a message to the socket that NOTIFY_SOCKET names.
//
// One a process, made by main before anything starts. Without NOTIFY_SOCKET all of it does nothing. A message
// that cannot be sent is dropped: the service manager draws its own conclusions from silence. Thread-safe.
#pragma once

#include "protocols/base/clock.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace dwcp::node {

class ServiceManager {
  public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    static ServiceManager from_environment();

    /// The node serves; `status` is the line that `systemctl status` shows.
    void ready(std::string_view status) const;
    /// Configuration or certificates are read again; ready() ends this.
    void reloading() const;
    /// The end has begun.
    void stopping(std::string_view status) const;
    void alive() const;

    /// Within which alive() is expected; empty: the service manager does not watch this process.
    std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

  private:
    void notify(const std::string& message) const;

    std::string socket_path_;
    std::optional<Duration> watchdog_interval_;
};

} // namespace dwcp::node
