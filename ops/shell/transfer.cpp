#include "ops/shell/transfer.hpp"

#include "ops/shell/partial_file.hpp"
#include "ops/shell/progress.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace dwcp::shell {
namespace {

constexpr const char* kStandard = "-";

/// The size of a regular file; nullopt for a pipe or device, which is read to its end.
Outcome<std::optional<std::uint64_t>> size_of(const std::string& file) {
    std::error_code error;
    const auto status = std::filesystem::status(file, error);
    if (std::filesystem::is_directory(status))
        return give_up(Exit::usage, fmt::format("{} is a directory", file), "put its files one by one");
    if (!std::filesystem::exists(status))
        return give_up(Exit::failed, fmt::format("there is no file {}", file));
    if (!std::filesystem::is_regular_file(status)) return std::nullopt;
    const auto size = std::filesystem::file_size(file, error);
    if (error) return give_up(Exit::failed, fmt::format("cannot read {}: {}", file, error.message()));
    return std::optional<std::uint64_t>(size);
}

std::string target_of(const std::string& key, const std::string& file) {
    const std::string name = key.substr(key.rfind('/') + 1);
    if (file.empty()) return name;
    std::error_code error;
    return std::filesystem::is_directory(file, error) ? (std::filesystem::path(file) / name).string() : file;
}

Failure mismatch(const std::string& node_has, const std::string& we_have, const char* remedy) {
    return {Exit::failed,
            fmt::format("the content's SHA-256 is {} at the node and {} here", node_has, we_have), remedy};
}

/// Sends everything that `sink` gets on, hashing it on the way.
Outcome<ObjectHead> fetch(Client& client, Terminal& terminal, const std::string& key, const WriteSink& sink) {
    crypto::Sha256 hash;
    std::optional<Progress> progress;
    const auto head = client.download(
        object_path(key),
        [&](const ObjectHead& announced) -> Outcome<void> {
            progress.emplace(terminal.err, terminal.err_is_terminal, key, announced.size_bytes);
            return {};
        },
        [&](ByteView piece) -> Outcome<void> {
            hash.update(piece);
            progress->add(piece.size());
            return sink(piece);
        });
    progress.reset();
    if (!head) return head;
    const std::string found = hash.finish().hex();
    if (head->sha256 != found)
        return std::unexpected(
            mismatch(head->sha256, found, "get it again; if it stays so, look at the node's log"));
    return head;
}

} // namespace

std::string object_path(const std::string& key) { return "/v1/objects/" + http::percent_encode_path(key); }

Outcome<nlohmann::json> put_file(Client& client, Terminal& terminal, const PutRequest& request) {
    const bool from_input = request.file == kStandard;
    std::optional<std::uint64_t> size;
    std::ifstream file;
    if (!from_input) {
        const auto found = size_of(request.file);
        if (!found) return std::unexpected(found.error());
        size = *found;
        file.open(request.file, std::ios::binary);
        if (!file)
            return give_up(Exit::failed,
                           fmt::format("cannot read {}: {}", request.file, std::strerror(errno)));
    }
    std::istream& in = from_input ? terminal.in : file;

    Headers headers;
    if (request.replicas) headers["X-DWCP-Replicas"] = std::to_string(*request.replicas);
    if (!request.codec.empty()) headers["X-DWCP-Codec"] = request.codec;
    crypto::Sha256 hash;
    const auto receipt = [&] {
        Progress progress(terminal.err, terminal.err_is_terminal, request.key, size);
        const auto read = [&](std::span<Byte> buffer) -> Outcome<std::size_t> {
            in.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(buffer.size()));
            const auto count = static_cast<std::size_t>(in.gcount());
            if (in.bad() || (size && count == 0))
                return give_up(Exit::failed,
                               fmt::format("{} became shorter or unreadable while it was sent", request.file),
                               "nothing was stored; put it again");
            hash.update(ByteView(buffer).first(count));
            progress.add(count);
            return count;
        };
        return client.upload(object_path(request.key), request.content_type, size, read, headers);
    }();
    if (!receipt) return receipt;
    const std::string sent = hash.finish().hex();
    if (const std::string stored = text_at(*receipt, "sha256"); stored != sent)
        return std::unexpected(mismatch(stored, sent, "remove the object and put it again"));
    return receipt;
}

Outcome<Fetched> get_file(Client& client, Terminal& terminal, const std::string& key,
                          const std::string& file) {
    if (file == kStandard) {
        bool written = false;
        auto head = fetch(client, terminal, key, [&](ByteView piece) -> Outcome<void> {
            written = true;
            terminal.out.write(reinterpret_cast<const char*>(piece.data()),
                               static_cast<std::streamsize>(piece.size()));
            if (!terminal.out) return give_up(Exit::failed, "cannot write the output");
            return {};
        });
        if (!head && written) head.error().exit = Exit::partial;
        if (!head) return std::unexpected(head.error());
        return Fetched{kStandard, head->size_bytes, head->sha256};
    }
    const std::string target = target_of(key, file);
    auto partial = PartialFile::create(target);
    if (!partial) return std::unexpected(partial.error());
    const auto head = fetch(client, terminal, key, [&](ByteView piece) { return (*partial)->write(piece); });
    if (!head) return std::unexpected(head.error());
    if (auto finished = (*partial)->finish(); !finished) return std::unexpected(finished.error());
    return Fetched{target, head->size_bytes, head->sha256};
}

} // namespace dwcp::shell
