#include "tests/actors/nodes.hpp"

#include <array>
#include <fcntl.h>
#include <filesystem>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace dwcp::test {
namespace {

/// The first line of what the child says, without its end.
std::string read_line(int fd) {
    std::string line;
    for (char c = 0; ::read(fd, &c, 1) == 1 && c != '\n';)
        line.push_back(c);
    return line;
}

} // namespace

PeerProcess::PeerProcess(const TempDir& home, const std::string& name, const std::string& dialler,
                         const links::ControlOptions& options, std::uint16_t port) {
    const auto program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "actors_peer_program";
    std::vector<std::string> words{program.string(),
                                   name,
                                   dialler,
                                   home.sub(name),
                                   std::to_string(port),
                                   std::to_string(options.heartbeat_interval_ms),
                                   std::to_string(options.heartbeat_timeout_ms)};
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);

    std::array<int, 2> in{};
    std::array<int, 2> out{};
    REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    REQUIRE(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    stdin_ = in[1];
    const auto line = read_line(out[0]);
    ::close(out[0]);
    INFO("the peer said: " << line);
    REQUIRE(!line.empty());
    port_ = static_cast<std::uint16_t>(std::stoul(line));
}

PeerProcess::~PeerProcess() { kill(); }

void PeerProcess::signal(int number) const { ::kill(pid_, number); }

void PeerProcess::kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(stdin_);
    pid_ = -1;
}

} // namespace dwcp::test
