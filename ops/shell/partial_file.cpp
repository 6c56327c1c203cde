#include "ops/shell/partial_file.hpp"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace dwcp::shell {
namespace {

// What the signal handler removes: it may only use what is async-signal-safe.
std::array<char, 4096> unfinished_path{};
std::atomic<bool> unfinished{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int signal) {
    if (unfinished) unlink(unfinished_path.data());
    constexpr char kClear[] = "\r\n";
    if (isatty(STDERR_FILENO) != 0) [[maybe_unused]]
        const auto written = ::write(STDERR_FILENO, kClear, sizeof kClear - 1);
    _exit(128 + signal);
}

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

void install_interrupt_handler() {
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

Outcome<std::unique_ptr<PartialFile>> PartialFile::create(const std::string& path) {
    std::string temporary = path + ".part-XXXXXX";
    if (temporary.size() >= unfinished_path.size()) return refused("create", path, ENAMETOOLONG);
    const int fd = mkostemp(temporary.data(), O_CLOEXEC);
    if (fd < 0) return refused("create a file beside", path, errno);
    return std::unique_ptr<PartialFile>(new PartialFile(path, std::move(temporary), fd));
}

PartialFile::PartialFile(std::string path, std::string temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {
    std::memcpy(unfinished_path.data(), temporary_.c_str(), temporary_.size() + 1);
    unfinished = true;
}

PartialFile::~PartialFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(temporary_.c_str());
    unfinished = false;
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
        unfinished = false;
        return refused("write", path_, error);
    }
    unfinished = false;
    return {};
}

} // namespace dwcp::shell
