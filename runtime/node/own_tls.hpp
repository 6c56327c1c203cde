// The node's own TLS files, as [tls] names them. Called by the node at its start and by `dwcp-node --check`.
#pragma once

#include "runtime/config/config.hpp"
#include "runtime/tls/context.hpp"

#include <memory>

namespace dwcp::node {

tls::Files tls_files(const config::NodeConfig& config);

/// Null without [tls]. Errors: as tls::Context::load(), and that the certificate is not this node's.
Result<std::shared_ptr<tls::Context>> load_own_tls(const config::NodeConfig& config);

} // namespace dwcp::node
