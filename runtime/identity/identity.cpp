#include "runtime/identity/identity.hpp"

#include "runtime/identity/guarded_file.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string.h>
#include <string_view>

namespace dwcp::identity {
namespace {

constexpr std::string_view kKeyHeader = "dwcp-node-key 1\n";
constexpr std::string_view kIdHeader = "dwcp-node-id 1\n";

std::unexpected<Error> damaged(const std::string& path) {
    return fail(Errc::corrupted,
                fmt::format("{}: damaged: it does not have the form that a node writes", path),
                "restore it from a backup; to give the node a new identity instead, move node.key and "
                "node.id away and "
                "let its peers accept the new key");
}

/// Takes "NAME VALUE\n" off the front of `text`.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos || !text.starts_with(name)) return std::nullopt;
    std::string_view value = text.substr(0, end).substr(name.size());
    if (!value.starts_with(' ')) return std::nullopt;
    text.remove_prefix(end + 1);
    return value.substr(1);
}

/// The public half stands beside the seed, so that a damaged seed is noticed and not taken for another
/// node's.
std::optional<crypto::SigningKey> parse_key(std::string_view text) {
    if (!text.starts_with(kKeyHeader)) return std::nullopt;
    text.remove_prefix(kKeyHeader.size());
    const auto seed_hex = take_line(text, "seed");
    const auto public_hex = take_line(text, "public");
    crypto::Seed seed{};
    PublicKey expected;
    if (!seed_hex || !public_hex || !text.empty()) return std::nullopt;
    if (!from_hex(*seed_hex, seed) || !from_hex(*public_hex, expected.bytes)) return std::nullopt;
    auto key = crypto::SigningKey::from_seed(seed);
    explicit_bzero(seed.data(), seed.size());
    if (key.public_key() != expected) return std::nullopt;
    return key;
}

std::string render_key(const crypto::SigningKey& key) {
    crypto::Seed seed = key.seed();
    std::string hex = to_hex(seed);
    std::string text = fmt::format("{}seed {}\npublic {}\n", kKeyHeader, hex, key.public_key().hex());
    explicit_bzero(seed.data(), seed.size());
    explicit_bzero(hex.data(), hex.size());
    return text;
}

/// What node.id says: whose directory this is.
struct Owner {
    std::string name;
    std::string cluster_id;
    std::string public_key;

    bool operator==(const Owner&) const = default;
};

std::optional<Owner> parse_owner(std::string_view text) {
    if (!text.starts_with(kIdHeader)) return std::nullopt;
    text.remove_prefix(kIdHeader.size());
    const auto name = take_line(text, "name");
    const auto cluster = take_line(text, "cluster");
    const auto key = take_line(text, "public");
    if (!name || !cluster || !key || !text.empty()) return std::nullopt;
    return Owner{std::string(*name), std::string(*cluster), std::string(*key)};
}

std::string render_owner(const Owner& owner) {
    return fmt::format("{}name {}\ncluster {}\npublic {}\n", kIdHeader, owner.name, owner.cluster_id,
                       owner.public_key);
}

Result<void> check_owner(const std::string& path, const Owner& stored, const Owner& expected) {
    if (stored.name != expected.name || stored.cluster_id != expected.cluster_id) {
        return fail(
            Errc::precondition_failed,
            fmt::format(
                "{}: this data directory belongs to node \"{}\" of cluster \"{}\", not to node \"{}\" of "
                "cluster \"{}\"",
                path, stored.name, stored.cluster_id, expected.name, expected.cluster_id),
            "set node.data_dir to this node's own directory, or correct node.name and node.cluster_id");
    }
    if (stored.public_key != expected.public_key) {
        return fail(Errc::precondition_failed,
                    fmt::format("{}: node.key holds key {}, but this directory was made with key {}", path,
                                expected.public_key, stored.public_key),
                    "put the original node.key back; to accept the new one, remove node.id and let the peers "
                    "accept it");
    }
    return {};
}

/// Reads the key, or makes it if this is the directory's first start: there is no node.id yet.
Result<crypto::SigningKey> load_key(const std::string& path, bool first_start) {
    auto content = read_guarded(path, kReadableByOthers);
    if (!content) return std::unexpected(std::move(content.error()));
    if (*content) {
        auto key = parse_key(**content);
        explicit_bzero((*content)->data(), (*content)->size());
        if (!key) return damaged(path);
        return std::move(*key);
    }
    if (!first_start) {
        return fail(Errc::not_found,
                    fmt::format("{}: missing, though this node has run before (node.id is there)", path),
                    "restore it from a backup; to go on under a new identity, remove node.id and let the "
                    "peers accept it");
    }
    auto key = crypto::SigningKey::generate();
    std::string text = render_key(key);
    auto written = write_guarded(path, text);
    explicit_bzero(text.data(), text.size());
    if (!written) return std::unexpected(std::move(written.error()));
    return key;
}

Incarnation fresh_incarnation() {
    Incarnation incarnation = 0; // 0 means "none" in messages and logs
    while (incarnation == 0)
        crypto::random_bytes({reinterpret_cast<Byte*>(&incarnation), sizeof incarnation});
    return incarnation;
}

Result<void> make_directory(const std::string& directory) {
    std::error_code error;
    if (std::filesystem::is_directory(directory, error)) return {};
    if (std::filesystem::create_directories(directory, error); !error) {
        std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
    }
    if (!error) return {};
    return fail(Errc::io_error, fmt::format("{}: cannot be made a directory: {}", directory, error.message()),
                "set node.data_dir to a directory that this user can write");
}

} // namespace

Result<Identity> load_or_create(const std::string& directory, const NodeName& name, const std::string& site,
                                const std::string& cluster_id) {
    crypto::initialise();
    if (auto made = make_directory(directory); !made) return std::unexpected(std::move(made.error()));

    const std::string id_path = directory + "/node.id";
    const auto id = read_guarded(id_path, kWritableByOthers);
    if (!id) return std::unexpected(id.error());
    std::optional<Owner> stored;
    if (*id && !(stored = parse_owner(**id))) return damaged(id_path);

    auto key = load_key(directory + "/node.key", !stored);
    if (!key) return std::unexpected(std::move(key.error()));
    const Owner owner{name, cluster_id, key->public_key().hex()};
    // node.id is written last: a start that was cut short before it is simply done again.
    const auto checked =
        stored ? check_owner(id_path, *stored, owner) : write_guarded(id_path, render_owner(owner));
    if (!checked) return std::unexpected(checked.error());

    return Identity{name, site, cluster_id, fresh_incarnation(),
                    std::make_shared<const crypto::SigningKey>(std::move(*key))};
}

} // namespace dwcp::identity
