#include "actors/gateway/body_form.hpp"

#include "actors/gateway/conditions.hpp"
#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::gateway {
namespace {

constexpr std::string_view kDefaultContentType = "application/octet-stream";

} // namespace

std::optional<http::Response> refuse_form(const http::Request& request, std::uint64_t bytes_max) {
    if (!request.body_announced)
        return http::error_response({Errc::invalid_argument, "the length of the object is not known",
                                     "send Content-Length or Transfer-Encoding: chunked"},
                                    411);
    const auto encoding = request.header("Content-Encoding");
    if (encoding && *encoding != "identity")
        return http::error_response({Errc::invalid_argument, "objects have no Content-Encoding",
                                     "send the bytes as they are to be stored and leave the header out"},
                                    415);
    if (request.content_length.value_or(0) > bytes_max)
        return http::error_response({Errc::too_large,
                                     fmt::format("the body has {} bytes, this node takes at most {}",
                                                 *request.content_length, bytes_max),
                                     "split it"});
    return std::nullopt;
}

Result<std::string> parse_content_type(const std::string& text) {
    const bool printable = std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
    if (text.empty()) return std::string(kDefaultContentType);
    if (!printable || text.size() > wire::kContentTypeBytesMax)
        return fail(Errc::invalid_argument, "Content-Type is not a short printable text",
                    fmt::format("give at most {} ASCII characters", wire::kContentTypeBytesMax));
    return text;
}

Result<std::optional<Hash256>> announced_sha256(const http::Request& request) {
    const auto text = request.header("X-DWCP-SHA256");
    if (!text) return std::nullopt;
    Hash256 hash;
    if (from_hex(*text, hash.bytes)) return hash;
    return fail(Errc::invalid_argument, "X-DWCP-SHA256 is not a SHA-256", "give 64 hexadecimal digits");
}

http::Response answer_of(Result<manager::PutReceipt> receipt, const WorkloadId& workload, Backend& backend,
                         const std::string& key) {
    if (receipt) {
        auto response = json_response(receipt_json(*receipt), 201);
        response.headers.emplace_back("ETag", etag_of(receipt->manifest.sha256));
        if (!receipt->releases.empty()) response.headers.emplace_back("X-DWCP-Release", receipt->releases);
        return response;
    }
    if (receipt.error().code == Errc::deadline_exceeded)
        receipt.error().remedy = fmt::format("it may still be stored: ask GET /v1/workloads/{}", workload);
    return error_response_for(receipt.error(), backend, key);
}

} // namespace dwcp::gateway
