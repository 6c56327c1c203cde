// A node and its service manager: the test plays systemd at the other end of NOTIFY_SOCKET.
#include "tests/cluster/cluster_fixture.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace dwcp::testing;

namespace {

constexpr auto kWatchdogInterval = 600ms;

/// Receives what the node says, while it lives; sets the environment of nodes that start meanwhile.
class ServiceManagerEnd {
  public:
    explicit ServiceManagerEnd(const std::filesystem::path& directory)
        : path_((directory / "notify").string()), socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        REQUIRE(path_.size() < sizeof(address.sun_path));
        path_.copy(address.sun_path, path_.size());
        REQUIRE(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
        setenv("NOTIFY_SOCKET", path_.c_str(), 1);
        const auto interval_us = std::chrono::microseconds(kWatchdogInterval).count();
        setenv("WATCHDOG_USEC", std::to_string(interval_us).c_str(), 1);
        unsetenv("WATCHDOG_PID");
    }
    ~ServiceManagerEnd() {
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        close(socket_);
    }

    /// The next message; empty if none comes in time.
    std::string next(std::chrono::milliseconds limit) {
        pollfd ready{socket_, POLLIN, 0};
        if (poll(&ready, 1, static_cast<int>(limit.count())) != 1) return {};
        std::array<char, 4096> buffer{};
        const auto size = recv(socket_, buffer.data(), buffer.size(), 0);
        return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
    }
    /// Reads until a message begins like this; empty if none does in time.
    std::string wait_for(const std::string& beginning) {
        const auto end = std::chrono::steady_clock::now() + kStartLimit;
        while (std::chrono::steady_clock::now() < end) {
            auto message = next(100ms);
            if (message.starts_with(beginning)) return message;
        }
        return {};
    }
    /// What has been said already no longer counts.
    void forget_the_past() {
        while (!next(0ms).empty()) {
        }
    }

  private:
    const std::string path_;
    const int socket_;
};

} // namespace

TEST_CASE("a service manager hears when the node serves, that it lives, and that it ends") {
    TempDirectory directory;
    ServiceManagerEnd manager(directory.path());
    TestCluster cluster(1);
    REQUIRE(cluster[0].start());

    const auto ready = manager.wait_for("READY=1");
    CHECK(ready.find("STATUS=serves as site-a") != std::string::npos);
    CHECK(cluster.client(0).get("/ready").ok()); // no sooner than it is true
    for (int i = 0; i < 3; ++i)
        CHECK(manager.wait_for("WATCHDOG=1") == "WATCHDOG=1");

    cluster[0].process().signal(SIGHUP);
    CHECK(manager.wait_for("RELOADING=1").find("\nMONOTONIC_USEC=") != std::string::npos);
    CHECK(manager.wait_for("READY=1").find("STATUS=serves as site-a") != std::string::npos);

    cluster[0].process().signal(SIGTERM);
    CHECK(manager.wait_for("STOPPING=1").find("STATUS=") != std::string::npos);
    REQUIRE(cluster[0].process().wait(kStartLimit));
    CHECK(cluster[0].process().exit_code() == 0);
    manager.forget_the_past();
    CHECK(manager.next(0ms).empty());
}

TEST_CASE(
    "a frozen node goes silent for longer than the service manager waits, and speaks again when it thaws") {
    TempDirectory directory;
    ServiceManagerEnd manager(directory.path());
    TestCluster cluster(1);
    REQUIRE(cluster[0].start());
    REQUIRE_FALSE(manager.wait_for("WATCHDOG=1").empty());

    cluster[0].process().signal(SIGSTOP);
    REQUIRE(eventually(kStartLimit, [&] {
        std::ifstream stat("/proc/" + std::to_string(cluster[0].process().pid()) + "/stat");
        std::string pid, name, state;
        stat >> pid >> name >> state;
        return state == "T";
    }));
    manager.forget_the_past();
    CHECK(manager.next(2 * kWatchdogInterval).empty());
    cluster[0].process().signal(SIGCONT);
    CHECK_FALSE(manager.wait_for("WATCHDOG=1").empty());
}

TEST_CASE("a watchdog that is meant for another process is not fed") {
    TempDirectory directory;
    ServiceManagerEnd manager(directory.path());
    setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1); // this test's, not the node's
    TestCluster cluster(1);
    REQUIRE(cluster[0].start());
    unsetenv("WATCHDOG_PID");
    REQUIRE_FALSE(manager.wait_for("READY=1").empty());
    CHECK(manager.next(2 * kWatchdogInterval).empty());
}
