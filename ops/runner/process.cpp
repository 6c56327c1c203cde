#include "ops/runner/process.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <random>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace dwcp::runner {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(2);

/// In the child, between fork and exec: only what is safe there. Ends the child if anything fails.
[[noreturn]] void become(const ProcessOptions& options, char* const* argv, int output, pid_t owner) {
    setsid();
    if (!options.outlive_owner) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != owner) _exit(127);
    }
    for (int number = 1; number < NSIG; ++number)
        signal(number, SIG_DFL); // the owner's handlers are not the child's
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int input = open("/dev/null", O_RDONLY);
    if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) _exit(127);
    execv(argv[0], argv);
    _exit(127);
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

} // namespace

Result<Process> Process::start(const ProcessOptions& options) {
    if (access(options.program.c_str(), X_OK) != 0)
        return fail(Errc::not_found, fmt::format("{}: {}", options.program.string(), std::strerror(errno)),
                    "build it: cmake --build --preset release");
    const int output = open(options.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0)
        return fail(Errc::io_error, fmt::format("{}: {}", options.output.string(), std::strerror(errno)));
    std::vector<std::string> words{options.program.string()};
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);

    const pid_t owner = getpid();
    sigset_t all, before; // a signal between fork and exec must wait for the child's own dispositions
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid == 0) become(options, argv.data(), output, owner);
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    close(output);
    if (pid < 0) return fail(Errc::io_error, fmt::format("cannot start a process: {}", std::strerror(error)));
    Process process;
    process.pid_ = pid;
    process.reaped_ = false;
    return process;
}

Process::Process(Process&& other) noexcept { *this = std::move(other); }

Process& Process::operator=(Process&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(reaped_, other.reaped_);
    std::swap(status_, other.status_);
    return *this;
}

Process::~Process() { kill(); }

bool Process::running() {
    if (reaped_) return false;
    reaped_ = waitpid(pid_, &status_, WNOHANG) == pid_;
    return !reaped_;
}

void Process::signal(int number) {
    if (!reaped_) ::kill(pid_, number);
}

bool Process::wait(std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (running()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(kPoll); // waitpid has no deadline
    }
    return true;
}

void Process::stop(std::chrono::milliseconds grace) {
    signal(SIGTERM);
    if (!wait(grace)) kill();
}

void Process::kill() {
    if (!running()) return;
    signal(SIGKILL);
    reaped_ = waitpid(pid_, &status_, 0) == pid_;
}

void Process::leave_running() { reaped_ = true; }

std::string Process::how_it_ended() const {
    if (WIFSIGNALED(status_))
        return fmt::format("signal {} ({})", WTERMSIG(status_), strsignal(WTERMSIG(status_)));
    return fmt::format("exit code {}", WEXITSTATUS(status_));
}

std::optional<int> Process::exit_code() const {
    if (!reaped_ || !WIFEXITED(status_)) return std::nullopt;
    return WEXITSTATUS(status_);
}

std::uint64_t Process::resident_bytes() const { return status_field_bytes("VmRSS:"); }
std::uint64_t Process::resident_peak_bytes() const { return status_field_bytes("VmHWM:"); }

std::uint64_t Process::status_field_bytes(std::string_view field) const {
    if (reaped_) return 0;
    std::ifstream file(fmt::format("/proc/{}/status", pid_));
    for (std::string word; file >> word;) {
        std::uint64_t kilobytes = 0;
        if (word == field && file >> kilobytes) return kilobytes << 10;
    }
    return 0;
}

std::string last_lines(const std::filesystem::path& file, std::size_t lines) {
    std::ifstream stream(file);
    std::deque<std::string> tail;
    for (std::string line; std::getline(stream, line);) {
        tail.push_back(std::move(line));
        if (tail.size() > lines) tail.pop_front();
    }
    std::string text;
    for (const auto& line : tail)
        text += line + "\n";
    return text;
}

std::filesystem::path program_path(std::string_view name) {
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const auto beside = here / name;
    return std::filesystem::exists(beside) ? beside : here.parent_path() / "bin" / name;
}

bool port_is_free(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); // a port in TIME_WAIT is free for a listener
    const sockaddr_in address = loopback(port);
    const bool free =
        bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(fd, 1) == 0;
    close(fd);
    return free;
}

std::uint16_t free_port() {
    constexpr std::uint16_t kFirst = 10'000;
    std::uint32_t outgoing_first = 32'768;
    std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> outgoing_first;
    const std::uint32_t last = outgoing_first > kFirst + 1'000U ? outgoing_first - 1 : 32'767U;
    std::random_device random; // not seeded: two runs at once must not try the same ports
    for (;;) {
        const auto port = static_cast<std::uint16_t>(kFirst + random() % (last - kFirst));
        if (port_is_free(port)) return port;
    }
}

} // namespace dwcp::runner
