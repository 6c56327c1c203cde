#include "protocols/crypto/hash.hpp"
#include "runtime/backup/backup.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace dwcp::backup {
namespace {

using nlohmann::json;

std::unexpected<Error> damaged(const std::string& what) {
    return fail(Errc::corrupted, "backup.json " + what, "use another backup");
}

/// A whole number up to 2^63-1. The library would convert 1e24 as well, which is undefined.
std::uint64_t whole(const json& object, const char* name) {
    const json& value = object.at(name);
    const bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() <= INT64_MAX;
    if (!fits) throw json::type_error::create(302, std::string(name) + " is not a whole number", &value);
    return value.get<std::uint64_t>();
}

json lanes_json(const LaneEnds& lanes) {
    json object = json::object();
    for (const auto& [name, end] : lanes)
        object[name] = {{"last", end.last}, {"epoch", end.epoch}};
    return object;
}

LaneEnds parse_lanes(const json& object) {
    LaneEnds lanes;
    for (const auto& [name, end] : object.items())
        lanes[name] = {whole(end, "last"), whole(end, "epoch")};
    return lanes;
}

/// A backup's own files lie below it, whatever its list says.
bool stays_below(const std::string& path) {
    if (path.empty() || path.front() == '/' || path.find('\0') != std::string::npos) return false;
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view name(path.data() + begin, end - begin);
        if (name.empty() || name == "." || name == "..") return false;
        begin = end + 1;
    }
    return true;
}

Result<File> parse_file(const json& entry) {
    File file{entry.at("path").get<std::string>(), whole(entry, "bytes"), {}};
    if (!stays_below(file.path)) return damaged("names a file outside: '" + file.path + "'");
    if (!from_hex(entry.at("sha256").get<std::string>(), file.sha256.bytes))
        return damaged("has a malformed SHA-256 for " + file.path);
    return file;
}

json body_of(const Backup& backup) {
    json files = json::array();
    for (const File& file : backup.files)
        files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256.hex()}});
    return {{"format", kFormatVersion},
            {"id", backup.id},
            {"set", backup.set},
            {"node", backup.node},
            {"site", backup.site},
            {"cluster", backup.cluster},
            {"public_key", backup.public_key},
            {"version", backup.version},
            {"created_ms", backup.created_ms},
            {"pause_ms", backup.pause_ms},
            {"lanes", lanes_json(backup.lanes)},
            {"cut", lanes_json(backup.cut)},
            {"files", std::move(files)}};
}

std::string digest_of(const json& body) { return crypto::sha256(as_bytes(body.dump())).hex(); }

Result<Backup> parse_body(const json& body) {
    Backup backup;
    backup.id = body.at("id").get<std::string>();
    backup.set = body.at("set").get<std::string>();
    backup.node = body.at("node").get<std::string>();
    backup.site = body.at("site").get<std::string>();
    backup.cluster = body.at("cluster").get<std::string>();
    backup.public_key = body.at("public_key").get<std::string>();
    backup.version = body.at("version").get<std::string>();
    backup.created_ms = static_cast<UnixMillis>(whole(body, "created_ms"));
    backup.pause_ms = body.at("pause_ms").get<double>();
    backup.lanes = parse_lanes(body.at("lanes"));
    backup.cut = parse_lanes(body.at("cut"));
    for (const json& entry : body.at("files")) {
        auto file = parse_file(entry);
        if (!file) return std::unexpected(file.error());
        backup.files.push_back(std::move(*file));
    }
    return backup;
}

} // namespace

std::uint64_t Backup::bytes() const {
    std::uint64_t sum = 0;
    for (const File& file : files)
        sum += file.bytes;
    return sum;
}

std::string to_json(const Backup& backup) {
    json body = body_of(backup);
    body["digest"] = digest_of(body);
    return body.dump(1) + "\n";
}

Result<Backup> parse_backup(std::string_view text) {
    json body = json::parse(text, nullptr, false);
    if (!body.is_object()) return damaged("is not JSON");
    try {
        const auto format = whole(body, "format");
        if (format > kFormatVersion)
            return fail(
                Errc::precondition_failed,
                fmt::format("the backup has format {}; this version knows up to {}", format, kFormatVersion),
                "use the newer dwcp-node that made it");
        const auto digest = body.at("digest").get<std::string>();
        body.erase("digest");
        if (digest != digest_of(body)) return damaged("does not match its own digest: it was changed");
        return parse_body(body);
    } catch (const json::exception& error) {
        return damaged(fmt::format("is malformed: {}", error.what()));
    }
}

} // namespace dwcp::backup
