// Why a connection to a node did not come about, where TLS is the reason: in words for the person at the
// shell.
#pragma once

#include "ops/shell/failure.hpp"
#include "ops/shell/settings.hpp"

#include <httplib.h>
#include <optional>

namespace dwcp::shell {

/// Before a call whose failure tls_failure() is to explain.
void forget_tls_errors();

/// Nullopt: TLS is not the reason. `verify_result` is OpenSSL's X509_V_... for the node's certificate. May
/// connect once more, to see whether the node speaks what we do not.
std::optional<Failure> tls_failure(const Settings& settings, httplib::Error error, long verify_result);

/// The own certificate and key that OpenSSL did not take.
Failure bad_certificate(const Settings& settings);

} // namespace dwcp::shell
