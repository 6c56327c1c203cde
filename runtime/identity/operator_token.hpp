// The secret that lets an operator on this machine change things: DATA_DIR/operator.token, mode 0600, made at
// the first start.
#pragma once

#include "protocols/base/result.hpp"

#include <string>

namespace dwcp::identity {

/// Reads the token (64 hex digits), or makes one. Fails if the file is damaged or readable by others, with
/// the remedy.
Result<std::string> load_or_create_operator_token(const std::string& directory);

} // namespace dwcp::identity
