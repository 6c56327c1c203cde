// A listening TCP socket.
#pragma once

#include "protocols/base/result.hpp"

#include <cstdint>
#include <string>

namespace dwcp::http {

/// Connections that the kernel keeps for us while we are busy accepting others.
inline constexpr int kListenBacklog = 1024;

struct Listener {
    int fd = -1; ///< Non-blocking; the receiver closes it.
    std::uint16_t port = 0;
};

/// `port` 0: any free one. SO_REUSEADDR but not SO_REUSEPORT: a second node on the same port must fail, not
/// share it. Errors: already_exists (port in use), permission_denied, invalid_argument (host), io_error.
Result<Listener> listen_on(const std::string& host, std::uint16_t port);

} // namespace dwcp::http
