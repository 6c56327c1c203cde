#include "ops/runner/collect.hpp"

#include "protocols/base/random.hpp"
#include "protocols/wire/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <unistd.h>

namespace dwcp::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMB = 1'000'000;
constexpr std::uint64_t kDefaultMinBytes = 200 * kMB;
constexpr std::uint64_t kLargeBytes = 32 * kMB;

struct Budget {
    std::uint64_t bytes;
    std::size_t files;
};

/// Why an entry is not shipped; empty: it is a file that is. Directories are walked, so they are no reason.
std::string reason_to_leave_out(const fs::directory_entry& entry, const std::string& key) {
    std::error_code error;
    const auto status = entry.symlink_status(error);
    if (error) return "cannot be examined";
    switch (status.type()) {
    case fs::file_type::regular:
        break;
    case fs::file_type::symlink:
        return "symbolic link";
    case fs::file_type::socket:
        return "socket";
    case fs::file_type::fifo:
        return "named pipe";
    case fs::file_type::block:
    case fs::file_type::character:
        return "device";
    default:
        return "neither file nor directory";
    }
    if (auto good = wire::check_key(key); !good) return "name cannot be an " + good.error().message;
    if (access(entry.path().c_str(), R_OK) != 0) return "not readable";
    return {};
}

class Walk {
  public:
    Walk(Collection& into, const std::vector<fs::path>& except) : into_(into) {
        for (const auto& path : except) {
            std::error_code error;
            except_.push_back(fs::weakly_canonical(path, error));
        }
    }

    /// Keys are PREFIX and the path relative to the directory.
    void run(const fs::path& directory, const std::string& prefix, Budget budget) {
        std::error_code error;
        const fs::path base = fs::canonical(directory, error);
        if (error) return leave_out("cannot be opened", directory.string());
        walk(base, base, prefix, budget);
    }

  private:
    void walk(const fs::path& base, const fs::path& directory, const std::string& prefix, Budget& budget) {
        std::error_code error;
        fs::directory_iterator entries(directory, error);
        if (error) return leave_out("directory not readable", directory.string());
        for (; !error && entries != fs::directory_iterator() && budget.files > 0; entries.increment(error)) {
            const fs::directory_entry& entry = *entries;
            std::error_code ignored;
            if (!entry.is_symlink(ignored) && entry.is_directory(ignored)) {
                if (std::ranges::find(except_, entry.path()) == except_.end())
                    walk(base, entry.path(), prefix, budget);
            } else {
                take(entry, prefix + entry.path().lexically_relative(base).string(), budget);
            }
        }
        if (error) leave_out("directory not readable", directory.string());
    }

    void take(const fs::directory_entry& entry, std::string key, Budget& budget) {
        if (const auto reason = reason_to_leave_out(entry, key); !reason.empty())
            return leave_out(reason, entry.path().string());
        std::error_code error;
        const std::uint64_t size = entry.file_size(error);
        if (error) return leave_out("cannot be examined", entry.path().string());
        if (size > budget.bytes) return;
        budget.bytes -= size;
        --budget.files;
        into_.bytes += size;
        into_.files.push_back({entry.path(), std::move(key), size});
    }

    void leave_out(const std::string& reason, const std::string& path) {
        ++into_.left_out[reason];
        into_.left_out_example.try_emplace(reason, path);
    }

    Collection& into_;
    std::vector<fs::path> except_;
};

/// Large files first, so that the last client does not end long after the others; the rest mixed, so that the
/// speed that is shown means something. The same files have the same order each time.
void put_in_order(Collection& collection) {
    std::ranges::sort(collection.files, {}, &SourceFile::key);
    Random random(1);
    for (std::size_t i = collection.files.size(); i > 1; --i)
        std::swap(collection.files[i - 1], collection.files[random.below(i)]);
    std::ranges::stable_partition(collection.files,
                                  [](const auto& file) { return file.size_bytes >= kLargeBytes; });
}

} // namespace

Result<Collection> collect_directory(const fs::path& directory, const std::vector<fs::path>& except) {
    std::error_code error;
    if (!fs::is_directory(directory, error))
        return fail(Errc::invalid_argument, fmt::format("{} is not a directory", directory.string()),
                    "name a directory whose files are to be shipped");
    Collection collection;
    Walk(collection, except).run(directory, "", {UINT64_MAX, SIZE_MAX});
    if (collection.files.empty())
        return fail(Errc::invalid_argument,
                    fmt::format("{} has no file that can be shipped", directory.string()),
                    "name a directory with files");
    put_in_order(collection);
    return collection;
}

Collection collect_default(const fs::path& repository, const std::vector<fs::path>& except) {
    Collection collection;
    Walk walk(collection, except);
    const auto add = [&](const std::string& directory, Budget budget) {
        if (fs::is_directory("/" + directory)) walk.run("/" + directory, directory + "/", budget);
    };
    walk.run(repository, "repository/", {60 * kMB, 3'000});
    add("usr/share/doc", {40 * kMB, 1'500});
    add("usr/lib/x86_64-linux-gnu", {150 * kMB, 600});
    for (const char* more :
         {"usr/bin", "usr/share/man", "usr/share/i18n", "usr/include", "usr/lib/gcc", "usr/share/perl"})
        if (collection.bytes < kDefaultMinBytes) add(more, {50 * kMB, 500});
    put_in_order(collection);
    return collection;
}

} // namespace dwcp::runner
