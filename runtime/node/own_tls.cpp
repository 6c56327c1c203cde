#include "runtime/node/own_tls.hpp"

#include <fmt/format.h>

namespace dwcp::node {

tls::Files tls_files(const config::NodeConfig& config) {
    return {config.tls_certificate, config.tls_key, config.tls_ca};
}

Result<std::shared_ptr<tls::Context>> load_own_tls(const config::NodeConfig& config) {
    if (!config.tls()) return nullptr;
    auto context = tls::Context::load(tls_files(config), config.cluster_id);
    if (!context) return context;
    const tls::Subject own = (*context)->own().subject;
    if (own.is_node() && own.name == config.name) return context;
    return fail(Errc::precondition_failed,
                fmt::format("{}: the certificate belongs to {} {}, and this is node {}",
                            config.tls_certificate, own.kind, own.name, config.name),
                fmt::format("make one with 'ops/certs node {} --host HOST', or correct tls.certificate or "
                            "node.name",
                            config.name));
}

} // namespace dwcp::node
