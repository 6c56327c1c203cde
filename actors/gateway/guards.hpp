// Who may ask: checks that run before a handler.
#pragma once

#include "actors/gateway/backend.hpp"
#include "runtime/http/route.hpp"

#include <string>
#include <string_view>

namespace dwcp::gateway {

/// Whether "localhost:8101", "127.0.0.1", "[::1]:80" or the like names this machine.
bool is_loopback_authority(std::string_view authority);

/// Refuses requests that a browser sends for a page from elsewhere: a foreign name in Host (DNS rebinding) or
/// in Origin. The node listens on loopback only, so an honest client has no other name for it.
/// Errc::permission_denied.
Result<void> check_same_machine(const http::Request& request);

/// Who asks: by certificate, by the operator token, or as a client of this machine, which gets `local_role`.
/// Errc::unauthenticated if a token was sent that is not this node's; says where `token_file` is.
Result<identity::Principal> identify(const http::Request& request, const Backend& backend,
                                     identity::Role local_role, const std::string& token_file);

/// The server's guard: the two above, then the route's role. 401 says how to show who one is, 403 which role
/// is needed and which one the client has. Whoever is turned away from changing something is told to the
/// backend.
http::Guard make_guard(Backend& backend, identity::Role local_role, std::string token_file);

} // namespace dwcp::gateway
