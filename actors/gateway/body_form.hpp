// What the head of a request says of the bytes in its body, and the answer to bytes that were committed: the
// same for whole objects and for parts.
#pragma once

#include "actors/gateway/backend.hpp"
#include "runtime/http/message.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dwcp::gateway {

/// Whether the body can be taken at all; else what to answer: 411 without a length, 415 with a
/// Content-Encoding, 413 if it announces more than `bytes_max`.
std::optional<http::Response> refuse_form(const http::Request& request, std::uint64_t bytes_max);

/// A content type to keep; a default for an empty one. Errc::invalid_argument.
Result<std::string> parse_content_type(const std::string& text);

/// X-DWCP-SHA256. Errc::invalid_argument.
Result<std::optional<Hash256>> announced_sha256(const http::Request& request);

/// The answer to a seal: 201 with the receipt, or the error, which says where to ask if it may still happen.
http::Response answer_of(Result<manager::PutReceipt> receipt, const WorkloadId& workload, Backend& backend,
                         const std::string& key);

} // namespace dwcp::gateway
