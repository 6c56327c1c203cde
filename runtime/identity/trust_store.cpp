#include "runtime/identity/guarded_file.hpp"
#include "runtime/identity/identity.hpp"

#include <fmt/format.h>

#include <optional>
#include <string_view>

namespace dwcp::identity {
namespace {

constexpr std::string_view kHeader = "dwcp-known-peers 1\n";

/// Lines of "NAME 64_HEX_DIGITS" below the header.
std::optional<std::map<NodeName, PublicKey>> parse_pins(std::string_view text) {
    std::map<NodeName, PublicKey> pins;
    if (!text.starts_with(kHeader)) return std::nullopt;
    text.remove_prefix(kHeader.size());
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return std::nullopt; // cut short
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        const auto space = line.find(' ');
        PublicKey key;
        if (space == 0 || space == std::string_view::npos) return std::nullopt;
        if (!from_hex(line.substr(space + 1), key.bytes)) return std::nullopt;
        if (!pins.emplace(line.substr(0, space), key).second) return std::nullopt; // two keys for one name
    }
    return pins;
}

std::unexpected<Error> refuse(std::string message, std::string remedy) {
    return fail(Errc::unauthenticated, std::move(message), std::move(remedy));
}

} // namespace

Result<std::unique_ptr<TrustStore>> TrustStore::open(const std::string& directory,
                                                     const std::map<NodeName, std::string>& configured) {
    std::unique_ptr<TrustStore> store(new TrustStore);
    store->path_ = directory + "/known_peers";
    const auto content = read_guarded(store->path_, kWritableByOthers);
    if (!content) return std::unexpected(content.error());
    if (*content) {
        auto pins = parse_pins(**content);
        if (!pins) {
            return fail(
                Errc::corrupted,
                fmt::format("{}: damaged: it does not have the form that a node writes", store->path_),
                "restore it from a backup; without it, each peer is trusted anew at its next handshake");
        }
        store->pinned_ = std::move(*pins);
    }
    for (const auto& [name, hex] : configured) {
        store->fixed_[name] = !hex.empty();
        if (hex.empty()) continue;
        if (!from_hex(hex, store->pinned_[name].bytes)) {
            return fail(Errc::invalid_argument,
                        fmt::format("the configured public key of {} is not 64 hex digits", name),
                        "correct public_key in its [[peers]] entry");
        }
    }
    return store;
}

Result<void> TrustStore::check(const NodeName& name, const PublicKey& key) {
    const std::lock_guard lock(mutex_);
    const auto fixed = fixed_.find(name);
    if (fixed == fixed_.end()) {
        return refuse(fmt::format("node \"{}\" is not a peer of this node", name),
                      "if it should be, add a [[peers]] entry for it and restart this node");
    }
    if (const auto pin = pinned_.find(name); pin != pinned_.end()) {
        if (pin->second == key) return {};
        auto message = fmt::format("node \"{}\" shows key {}, but its known key is {}", name, key.hex(),
                                   pin->second.hex());
        if (fixed->second) {
            return refuse(std::move(message),
                          "if the new key is right, set it as public_key in its [[peers]] entry and "
                          "restart this node");
        }
        return refuse(std::move(message),
                      fmt::format("if the new key is right, remove the line of {} from {} and restart "
                                  "this node",
                                  name, path_));
    }
    // Trust on first use, but one key is one node: otherwise a peer could take a second name, and a second
    // vote.
    for (const auto& [other, pinned] : pinned_) {
        if (pinned != key) continue;
        return refuse(
            fmt::format("node \"{}\" shows key {}, which is that of node \"{}\"", name, key.hex(), other),
            "give each node its own data directory, so that each makes its own key");
    }
    std::string content(kHeader);
    auto pins = pinned_;
    pins[name] = key;
    for (const auto& [peer, pin] : pins) {
        const auto entry = fixed_.find(peer);
        const bool configured = entry != fixed_.end() && entry->second;
        if (!configured) content += fmt::format("{} {}\n", peer, pin.hex());
    }
    if (auto written = write_guarded(path_, content); !written) return written; // not trusted unless pinned
    pinned_ = std::move(pins);
    return {};
}

} // namespace dwcp::identity
