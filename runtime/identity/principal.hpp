// Who asks, and what they may do. One order of roles for shell, console, programs and peers:
//
//   none     health and readiness only
//   viewer   reads everything, secrets excepted
//   writer   a program: puts, gets and deletes objects, submits transactions
//   operator runs the cluster: restarts actors, drains nodes, takes backups
//   admin    what can lose data or defeat a protection: restore, chaos, quarantine, overrides
//
// Each role includes those before it. A role comes from the client's certificate (runtime/tls), from the
// operator token (admin) or, for clients on the node's own machine without either, from http.local_role.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwcp::identity {

enum class Role : std::uint8_t { none, viewer, writer, operator_, admin };

/// "none", "viewer", "writer", "operator", "admin".
std::string_view to_string(Role role);
std::optional<Role> parse_role(std::string_view text);

struct Principal {
    Role role = Role::none;
    std::string name; ///< "ann" from her certificate, "local" without one.
    std::string how;  ///< "certificate", "token", "loopback" or "none".

    bool may(Role needed) const { return role >= needed; }
};

} // namespace dwcp::identity
