// What a certificate says of its owner. DWCP's certificates carry exactly one URI of this form among their
// subject alternative names, and nothing else in them decides anything:
//
//   dwcp://CLUSTER/KIND/NAME        dwcp://demo/node/site-a   dwcp://demo/operator/ann
//
// KIND is "node" for a node's links to its peers, or the role of a client: viewer, writer, operator, admin.
// One certificate authority a cluster signs both; the kind keeps a client's certificate from posing as a
// node's and the other way round.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/identity/principal.hpp"

#include <string>
#include <string_view>

namespace dwcp::tls {

struct Subject {
    std::string cluster;
    std::string kind; ///< "node", "viewer", "writer", "operator" or "admin".
    std::string name;

    bool is_node() const { return kind == "node"; }
    std::string uri() const { return "dwcp://" + cluster + "/" + kind + "/" + name; }
};

/// Errc::invalid_argument unless `uri` has the form above; CLUSTER and NAME are 1 to 63 of a-z, 0-9 and '-'.
Result<Subject> parse_subject(std::string_view uri);

struct Certificate {
    Subject subject;
    std::string serial;     ///< Hex, as `openssl x509 -serial` prints it.
    UnixMillis from_ms = 0; ///< Valid from ...
    UnixMillis until_ms = 0;

    /// What an HTTP client with this certificate is; a node's certificate is nobody here (Role::none).
    identity::Principal principal() const;
};

} // namespace dwcp::tls
