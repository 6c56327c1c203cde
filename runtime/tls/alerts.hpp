// What the other end's refusal means. Used by this room only.
#pragma once

#include "protocols/base/result.hpp"

#include <optional>
#include <string>

namespace dwcp::tls {

/// `reason`: that of OpenSSL's error. Nothing if it is no alert from the peer.
std::optional<Error> describe_alert(int reason, const std::string& address);

} // namespace dwcp::tls
