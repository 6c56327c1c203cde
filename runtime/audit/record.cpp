#include "runtime/audit/record.hpp"

#include "protocols/crypto/hash.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace dwcp::audit {
namespace {

using nlohmann::json;

/// Members of a call that have a place of their own in the record.
constexpr std::array<std::string_view, 3> kOwnPlace = {"who", "reason", "dry_run"};
constexpr std::array<std::string_view, 4> kSecretWords = {"token", "secret", "password", "private"};

bool speaks_of_a_secret(std::string name) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    return std::ranges::any_of(kSecretWords, [&](auto word) { return name.find(word) != std::string::npos; });
}

json cleaned(const json& value) {
    if (value.is_array()) {
        json list = json::array();
        for (const auto& entry : value)
            list.push_back(cleaned(entry));
        return list;
    }
    if (!value.is_object()) return value;
    json members = json::object();
    for (const auto& [name, member] : value.items())
        members[name] = speaks_of_a_secret(name) ? json("(removed)") : cleaned(member);
    return members;
}

} // namespace

std::string Head::text() const { return std::to_string(n) + "-" + hash.hex(); }

std::optional<Head> parse_head(std::string_view text) {
    Head head;
    const auto* const end = text.data() + text.size();
    const auto [dash, error] = std::from_chars(text.data(), end, head.n);
    if (error != std::errc() || dash == end || *dash != '-') return std::nullopt;
    if (!from_hex({dash + 1, end}, head.hash.bytes)) return std::nullopt;
    return head;
}

json without_secrets(const json& args) {
    json kept = cleaned(args);
    if (kept.is_object())
        for (const auto name : kOwnPlace)
            kept.erase(std::string(name));
    return kept;
}

std::string canonical(const json& record) {
    return record.dump(-1, ' ', false, json::error_handler_t::replace);
}

Hash256 link(const Hash256& previous, std::string_view text) {
    return crypto::sha256({previous.view(), as_bytes(text)});
}

Bytes pack(const Hash256& hash, std::string_view text) {
    Bytes stored(hash.bytes.begin(), hash.bytes.end());
    stored.insert(stored.end(), text.begin(), text.end());
    return stored;
}

std::optional<Unpacked> unpack(ByteView stored) {
    Unpacked record;
    if (stored.size() < record.hash.bytes.size()) return std::nullopt;
    std::ranges::copy(stored.first(record.hash.bytes.size()), record.hash.bytes.begin());
    record.text = as_text(stored.subspan(record.hash.bytes.size()));
    return record;
}

} // namespace dwcp::audit
