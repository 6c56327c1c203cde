// Conditional requests (RFC 9110, section 13): what If-Match and If-None-Match demand, and how a request that
// demands in vain is answered.
//
// A read is decided here. A write is only parsed and, where it certainly fails, refused before its body is
// read; what counts is decided in the metadata lane, see wire::Condition.
#pragma once

#include "actors/gateway/backend.hpp"
#include "protocols/wire/condition.hpp"
#include "runtime/http/message.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::gateway {

struct EntityTags {
    struct Tag {
        bool weak = false;
        std::string opaque; ///< Between the quotes.
    };
    bool any = false; ///< "*"
    std::vector<Tag> tags;
};

/// The value of If-Match or If-None-Match; nullopt: it is malformed.
std::optional<EntityTags> parse_entity_tags(std::string_view value);

/// What a PUT or DELETE demands. Errc::invalid_argument: a malformed header, both of them, or too many tags.
Result<wire::Condition> parse_condition(const http::Request& request);

enum class ReadDecision { serve, not_modified, failed };
/// For an object whose ETag is `etag`, quotes included. A malformed If-None-Match is ignored; a malformed
/// If-Match is Errc::invalid_argument.
Result<ReadDecision> decide_read(const http::Request& request, const std::string& etag);

/// Errc::condition_failed if the condition certainly does not hold now. Passes what it cannot know.
Result<void> check_early(const wire::Condition& condition, Backend& backend, const std::string& key);

/// error_response(), and with condition_failed the ETag that the object has now.
http::Response error_response_for(const Error& error, Backend& backend, const std::string& key);

} // namespace dwcp::gateway
