// One set of loaded files that fit together: what a Context swaps when it reloads. Used by this room only.
#pragma once

#include "runtime/tls/context.hpp"
#include "runtime/tls/openssl.hpp"

#include <optional>
#include <string>

namespace dwcp::tls {

struct Material {
    SslContextPtr ssl;
    std::optional<Certificate> own; ///< Nothing: a client without a certificate.
    UnixMillis ca_until_ms = 0;
    std::string contents; ///< Of the three files, to see whether they have changed.
};

/// Reads and checks the files; see Context::load() for the errors. `cluster` may be empty: any, or that of
/// the own certificate.
Result<Material> load_material(const Files& files, const std::string& cluster);

} // namespace dwcp::tls
