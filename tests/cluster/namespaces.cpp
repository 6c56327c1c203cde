#include "tests/cluster/namespaces.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <sched.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace dwcp::testing {
namespace {

constexpr const char* kPrefix = "dwcp-test-";
constexpr const char* kFolder = "/var/run/netns";

void must(const std::string& command) {
    const Output output = run_command(command);
    if (output.exit_code != 0) throw std::runtime_error(command + ": " + output.text);
}

/// Those of tests whose process is gone.
void remove_leftovers() {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(kFolder, error)) {
        const std::string name = entry.path().filename();
        int pid = 0;
        if (std::sscanf(name.c_str(), "dwcp-test-%d-", &pid) == 1 && ::kill(pid, 0) != 0)
            run_command("ip netns del " + name);
    }
}

} // namespace

Output run_command(const std::string& command) {
    std::FILE* pipe = ::popen(fmt::format("( {} ) 2>&1", command).c_str(), "r");
    if (pipe == nullptr) return {};
    Output output;
    char buffer[4096];
    while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe))
        output.text.append(buffer, got);
    output.exit_code = WEXITSTATUS(::pclose(pipe));
    return output;
}

std::optional<std::string> Namespaces::why_not() {
    if (::geteuid() != 0) return "network namespaces need root";
    if (run_command("ip -V").exit_code != 0) return "the command ip is missing (package iproute2)";
    const std::string probe = fmt::format("{}{}-probe", kPrefix, ::getpid());
    const Output made = run_command("ip netns add " + probe + " && ip -n " + probe +
                                    " link add dwcp-a type veth peer name dwcp-b && ip -n " + probe +
                                    " link add dwcp-c type bridge");
    run_command("ip netns del " + probe);
    if (made.exit_code != 0) return "this system does not let it make them: " + made.text;
    return std::nullopt;
}

Namespaces::Namespaces(std::size_t machines) : machines_(machines) {
    remove_leftovers();
    try {
        for (std::size_t i = 0; i <= machines; ++i)
            must(fmt::format("ip netns add {0} && ip -n {0} link set lo up", name(i)));
        must(fmt::format("ip -n {0} link add bridge type bridge && ip -n {0} addr add {1}/24 dev bridge && "
                         "ip -n {0} link set bridge up",
                         name(0), address(0)));
        for (std::size_t i = 1; i <= machines; ++i)
            must(fmt::format("ip -n {0} link add to-{3} type veth peer name eth0 netns {1} && "
                             "ip -n {0} link set to-{3} master bridge up && "
                             "ip -n {1} addr add {2}/24 dev eth0 && ip -n {1} link set eth0 up",
                             name(0), name(i), address(i), i));
    } catch (...) {
        remove();
        throw;
    }
}

Namespaces::~Namespaces() { remove(); }

void Namespaces::remove() const {
    for (std::size_t i = 0; i <= machines_; ++i)
        run_command("ip netns del " + name(i));
}

std::string Namespaces::name(std::size_t machine) const {
    return fmt::format("{}{}-{}", kPrefix, ::getpid(), machine);
}

std::string Namespaces::address(std::size_t machine) { return fmt::format("10.77.0.{}", machine + 1); }

Output Namespaces::run(std::size_t machine, const std::string& command) const {
    return run_command(fmt::format("ip netns exec {} {}", name(machine), command));
}

void Namespaces::enter(std::size_t machine, const std::function<void()>& function) const {
    std::exception_ptr failed;
    std::thread inside([&] { // the namespace is the thread's, and goes with it
        try {
            const int fd = ::open((std::string(kFolder) + "/" + name(machine)).c_str(), O_RDONLY | O_CLOEXEC);
            const bool entered = fd >= 0 && ::setns(fd, CLONE_NEWNET) == 0;
            if (fd >= 0) ::close(fd);
            if (!entered) throw std::runtime_error("cannot enter " + name(machine));
            function();
        } catch (...) {
            failed = std::current_exception();
        }
    });
    inside.join();
    if (failed) std::rethrow_exception(failed);
}

} // namespace dwcp::testing
