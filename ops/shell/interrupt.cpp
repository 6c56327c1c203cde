#include "ops/shell/interrupt.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::shell {
namespace {

std::array<char, 4096> unfinished_path{};
std::atomic<bool> unfinished{false};
std::atomic<bool> cancels{false};
std::atomic<int> count{0};
std::atomic<int> leaving{0};
std::atomic<int> running_socket{-1};
std::array<int, 2> wake_pipe{-1, -1};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

/// A command that does not end after so many interrupts takes the shell with it.
constexpr int kPatience = 3;

[[noreturn]] void end_program(int signal) {
    if (unfinished) unlink(unfinished_path.data());
    constexpr char kNextLine[] = "\r\n";
    if (isatty(STDERR_FILENO) != 0) [[maybe_unused]]
        const auto written = ::write(STDERR_FILENO, kNextLine, sizeof kNextLine - 1);
    _exit(128 + signal);
}

void on_signal(int signal) {
    if (!cancels) end_program(signal);
    const int before = errno;
    if (signal != SIGINT) leaving = signal;
    if (++count > kPatience) end_program(signal);
    if (const int socket = running_socket; socket >= 0) shutdown(socket, SHUT_RDWR);
    [[maybe_unused]] const auto written = ::write(wake_pipe[1], "x", 1);
    errno = before;
}

} // namespace

void install_interrupt_handler(OnInterrupt what) {
    if (what == OnInterrupt::cancel_command && wake_pipe[0] < 0 &&
        pipe2(wake_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        return; // without descriptors left, an interrupt ends the program
    cancels = what == OnInterrupt::cancel_command;
    struct sigaction action {};
    action.sa_handler = on_signal;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        sigaction(signal, &action, nullptr);
}

CancelOnInterrupt::CancelOnInterrupt(bool needed) : needed_(needed) {
    if (needed_) install_interrupt_handler(OnInterrupt::cancel_command);
}

CancelOnInterrupt::~CancelOnInterrupt() {
    if (needed_) install_interrupt_handler(OnInterrupt::end_program);
}

bool interrupted() { return count > 0 || leaving != 0; }

void clear_interrupt() {
    count = 0;
    std::array<char, 64> drained;
    while (wake_pipe[0] >= 0 && read(wake_pipe[0], drained.data(), drained.size()) > 0) {
    }
}

int leave_signal() { return leaving; }
int interrupt_fd() { return cancels ? wake_pipe[0] : -1; }

bool wait_for_interrupt(std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (!interrupted()) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd waiting{interrupt_fd(), POLLIN, 0};
        poll(&waiting, 1, static_cast<int>(left.count()));
    }
    return true;
}

bool remove_on_interrupt(const std::string& path) {
    unfinished = false;
    if (path.empty()) return true;
    if (path.size() >= unfinished_path.size()) return false;
    std::memcpy(unfinished_path.data(), path.c_str(), path.size() + 1);
    unfinished = true;
    return true;
}

void shut_down_on_interrupt(int socket) { running_socket = socket; }

} // namespace dwcp::shell
