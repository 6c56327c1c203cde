#include "bench/transport_process.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace dwcp::bench {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

} // namespace

bool interrupted() { return interrupt_seen != 0; }

void watch_for_interrupt() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupt_seen = 1; };
    // Without SA_RESTART, so that a wait for a child ends.
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGHUP, &action, nullptr);
    // A reader that has seen enough (head) must not kill us before we have cleaned up: printing then throws.
    std::signal(SIGPIPE, SIG_IGN);
}

void give_up(const std::string& why) {
    fmt::print(stderr, "dwcp-bench-transport: {}\n", why);
    std::_Exit(1);
}

Channel::Channel(Channel&& other) noexcept
    : in_(std::exchange(other.in_, -1)), out_(std::exchange(other.out_, -1)) {}

Channel& Channel::operator=(Channel&& other) noexcept {
    std::swap(in_, other.in_);
    std::swap(out_, other.out_);
    return *this;
}

Channel::~Channel() {
    if (in_ >= 0) ::close(in_);
    if (out_ >= 0) ::close(out_);
}

void Channel::close_sending() {
    if (out_ >= 0) ::close(std::exchange(out_, -1));
}

void Channel::send(double value) const {
    if (::write(out_, &value, sizeof value) != sizeof value)
        throw std::runtime_error("the other process is gone");
}

double Channel::receive() const {
    double value = 0;
    // Eight bytes through a pipe are never split.
    const ssize_t got = ::read(in_, &value, sizeof value);
    if (got != sizeof value)
        throw std::runtime_error(interrupted() ? "interrupted" : "the other process is gone");
    return value;
}

void Channel::wait_for_close() const {
    char byte;
    while (::read(in_, &byte, 1) > 0 || errno == EINTR) {
        if (interrupted()) return;
    }
}

Child::Child(const std::function<void(Channel&)>& body) {
    int down[2];
    int up[2];
    if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) give_up("cannot make a pipe");
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) give_up("cannot fork");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) std::_Exit(1);
        std::signal(SIGINT, SIG_IGN); // the parent ends us
        ::close(down[1]);
        ::close(up[0]);
        Channel channel(down[0], up[1]);
        try {
            body(channel);
        } catch (const std::exception& error) {
            give_up(error.what());
        }
        std::_Exit(0);
    }
    ::close(down[0]);
    ::close(up[1]);
    channel_ = Channel(up[0], down[1]);
}

bool Child::finish() {
    channel_.close_sending();
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0) {
        if (errno != EINTR || interrupted()) return false;
    }
    pid_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Child::~Child() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

} // namespace dwcp::bench
