// Base64 (RFC 4648, section 4): how a JSON body carries bytes.
#pragma once

#include "protocols/base/bytes.hpp"

#include <optional>
#include <string_view>

namespace dwcp::gateway {

/// Strict: the standard alphabet with its padding and nothing else, or nullopt.
std::optional<Bytes> decode_base64(std::string_view text);

} // namespace dwcp::gateway
