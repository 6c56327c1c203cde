#include "runtime/store/rocks_database.hpp"

#include "runtime/store/rocks_options.hpp"
#include "runtime/store/rocks_status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace dwcp::store {
namespace {

namespace fs = std::filesystem;

/// Opening writes a manifest and what the log held, which seldom is more than this share of the budget.
constexpr std::size_t kOpenReserveShare = 8;

std::unexpected<Error> directory_error(const std::string& directory, int error, std::string_view what) {
    const std::string message =
        fmt::format("cannot {} the store's directory {}: {}", what, directory, std::strerror(error));
    switch (error) {
    case EACCES:
    case EPERM:
        return fail(Errc::permission_denied, message,
                    "give the user that runs dwcp-node write access to it (chown), or set node.data_dir to "
                    "another place");
    case ENOTDIR:
    case EEXIST:
        return fail(Errc::invalid_argument, message,
                    "set node.data_dir to a directory; a file of that name is in the way");
    case ENOSPC:
        return fail(Errc::resource_exhausted, message,
                    "free space on this disk or set node.data_dir to another one");
    case EROFS:
        return fail(Errc::io_error, message,
                    "the disk is mounted read-only: check the kernel log, then remount it");
    default:
        return fail(Errc::io_error, message, "check the disk and the path in node.data_dir");
    }
}

/// Creates the directory (0700: what is stored is the users' data) and makes sure that this process may write
/// in it.
Result<void> prepare_directory(const std::string& directory) {
    const fs::path path = fs::path(directory).lexically_normal();
    std::error_code error;
    if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
    if (error) return directory_error(directory, error.value(), "create");
    struct stat info {};
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return directory_error(directory, errno, "create");
    if (::stat(path.c_str(), &info) != 0) return directory_error(directory, errno, "read");
    if (!S_ISDIR(info.st_mode)) return directory_error(directory, ENOTDIR, "use");
    if (::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        return directory_error(directory, errno, "use");
    return {};
}

/// Whether the file system takes O_DIRECT; tmpfs, for one, does not.
bool takes_direct_io(const std::string& directory) {
    const std::string probe = directory + "/direct_io.probe";
    const int file = ::open(probe.c_str(), O_CREAT | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
    if (file >= 0) ::close(file);
    ::unlink(probe.c_str());
    return file >= 0;
}

/// CURRENT names the manifest; RocksDB takes a directory without it for empty and would start afresh over the
/// data.
Result<bool> has_database(const std::string& directory) {
    std::error_code error;
    if (fs::exists(directory + "/CURRENT", error)) return true;
    for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.ends_with(".sst") || name.ends_with(".blob") || name.ends_with(".log"))
            return fail(Errc::corrupted,
                        fmt::format("the store in {} has data but no file CURRENT", directory),
                        std::string(kRestoreRemedy));
    }
    if (error) return directory_error(directory, error.value(), "list");
    return false;
}

Error open_error(const rocksdb::Status& status, const std::string& directory) {
    const std::string text = status.ToString();
    // RocksDB has no code of its own for this; the first text is for another process, the second for this
    // one.
    if (text.find("While lock file") != std::string::npos ||
        text.find("lock hold by current process") != std::string::npos)
        return {Errc::unavailable,
                fmt::format("the store in {} is locked: another dwcp-node uses this directory", directory),
                "stop that node, or give each node its own node.data_dir"};
    if (status.IsInvalidArgument() || status.IsNotSupported())
        return {Errc::precondition_failed, fmt::format("cannot open the store in {}: {}", directory, text),
                "it was written by another version of dwcp-node or RocksDB: use that version"};
    return to_error(status, "open", directory);
}

/// Our families in their order, then any that a newer version added: RocksDB opens a database only with all
/// of them.
Result<std::vector<rocksdb::ColumnFamilyDescriptor>> descriptors(const Tuning& tuning,
                                                                 const std::string& directory, bool exists) {
    std::vector<rocksdb::ColumnFamilyDescriptor> list;
    for (std::size_t i = 0; i < kFamilyCount; ++i)
        list.emplace_back(std::string(kFamilyNames[i]),
                          i == kBlocksFamily ? tuning.blocks : tuning.small_values);
    if (!exists) return list;
    std::vector<std::string> names;
    const auto status = rocksdb::DB::ListColumnFamilies(tuning.database, directory, &names);
    if (!status.ok()) return std::unexpected(open_error(status, directory));
    for (const std::string& name : names)
        if (std::ranges::find(kFamilyNames, name) == kFamilyNames.end())
            list.emplace_back(name, tuning.small_values);
    return list;
}

bool is_empty(const Database& database) {
    return std::ranges::all_of(database.handles, [&](rocksdb::ColumnFamilyHandle* family) {
        const std::unique_ptr<rocksdb::Iterator> it(database.db->NewIterator({}, family));
        it->SeekToFirst();
        return !it->Valid() && it->status().ok();
    });
}

/// Refuses a newer format; writes ours into a new database.
Result<void> check_format(Database& database, const std::string& directory) {
    std::string text;
    const auto status =
        database.db->Get({}, database.families[kDefaultFamily], rocksdb::Slice(kFormatVersionKey), &text);
    if (status.IsNotFound() && is_empty(database)) {
        rocksdb::WriteOptions synced;
        synced.sync = true;
        const auto written =
            database.db->Put(synced, database.families[kDefaultFamily], rocksdb::Slice(kFormatVersionKey),
                             std::to_string(kFormatVersion));
        if (!written.ok()) return std::unexpected(to_error(written, "create", directory));
        return {};
    }
    if (!status.ok() && !status.IsNotFound()) return std::unexpected(to_error(status, "open", directory));
    std::uint32_t version = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    if (error != std::errc{} || end != text.data() + text.size() || version == 0)
        return fail(Errc::corrupted,
                    fmt::format("the store in {} does not say its format version", directory),
                    std::string(kRestoreRemedy));
    if (version > kFormatVersion)
        return fail(Errc::precondition_failed,
                    fmt::format("the store in {} has format version {}; this dwcp-node knows up to {}",
                                directory, version, kFormatVersion),
                    "start the newer dwcp-node that wrote it");
    return {};
}

Result<Database> open_read_only(const Options& options) {
    const std::string& directory = options.directory;
    std::error_code error;
    const auto exists = fs::is_directory(directory, error) ? has_database(directory) : Result<bool>(false);
    if (!exists) return std::unexpected(exists.error());
    if (!*exists)
        return fail(Errc::not_found, fmt::format("there is no store in {}", directory), "check the path");
    Database database;
    const Tuning tuning = make_tuning(options.memory_budget_bytes, false);
    const auto families = descriptors(tuning, directory, true);
    if (!families) return std::unexpected(families.error());
    rocksdb::DB* db = nullptr;
    const auto status =
        rocksdb::DB::OpenForReadOnly(tuning.database, directory, *families, &database.handles, &db);
    if (!status.ok()) return std::unexpected(open_error(status, directory));
    database.db.reset(db);
    std::copy_n(database.handles.begin(), kFamilyCount, database.families.begin());
    if (auto format = check_format(database, directory); !format) return std::unexpected(format.error());
    return database;
}

} // namespace

std::uint64_t disk_free_bytes(const std::string& directory) {
    struct statvfs disk {};
    if (::statvfs(directory.c_str(), &disk) != 0) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

Result<void> check_disk_room(const std::string& directory, std::uint64_t reserve_bytes) {
    const std::uint64_t free_bytes = disk_free_bytes(directory);
    if (free_bytes >= reserve_bytes) return {};
    return fail(Errc::resource_exhausted,
                fmt::format("the disk of the store in {} has {} MiB free; {} MiB are kept in reserve",
                            directory, free_bytes >> 20, reserve_bytes >> 20),
                "free space on this disk or delete objects");
}

Database::~Database() {
    if (db == nullptr) return;
    for (rocksdb::ColumnFamilyHandle* handle : handles)
        db->DestroyColumnFamilyHandle(handle);
    db->Close();
}

Result<Database> open_database(const Options& options) {
    if (options.read_only) return open_read_only(options);
    const std::string& directory = options.directory;
    if (auto ready = prepare_directory(directory); !ready) return std::unexpected(ready.error());
    if (auto room = check_disk_room(directory, options.memory_budget_bytes / kOpenReserveShare); !room)
        return std::unexpected(room.error());
    const auto exists = has_database(directory);
    if (!exists) return std::unexpected(exists.error());

    Database database;
    database.direct_io = takes_direct_io(directory);
    Tuning tuning = make_tuning(options.memory_budget_bytes, database.direct_io);
    tuning.database.create_if_missing = !*exists;
    tuning.database.listeners.push_back(database.damage_filter);
    const auto families = descriptors(tuning, directory, *exists);
    if (!families) return std::unexpected(families.error());
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(tuning.database, directory, *families, &database.handles, &db);
    if (!status.ok()) return std::unexpected(open_error(status, directory));
    database.db.reset(db);
    std::copy_n(database.handles.begin(), kFamilyCount, database.families.begin());
    if (auto format = check_format(database, directory); !format) return std::unexpected(format.error());
    return database;
}

} // namespace dwcp::store
