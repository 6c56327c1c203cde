#include "actors/gateway/conditions.hpp"

#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::gateway {
namespace {

using Kind = wire::Condition::Kind;

/// Repeated headers are one list (RFC 9110, section 5.2).
std::optional<std::string> joined(const http::Request& request, std::string_view name) {
    std::optional<std::string> value;
    for (auto [at, last] = request.headers.equal_range(name); at != last; ++at)
        value = value ? *value + ", " + at->second : at->second;
    return value;
}

void skip_blanks(std::string_view& text) {
    while (text.starts_with(' ') || text.starts_with('\t'))
        text.remove_prefix(1);
}

std::optional<EntityTags::Tag> take_tag(std::string_view& text) {
    EntityTags::Tag tag;
    tag.weak = text.starts_with("W/");
    if (tag.weak) text.remove_prefix(2);
    if (!text.starts_with('"')) return std::nullopt;
    const std::size_t end = text.find('"', 1);
    if (end == std::string_view::npos) return std::nullopt;
    tag.opaque = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    const bool printable =
        std::ranges::all_of(tag.opaque, [](unsigned char c) { return c > 0x20 && c != 0x7f; });
    return printable ? std::optional(std::move(tag)) : std::nullopt;
}

std::unexpected<Error> malformed(std::string_view name) {
    return fail(Errc::invalid_argument, fmt::format("{} is neither '*' nor a list of quoted ETags", name),
                R"(send it as the object's ETag header says, quotes included: "3f2a...")");
}

/// `strong`: weak tags name no version.
std::vector<Hash256> versions_of(const EntityTags& tags, bool strong) {
    std::vector<Hash256> versions;
    for (const auto& tag : tags.tags) {
        Hash256 hash;
        // A tag of another form is none that this cluster ever gave: no object has that version.
        if (!(strong && tag.weak) && from_hex(tag.opaque, hash.bytes)) versions.push_back(hash);
    }
    return versions;
}

bool names(const EntityTags& tags, const std::string& etag, bool strong) {
    if (tags.any) return true;
    return std::ranges::any_of(
        tags.tags, [&](const auto& tag) { return !(strong && tag.weak) && '"' + tag.opaque + '"' == etag; });
}

} // namespace

std::optional<EntityTags> parse_entity_tags(std::string_view value) {
    EntityTags all;
    skip_blanks(value);
    while (value.ends_with(' ') || value.ends_with('\t'))
        value.remove_suffix(1);
    if (value == "*") {
        all.any = true;
        return all;
    }
    while (!value.empty()) {
        if (!value.starts_with(',')) {
            auto tag = take_tag(value);
            if (!tag) return std::nullopt;
            all.tags.push_back(std::move(*tag));
            skip_blanks(value);
            if (!value.empty() && !value.starts_with(',')) return std::nullopt;
        }
        if (!value.empty()) value.remove_prefix(1);
        skip_blanks(value);
    }
    return all.tags.empty() ? std::nullopt : std::optional(std::move(all));
}

Result<wire::Condition> parse_condition(const http::Request& request) {
    const auto match = joined(request, "If-Match");
    const auto none_match = joined(request, "If-None-Match");
    if (!match && !none_match) return wire::Condition{};
    if (match && none_match)
        return fail(Errc::invalid_argument, "If-Match and If-None-Match in one request",
                    "If-Match replaces that version, 'If-None-Match: *' only creates: send one of them");
    const std::string_view name = match ? "If-Match" : "If-None-Match";
    const auto tags = parse_entity_tags(match ? *match : *none_match);
    if (!tags) return malformed(name);
    if (tags->tags.size() > wire::kConditionVersionsMax)
        return fail(Errc::invalid_argument,
                    fmt::format("{} names more than {} versions", name, wire::kConditionVersionsMax),
                    "send fewer, or ask for the current version's ETag first");
    if (match)
        return tags->any ? wire::Condition{Kind::exists, {}}
                         : wire::Condition{Kind::is_one_of, versions_of(*tags, true)};
    return tags->any ? wire::Condition{Kind::absent, {}}
                     : wire::Condition{Kind::is_none_of, versions_of(*tags, false)};
}

Result<ReadDecision> decide_read(const http::Request& request, const std::string& etag) {
    if (const auto match = joined(request, "If-Match")) {
        const auto tags = parse_entity_tags(*match);
        if (!tags) return malformed("If-Match");
        if (!names(*tags, etag, true)) return ReadDecision::failed;
    }
    if (const auto none_match = joined(request, "If-None-Match")) {
        const auto tags = parse_entity_tags(*none_match);
        if (tags && names(*tags, etag, false)) return ReadDecision::not_modified;
    }
    return ReadDecision::serve;
}

Result<void> check_early(const wire::Condition& condition, Backend& backend, const std::string& key) {
    if (condition.kind == Kind::none) return {};
    const auto current = backend.current_version(key);
    if (!current || wire::holds(condition, *current)) return {};
    return fail(Errc::condition_failed,
                "the request's condition does not hold: " + wire::describe_failure(condition, *current),
                "look at the object as it is now, then decide again");
}

http::Response error_response_for(const Error& error, Backend& backend, const std::string& key) {
    auto response = http::error_response(error);
    if (error.code != Errc::condition_failed) return response;
    const auto current = backend.current_version(key);
    if (current && *current) response.headers.emplace_back("ETag", etag_of(**current));
    return response;
}

} // namespace dwcp::gateway
