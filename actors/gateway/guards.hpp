// Who may ask: checks that run before a handler.
#pragma once

#include "actors/gateway/backend.hpp"
#include "runtime/http/message.hpp"

#include <string>
#include <string_view>

namespace dwcp::gateway {

/// Whether "localhost:8101", "127.0.0.1", "[::1]:80" or the like names this machine.
bool is_loopback_authority(std::string_view authority);

/// Refuses requests that a browser sends for a page from elsewhere: a foreign name in Host (DNS rebinding) or
/// in Origin. The node listens on loopback only, so an honest client has no other name for it.
/// Errc::permission_denied.
Result<void> check_same_machine(const http::Request& request);

/// Errc::unauthenticated unless the request carries the operator token; says where `token_file` is.
Result<void> check_operator(const http::Request& request, const Backend& backend,
                            const std::string& token_file);

} // namespace dwcp::gateway
