#include "ops/runner/process.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <thread>
#include <unistd.h>

using namespace dwcp::runner;
using namespace std::chrono_literals;

namespace {

ProcessOptions shell(const std::string& script) {
    return {.program = "/bin/sh", .arguments = {"-c", script}, .output = "/dev/null"};
}

} // namespace

TEST_CASE("a process that ends is reaped and says how it ended") {
    auto process = Process::start(shell("exit 3"));
    REQUIRE(process);
    REQUIRE(process->wait(10s));
    CHECK(process->exit_code() == 3);
    CHECK(process->how_it_ended() == "exit code 3");
}

TEST_CASE("a process that ignores SIGTERM is killed after the grace") {
    // The mark says that the trap is set.
    const std::string mark =
        (std::filesystem::temp_directory_path() / ("dwcp-mark-" + std::to_string(getpid()))).string();
    auto process = Process::start(shell("trap '' TERM; touch " + mark + "; while :; do sleep 0.01; done"));
    REQUIRE(process);
    while (!std::filesystem::exists(mark))
        std::this_thread::yield();
    std::filesystem::remove(mark);
    CHECK(process->resident_bytes() > 0);
    process->stop(100ms);
    CHECK_FALSE(process->running());
    CHECK_FALSE(process->exit_code());
}

TEST_CASE("an owner that goes out of scope leaves no process") {
    pid_t pid = 0;
    {
        auto process = Process::start(shell("while :; do sleep 0.01; done"));
        REQUIRE(process);
        pid = process->pid();
        REQUIRE(kill(pid, 0) == 0);
    }
    CHECK(kill(pid, 0) != 0);
}

TEST_CASE("a program that is not there is an error that says what to do") {
    const auto process = Process::start({.program = "/nonexistent", .arguments = {}, .output = "/dev/null"});
    REQUIRE_FALSE(process);
    CHECK(process.error().message.find("/nonexistent") != std::string::npos);
    CHECK_FALSE(process.error().remedy.empty());
}

TEST_CASE("free ports are free, and a port in use is not") {
    const auto port = free_port();
    CHECK(port_is_free(port));
    CHECK(port >= 10'000);
}
