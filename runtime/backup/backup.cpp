#include "runtime/backup/backup.hpp"

#include "runtime/identity/guarded_file.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ranges>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace dwcp::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kManifestName = "backup.json";
constexpr std::string_view kStoreName = "store";
/// A backup that is being made; taken for one that was cut short by whoever does not make it.
constexpr std::string_view kPartialSuffix = ".partial";
/// Of an id, before "-NODE".
constexpr std::size_t kTimeLength = std::string_view("20261124-085512").size();
/// Written last by a restore: with it the directory is a node's.
constexpr std::string_view kOwnerName = "node.id";

std::unexpected<Error> refused(const std::string& path, std::string_view what, const std::error_code& why) {
    return fail(Errc::io_error, fmt::format("{}: cannot be {}: {}", path, what, why.message()),
                "check the path, its owner and the disk");
}

/// 0700: a backup holds the users' data and the node's key.
Result<void> make_directory(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return refused(path, "created", error);
    fs::permissions(path, fs::perms::owner_all, error);
    if (error) return refused(path, "protected", error);
    return {};
}

Result<std::vector<std::string>> names_in(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
        names.push_back(it->path().filename().string());
    if (error) return refused(path, "listed", error);
    std::ranges::sort(names);
    return names;
}

/// Copies files one after the other, or links what an earlier backup has already.
class Writer {
  public:
    Writer(std::string target, const Backup* earlier, std::string earlier_path, const Progress& progress)
        : target_(std::move(target)), earlier_path_(std::move(earlier_path)), progress_(progress) {
        if (earlier == nullptr) return;
        for (const File& file : earlier->files)
            earlier_[file.path] = &file;
    }

    Result<File> add(const std::string& from, const std::string& name) {
        const std::string to = target_ + "/" + name;
        if (const auto known = earlier_.find(name); known != earlier_.end()) {
            auto linked = link_if_same(from, to, *known->second);
            if (!linked || *linked) return linked ? Result<File>(**linked) : std::unexpected(linked.error());
        }
        const auto digest = copy_file(from, to, progress_);
        if (!digest) return std::unexpected(digest.error());
        return File{name, digest->bytes, digest->sha256};
    }

  private:
    /// nullopt: it is another file than the earlier one.
    Result<std::optional<File>> link_if_same(const std::string& from, const std::string& to,
                                             const File& known) {
        std::error_code error;
        if (fs::file_size(from, error) != known.bytes || error) return std::nullopt;
        const auto digest = digest_file(from, progress_);
        if (!digest) return std::unexpected(digest.error());
        if (digest->sha256 != known.sha256) return std::nullopt;
        // A disk without hard links takes a copy instead.
        if (::link((earlier_path_ + "/" + known.path).c_str(), to.c_str()) != 0) return std::nullopt;
        return File{known.path, digest->bytes, digest->sha256};
    }

    const std::string target_;
    const std::string earlier_path_;
    const Progress& progress_;
    std::map<std::string, const File*> earlier_;
};

Result<void> fill(Backup& backup, const Source& source, const std::string& target, Writer& writer) {
    if (auto made = make_directory(target + "/" + std::string(kStoreName)); !made) return made;
    const auto names = names_in(source.store);
    if (!names) return std::unexpected(names.error());
    const auto add = [&](const std::string& from, const std::string& name) -> Result<void> {
        auto file = writer.add(from, name);
        if (!file) return std::unexpected(file.error());
        backup.files.push_back(std::move(*file));
        return {};
    };
    for (const std::string& name : *names)
        if (auto added = add(source.store + "/" + name, fmt::format("{}/{}", kStoreName, name)); !added)
            return added;
    for (const auto& [name, path] : source.files)
        if (std::error_code error; fs::exists(path, error))
            if (auto added = add(path, name); !added) return added;
    if (auto synced = sync_directory(target + "/" + std::string(kStoreName)); !synced) return synced;
    return identity::write_guarded(target + "/" + std::string(kManifestName), to_json(backup));
}

bool is_partial_of(std::string_view name, const NodeName& node) {
    return name.ends_with(kPartialSuffix) && name.size() > kTimeLength &&
           name.substr(kTimeLength) == fmt::format("-{}{}", node, kPartialSuffix);
}

} // namespace

std::string backup_id(UnixMillis now_ms, const std::string& of) {
    return fmt::format("{:%Y%m%d-%H%M%S}-{}", fmt::gmtime(static_cast<std::time_t>(now_ms / 1000)), of);
}

std::string Backups::free_id(UnixMillis now_ms, const std::string& of) const {
    constexpr UnixMillis kSecond = 1'000;
    std::error_code error;
    for (;; now_ms += kSecond) {
        std::string id = backup_id(now_ms, of);
        if (!fs::exists(path_of(id), error) && !fs::exists(path_of(id) + std::string(kPartialSuffix), error))
            return id;
    }
}

Result<Backup> Backups::create(Backup backup, const Source& source, const Progress& progress) const {
    if (auto made = make_directory(directory_); !made) return std::unexpected(made.error());
    const auto earlier = newest(backup.node, backup.cluster);
    if (!earlier) return std::unexpected(earlier.error());
    const std::string partial = path_of(backup.id) + std::string(kPartialSuffix);
    std::error_code error;
    if (fs::exists(path_of(backup.id), error) || fs::exists(partial, error))
        return fail(Errc::already_exists, fmt::format("there is a backup {} already", backup.id),
                    "try again in a second");
    const Backup* before = *earlier ? &**earlier : nullptr;
    Writer writer(partial, before, before == nullptr ? "" : path_of(before->id), progress);
    auto filled = fill(backup, source, partial, writer);
    if (filled) {
        fs::rename(partial, path_of(backup.id), error);
        if (error)
            filled = refused(partial, "renamed", error);
        else
            filled = sync_directory(directory_);
    }
    if (!filled) {
        fs::remove_all(partial, error);
        return std::unexpected(filled.error());
    }
    return backup;
}

Result<std::vector<Backup>> Backups::list(std::vector<std::string>* problems) const {
    std::vector<Backup> found;
    std::error_code error;
    if (!fs::exists(directory_, error)) return found;
    const auto names = names_in(directory_);
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
        if (name.ends_with(kPartialSuffix) || !fs::exists(path_of(name) + "/backup.json", error)) continue;
        auto backup = read_backup(path_of(name));
        if (backup)
            found.push_back(std::move(*backup));
        else if (problems != nullptr)
            problems->push_back(fmt::format("{}: {}", name, backup.error().message));
    }
    std::ranges::stable_sort(found, {}, &Backup::created_ms);
    return found;
}

Result<Backup> Backups::find(const std::string& id) const {
    const bool plain =
        !id.empty() && std::ranges::all_of(id, [](unsigned char c) { return std::isalnum(c) || c == '-'; });
    std::error_code error;
    if (!plain || !fs::exists(path_of(id) + "/backup.json", error))
        return fail(Errc::not_found, fmt::format("there is no backup '{}' in {}", id, directory_),
                    "`dwcp-shell -c 'backup list'` lists them");
    return read_backup(path_of(id));
}

Result<std::optional<Backup>> Backups::newest(const NodeName& node, const std::string& cluster) const {
    auto all = list();
    if (!all) return std::unexpected(all.error());
    for (Backup& backup : std::views::reverse(*all))
        if (backup.node == node && backup.cluster == cluster) return std::move(backup);
    return std::nullopt;
}

Result<std::vector<std::string>> Backups::prune(std::size_t keep, const NodeName& node,
                                                const std::string& cluster) const {
    std::vector<std::string> removed;
    const auto names = names_in(directory_);
    if (!names) return std::unexpected(names.error());
    auto complete = list();
    if (!complete) return std::unexpected(complete.error());
    std::erase_if(*complete, [&](const Backup& b) { return b.node != node || b.cluster != cluster; });
    std::error_code error;
    // Another node's may be one that is being made.
    for (const std::string& name : *names)
        if (is_partial_of(name, node)) fs::remove_all(path_of(name), error);
    for (std::size_t i = 0; i + keep < complete->size(); ++i) {
        const std::string& id = (*complete)[i].id;
        // Without its manifest it is no backup any more, should the rest be cut short.
        fs::remove(path_of(id) + "/backup.json", error);
        fs::remove_all(path_of(id), error);
        if (error) return refused(path_of(id), "removed", error);
        removed.push_back(id);
    }
    return removed;
}

Result<Backup> read_backup(const std::string& path) {
    const std::string manifest = path + "/" + std::string(kManifestName);
    std::error_code error;
    const auto bytes = fs::file_size(manifest, error);
    if (error)
        return fail(Errc::not_found, fmt::format("{} is not a backup: it has no backup.json", path),
                    "give the directory of a backup, e.g. DATA_DIR/backups/20261124-085512-site-a");
    if (bytes > kManifestBytesMax)
        return fail(Errc::corrupted, manifest + " is too large to be one", "use another backup");
    std::ifstream file(manifest, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return fail(Errc::io_error, manifest + ": cannot be read", "check its owner and the disk");
    auto backup = parse_backup(text.str());
    if (!backup) backup.error().message = path + ": " + backup.error().message;
    return backup;
}

Result<std::vector<std::string>> verify_files(const std::string& path, const Backup& backup,
                                              const Progress& progress) {
    std::vector<std::string> problems;
    std::set<std::string> known;
    for (const File& file : backup.files) {
        known.insert(file.path);
        const auto digest = digest_file(path + "/" + file.path, progress);
        if (!digest && digest.error().code == Errc::cancelled) return std::unexpected(digest.error());
        if (!digest)
            problems.push_back(digest.error().message);
        else if (digest->bytes != file.bytes)
            problems.push_back(
                fmt::format("{} has {} bytes instead of {}", file.path, digest->bytes, file.bytes));
        else if (digest->sha256 != file.sha256)
            problems.push_back(fmt::format("{} does not match its SHA-256", file.path));
    }
    const auto names = names_in(path + "/" + std::string(kStoreName));
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names)
        if (!known.contains(fmt::format("{}/{}", kStoreName, name)))
            problems.push_back(fmt::format("{}/{} is not part of the backup", kStoreName, name));
    return problems;
}

Result<void> restore_files(const std::string& path, const Backup& backup, const std::string& data_dir,
                           const Progress& progress,
                           const std::function<Result<void>(const std::string& store)>& adjust) {
    std::error_code error;
    if (auto made = make_directory(data_dir); !made) return made;
    const std::string store = data_dir + "/" + std::string(kStoreName);
    if (fs::exists(data_dir + "/" + std::string(kOwnerName), error))
        return fail(Errc::precondition_failed, fmt::format("{} holds a node's state already", data_dir),
                    fmt::format("stop that node and move its state aside: mkdir {0}.old && mv {0}/node.* "
                                "{0}/store {0}.old/",
                                data_dir));
    // What an attempt that was cut short has left.
    fs::remove_all(store, error);
    if (auto made = make_directory(store); !made) return made;
    const auto put = [&](const File& file) -> Result<void> {
        const std::string to = data_dir + "/" + file.path;
        fs::remove(to, error);
        const auto digest = copy_file(path + "/" + file.path, to, progress);
        if (!digest) return std::unexpected(digest.error());
        if (digest->sha256 != file.sha256)
            return fail(Errc::corrupted, fmt::format("{}/{} does not match its SHA-256", path, file.path),
                        "use another backup");
        return {};
    };
    const auto last = [](const File& file) { return file.path == kOwnerName; };
    for (const File& file : backup.files)
        if (!last(file))
            if (auto done = put(file); !done) return done;
    if (auto synced = sync_directory(store); !synced) return synced;
    if (auto adjusted = adjust(store); !adjusted) return adjusted;
    for (const File& file : backup.files)
        if (last(file))
            if (auto done = put(file); !done) return done;
    return sync_directory(data_dir);
}

} // namespace dwcp::backup
