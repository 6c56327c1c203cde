#include "runtime/identity/guarded_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace dwcp::identity {
namespace {

constexpr off_t kFileBytesMax = 1 << 20; // known_peers of ten thousand peers

class File {
  public:
    File(const std::string& path, int flags, mode_t mode = 0)
        : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    bool is_open() const { return fd_ >= 0; }
    int fd() const { return fd_; }

  private:
    int fd_;
};

std::unexpected<Error> refused(const std::string& path, std::string_view what) {
    return fail(Errc::io_error, fmt::format("{}: cannot be {}: {}", path, what, std::strerror(errno)),
                "check the directory, its owner and the free space");
}

bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return ::fsync(fd) == 0;
}

} // namespace

Result<std::optional<std::string>> read_guarded(const std::string& path, mode_t forbidden) {
    const File file(path, O_RDONLY | O_NONBLOCK); // a pipe in its place must not hang the start
    if (!file.is_open()) {
        if (errno == ENOENT) return std::nullopt;
        return refused(path, "opened");
    }
    struct stat info {};
    if (::fstat(file.fd(), &info) != 0) return refused(path, "examined");
    if (!S_ISREG(info.st_mode) || info.st_size > kFileBytesMax) {
        return fail(Errc::corrupted,
                    fmt::format("{}: not a regular file of at most {} bytes", path, kFileBytesMax),
                    "restore it from a backup");
    }
    if ((info.st_mode & forbidden) != 0) {
        return fail(Errc::permission_denied,
                    fmt::format("{}: mode {:04o} lets other users {} it", path, info.st_mode & 07777,
                                (forbidden & 044) != 0 ? "read or change" : "change"),
                    fmt::format("chmod 600 {}", path));
    }
    std::string content(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t filled = 0;
    while (filled < content.size()) {
        const ssize_t got = ::read(file.fd(), content.data() + filled, content.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refused(path, "read");
        if (got == 0) break; // truncated meanwhile; its format tells
        filled += static_cast<std::size_t>(got);
    }
    content.resize(filled);
    return content;
}

Result<void> write_guarded(const std::string& path, const std::string& content) {
    const std::string temporary = path + ".tmp";
    ::unlink(temporary.c_str()); // left by a crash, maybe with another mode
    {
        const File file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (!file.is_open()) return refused(temporary, "created");
        if (!write_all(file.fd(), content)) return refused(temporary, "written");
    }
    if (std::rename(temporary.c_str(), path.c_str()) != 0) return refused(path, "replaced");
    const File directory(std::filesystem::path(path).parent_path().string(), O_RDONLY | O_DIRECTORY);
    if (!directory.is_open() || ::fsync(directory.fd()) != 0) return refused(path, "made durable");
    return {};
}

} // namespace dwcp::identity
