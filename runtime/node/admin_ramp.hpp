// What the verbs `ramp ...` do on this node. Whatever asks or commands the ramp goes to its host: a node that
// is not the host forwards it there, in the name of whoever asked.
#pragma once

#include "runtime/node/admin.hpp"
#include "runtime/node/ramp_node.hpp"

namespace dwcp::node {

void add_ramp_verbs(Admin& admin, RampNode& ramp);

/// "5s", "10m", "1h", "24h", "500ms" in milliseconds. Errors: invalid_argument.
Result<std::uint64_t> parse_span_ms(const std::string& text);

} // namespace dwcp::node
