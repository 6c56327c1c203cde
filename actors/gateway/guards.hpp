// Who may ask: checks that run before a handler.
#pragma once

#include "actors/gateway/backend.hpp"
#include "runtime/http/route.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace dwcp::gateway {

/// Whether "localhost:8101", "127.0.0.1", "[::1]:80" or the like names this machine.
bool is_loopback_authority(std::string_view authority);

class LoadGovernor;

struct GuardOptions {
    /// Of clients on this machine without certificate and token; with `tls` they are Role::none.
    std::function<identity::Role()> local_role = [] { return identity::Role::none; };
    std::string token_file;           ///< Where the operator token is, for refusals.
    bool tls = false;                 ///< Whether the server speaks TLS.
    LoadGovernor* governor = nullptr; ///< Refuses what the node can do without; null: nothing is refused.
};

/// Refuses requests that a browser sends for a page from elsewhere. Errc::permission_denied.
/// Without TLS: a foreign name in Host (DNS rebinding) or in Origin; the node listens on loopback only, so an
/// honest client has no other name for it. With TLS: an Origin that is not the node's own address, since a
/// browser shows its user's certificate for any page.
Result<void> check_same_origin(const http::Request& request, bool tls);

/// Who asks: by certificate, by the operator token, or as a client of this machine.
/// Errc::unauthenticated if a token was sent that is not this node's, or the certificate has expired.
Result<identity::Principal> identify(const http::Request& request, const Backend& backend,
                                     const GuardOptions& options);

/// X-DWCP-Priority and X-DWCP-Deadline-Ms; the deadline counts from `now`, when the head has arrived.
/// Errc::invalid_argument: one of them is malformed, or there twice.
Result<health::Urgency> read_urgency(const http::Request& request, TimePoint now);

/// The server's guard: the first two above, then the route's role, then whether the node serves it now. 401
/// says how to show who one is, 403 which role is needed and which one the client has. Whoever is turned away
/// from changing something is told to the backend, on another thread. Lives no longer than the backend.
http::Guard make_guard(Backend& backend, GuardOptions options);

} // namespace dwcp::gateway
