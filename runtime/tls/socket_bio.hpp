// OpenSSL's way to a socket that stays the caller's. Its own socket BIO writes without MSG_NOSIGNAL, so a
// peer that went away would end the process by SIGPIPE; and it does not tell plain text from TLS.
#pragma once

#include "runtime/tls/openssl.hpp"

namespace dwcp::tls {

struct SocketState {
    int fd = -1;
    int error = 0;           ///< errno of the last call that failed for good.
    bool ended = false;      ///< The peer sends nothing more.
    bool plain_text = false; ///< The first byte was none that TLS begins with; reading fails from then on.
    bool first_seen = false;
};

/// A BIO over `state`, which outlives it. Null if out of memory.
BioPtr make_socket_bio(SocketState& state);

} // namespace dwcp::tls
