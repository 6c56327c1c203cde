#include "runtime/backup/files.hpp"

#include "protocols/crypto/hash.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dwcp::backup {
namespace {

/// Large enough that the disk and the hash are busy, small enough to end soon when told to.
constexpr std::size_t kPieceBytes = 1U << 20;

std::unexpected<Error> refused(const std::string& path, std::string_view what) {
    const Errc code = errno == ENOSPC || errno == EDQUOT ? Errc::resource_exhausted : Errc::io_error;
    return fail(code, fmt::format("{}: cannot be {}: {}", path, what, std::strerror(errno)),
                code == Errc::io_error ? "check the path, its owner and the disk"
                                       : "free space there, or set backup.directory to another disk");
}

class File {
  public:
    File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int fd() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_;
};

bool write_all(int fd, const Byte* data, std::size_t size) {
    while (size > 0) {
        const ssize_t written = ::write(fd, data, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        data += written;
        size -= static_cast<std::size_t>(written);
    }
    return true;
}

/// Reads `from` to its end; `take` gets each piece.
Result<Digest> read_through(const std::string& path, const Progress& progress,
                            const std::function<Result<void>(const Byte*, std::size_t)>& take) {
    const File file(path, O_RDONLY);
    if (!file) return refused(path, "opened");
    crypto::Sha256 hash;
    Digest digest;
    std::vector<Byte> piece(kPieceBytes);
    for (;;) {
        const ssize_t got = ::read(file.fd(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refused(path, "read");
        if (got == 0) break;
        const auto size = static_cast<std::size_t>(got);
        hash.update({piece.data(), size});
        if (auto taken = take(piece.data(), size); !taken) return std::unexpected(taken.error());
        digest.bytes += size;
        if (progress && !progress(size)) return fail(Errc::cancelled, "stopped before it was complete");
    }
    digest.sha256 = hash.finish();
    return digest;
}

} // namespace

Result<Digest> digest_file(const std::string& path, const Progress& progress) {
    return read_through(path, progress, [](const Byte*, std::size_t) { return Result<void>(); });
}

Result<Digest> copy_file(const std::string& from, const std::string& to, const Progress& progress) {
    const File file(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (!file) return refused(to, "created");
    auto digest = read_through(from, progress, [&](const Byte* data, std::size_t size) -> Result<void> {
        if (!write_all(file.fd(), data, size)) return refused(to, "written");
        return {};
    });
    if (digest && ::fsync(file.fd()) != 0) return refused(to, "made durable");
    return digest;
}

Result<void> sync_directory(const std::string& path) {
    const File directory(path, O_RDONLY | O_DIRECTORY);
    if (!directory || ::fsync(directory.fd()) != 0) return refused(path, "made durable");
    return {};
}

} // namespace dwcp::backup
