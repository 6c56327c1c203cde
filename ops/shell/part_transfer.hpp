// Large files, sent in parts, so that an upload that was cut short goes on where it was.
#pragma once

#include "ops/shell/transfer.hpp"
#include "ops/shell/verbs.hpp"

namespace dwcp::shell {

/// Smaller files are as well sent anew.
inline constexpr std::uint64_t kPartsFromBytes = 64ULL << 20;

/// A regular file of that size at least.
bool is_sent_in_parts(const PutRequest& request);

/// The receipt, after checking that the node took in what was read. What the node has already, by its
/// SHA-256, is not sent again. An upload that fails or is interrupted is kept, and the failure says how to go
/// on.
Outcome<nlohmann::json> put_in_parts(Context& context, const PutRequest& request);

} // namespace dwcp::shell
