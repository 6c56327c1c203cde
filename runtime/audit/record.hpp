// One record of the audit log and its place in the chain: hash = SHA-256(hash of the record before || text),
// so no record can be changed, left out or put in without changing every hash after it. Pure.
//
// The text is JSON without blanks, its keys in order. What a client says of itself stands under `claims`,
// apart from what it proved; values of secrets are taken out before anything is hashed.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"
#include "runtime/identity/principal.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwcp::audit {

/// What somebody wants to do.
struct Attempt {
    identity::Principal by; ///< As proved.
    std::string peer;       ///< Where from: "127.0.0.1:40312", or "site-b" for a call of another node.
    std::string claims;     ///< Who the client says it is: only its word.
    std::string verb;
    nlohmann::json args = nlohmann::json::object();
    std::string reason;
    bool dry_run = false;
};

/// The end of the chain at some time; "128-9f86d0..." in text.
struct Head {
    std::uint64_t n = 0; ///< 0: there is no record yet.
    Hash256 hash{};

    std::string text() const;
    bool operator==(const Head&) const = default;
};
std::optional<Head> parse_head(std::string_view text);

/// Arguments as they may be kept: without the attempt's own fields, and with "(removed)" for each value whose
/// name speaks of a secret.
nlohmann::json without_secrets(const nlohmann::json& args);

/// A record's text, canonical.
std::string canonical(const nlohmann::json& record);
Hash256 link(const Hash256& previous, std::string_view text);

/// How a record stands in the store: its hash, then its text.
Bytes pack(const Hash256& hash, std::string_view text);
struct Unpacked {
    Hash256 hash;
    std::string_view text;
};
std::optional<Unpacked> unpack(ByteView stored);

} // namespace dwcp::audit
