#include "actors/gateway/json_body.hpp"

#include <fmt/format.h>

namespace dwcp::gateway {
namespace {

constexpr const char* kRemedy = "ops/api.md and GET /v1/api say what the body holds";

const nlohmann::json& empty_object() {
    static const nlohmann::json empty = nlohmann::json::object();
    return empty;
}

} // namespace

Result<nlohmann::json> parse_json(std::string_view text) {
    bool too_deep = false;
    const auto bounded = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json&) {
        using Event = nlohmann::json::parse_event_t;
        const bool opens = event == Event::object_start || event == Event::array_start;
        too_deep = too_deep || (opens && depth >= kJsonDepthMax);
        return !too_deep; // nothing more is kept
    };
    auto parsed = nlohmann::json::parse(text, bounded, false);
    if (too_deep)
        return fail(Errc::invalid_argument,
                    fmt::format("the body's JSON is nested deeper than {} levels", kJsonDepthMax), kRemedy);
    if (parsed.is_discarded()) return fail(Errc::invalid_argument, "the body is not JSON", kRemedy);
    return parsed;
}

Result<nlohmann::json> read_json(const http::Request& request, std::size_t bytes_max) {
    const auto text = http::read_text(request, bytes_max);
    if (!text) return std::unexpected(text.error());
    return parse_json(*text);
}

Members::Members(const nlohmann::json& object, std::string where)
    : object_(object.is_object() ? object : empty_object()), where_(std::move(where)) {
    if (!object.is_object())
        error_ = Error{Errc::invalid_argument, where_ + " is not a JSON object", kRemedy};
}

void Members::wrong(const std::string& what) {
    if (!error_) error_ = Error{Errc::invalid_argument, where_ + ": " + what, kRemedy};
}

const nlohmann::json* Members::find(const std::string& name, bool required) {
    taken_.insert(name);
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    if (required) wrong("'" + name + "' is missing");
    return nullptr;
}

std::string Members::text(const std::string& name, const std::string& fallback, std::size_t bytes_max) {
    const auto* value = find(name, false);
    if (value == nullptr) return fallback;
    const auto* text = value->get_ptr<const std::string*>();
    if (text != nullptr && text->size() <= bytes_max) return *text;
    wrong(fmt::format("'{}' is not a text of at most {} bytes", name, bytes_max));
    return fallback;
}

std::string Members::required_text(const std::string& name, std::size_t bytes_max) {
    find(name, true);
    return text(name, "", bytes_max);
}

std::uint64_t Members::number(const std::string& name, std::uint64_t fallback, std::uint64_t min,
                              std::uint64_t max) {
    const auto* value = find(name, false);
    if (value == nullptr) return fallback;
    if (value->is_number_unsigned()) {
        const auto number = value->get<std::uint64_t>();
        if (number >= min && number <= max) return number;
    }
    wrong(fmt::format("'{}' is not a whole number from {} to {}", name, min, max));
    return fallback;
}

std::uint64_t Members::required_number(const std::string& name, std::uint64_t min, std::uint64_t max) {
    find(name, true);
    return number(name, min, min, max);
}

double Members::real(const std::string& name, double fallback, double min, double max) {
    const auto* value = find(name, false);
    if (value == nullptr) return fallback;
    if (value->is_number()) {
        const auto number = value->get<double>();
        if (number >= min && number <= max) return number; // neither holds for what is not a number
    }
    wrong(fmt::format("'{}' is not a number from {} to {}", name, min, max));
    return fallback;
}

const nlohmann::json& Members::required_object(const std::string& name) {
    const auto* value = find(name, true);
    if (value != nullptr && value->is_object()) return *value;
    wrong(fmt::format("'{}' is not a JSON object", name));
    return empty_object();
}

const nlohmann::json* Members::list(const std::string& name, std::size_t count_max, bool required) {
    const auto* value = find(name, required);
    if (value == nullptr || (value->is_array() && value->size() <= count_max)) return value;
    wrong(fmt::format("'{}' is not a list of at most {}", name, count_max));
    return nullptr;
}

Result<void> Members::done() {
    for (const auto& [name, value] : object_.items())
        if (!taken_.contains(name)) wrong("there is no member '" + name + "'");
    if (error_) return std::unexpected(*error_);
    return {};
}

} // namespace dwcp::gateway
