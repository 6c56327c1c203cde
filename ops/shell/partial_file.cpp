#include "ops/shell/partial_file.hpp"

#include "ops/shell/interrupt.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace dwcp::shell {
namespace {

std::unexpected<Failure> refused(const std::string& what, const std::string& path, int error) {
    return give_up(Exit::failed, fmt::format("cannot {} {}: {}", what, path, std::strerror(error)),
                   error == ENOSPC ? "free some disk, or choose another place"
                                   : "choose a place that you may write to");
}

/// The permissions that any new file would get; mkostemp makes it private.
mode_t usual_mode() {
    const mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

} // namespace

Outcome<std::unique_ptr<PartialFile>> PartialFile::create(const std::string& path) {
    std::string temporary = path + ".part-XXXXXX";
    const int fd = mkostemp(temporary.data(), O_CLOEXEC);
    if (fd < 0) return refused("create a file beside", path, errno);
    if (!remove_on_interrupt(temporary)) {
        close(fd);
        unlink(temporary.c_str());
        return refused("create", path, ENAMETOOLONG);
    }
    return std::unique_ptr<PartialFile>(new PartialFile(path, std::move(temporary), fd));
}

PartialFile::PartialFile(std::string path, std::string temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

PartialFile::~PartialFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(temporary_.c_str());
    remove_on_interrupt("");
}

Outcome<void> PartialFile::write(ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return refused("write", path_, errno);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

Outcome<void> PartialFile::finish() {
    fchmod(fd_, usual_mode());
    const int fd = std::exchange(fd_, -1);
    const bool closed = close(fd) == 0;
    if (!closed || rename(temporary_.c_str(), path_.c_str()) != 0) {
        const int error = errno;
        unlink(temporary_.c_str());
        remove_on_interrupt("");
        return refused("write", path_, error);
    }
    remove_on_interrupt("");
    return {};
}

} // namespace dwcp::shell
