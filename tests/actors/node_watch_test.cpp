// How a node looks after itself: the watchdog that only a round trip through mailboxes feeds, and the health
// that is kept as metrics.
#include "actors/manager/messages.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/caf/system.hpp"
#include "runtime/node/health_watch.hpp"
#include "runtime/node/watchdog.hpp"
#include "tests/actors/stickable.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <thread>

using namespace dwcp;
using namespace std::chrono_literals;

namespace {

constexpr auto kLimit = 20s;
constexpr auto kInterval = 300ms;

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (std::chrono::steady_clock::now() < deadline) {
        if (condition()) return true;
        std::this_thread::yield();
    }
    return condition();
}

class Rig {
  public:
    ~Rig() {
        resolver_.close();
        for (const auto& actor : actors_)
            caf::anon_send_exit(actor, caf::exit_reason::kill);
    }

    caf::actor spawn(const std::string& path, std::latch& latch,
                     std::size_t mailbox_max = actor::kMailboxMax) {
        actor::ActorContext context{.path = path, .resolver = &resolver_};
        context.mailbox_max = mailbox_max;
        const auto stats = context.stats;
        const auto actor = system_.get().spawn<test::Stickable>(std::move(context), &latch);
        actors_.push_back(actor);
        life_ = resolver_.publish(path, actor, stats, {});
        return actor;
    }
    void withdraw(const std::string& path) { resolver_.withdraw(path, life_); }

    std::unique_ptr<node::Watchdog> watch(std::vector<std::string> actor_paths) {
        return std::make_unique<node::Watchdog>(
            node::WatchdogOptions{kInterval, "supervisor", std::move(actor_paths), [this] { ++pings_; }},
            system_.get(), resolver_);
    }
    int pings() const { return pings_; }
    /// Whether, once what was under way is over, pings stay away for longer than the service manager waits.
    bool goes_silent() {
        const auto deadline = std::chrono::steady_clock::now() + kLimit;
        int seen = pings();
        auto since = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() < deadline) {
            if (pings() != seen) {
                seen = pings();
                since = std::chrono::steady_clock::now();
            } else if (std::chrono::steady_clock::now() - since > 2 * kInterval) {
                return true;
            }
            std::this_thread::yield();
        }
        return false;
    }

  private:
    actor::Resolver resolver_;
    actor::System system_{{.heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 2000, .threads = 4}};
    std::vector<caf::actor> actors_;
    std::uint64_t life_ = 0;
    std::atomic<int> pings_ = 0;
};

void get_stuck(const caf::actor& actor) {
    caf::anon_send(actor, actor::Local<manager::AbortPut>(manager::AbortPut{}));
}

double gauge(const char* name, const metrics::Labels& labels) {
    return metrics::gauge(name, "", labels).value();
}

} // namespace

TEST_CASE("the watchdog is fed again and again while supervisor and actor answer") {
    std::latch never{1};
    Rig rig;
    rig.spawn("supervisor", never);
    rig.spawn("manager/0", never);
    const auto watchdog = rig.watch({"manager/0"});
    CHECK(eventually([&] { return rig.pings() >= 5; }));
}

TEST_CASE("the watchdog goes unfed while an actor is stuck, and is fed again afterwards") {
    for (const std::string stuck : {"manager/0", "supervisor"}) {
        INFO(stuck);
        std::latch open{1};
        Rig rig;
        const auto supervisor = rig.spawn("supervisor", open);
        const auto manager = rig.spawn("manager/0", open);
        const auto watchdog = rig.watch({"manager/0"});
        REQUIRE(eventually([&] { return rig.pings() > 0; }));
        get_stuck(stuck == "supervisor" ? supervisor : manager);
        CHECK(rig.goes_silent());
        const int before = rig.pings();
        open.count_down();
        CHECK(eventually([&] { return rig.pings() > before; }));
    }
}

TEST_CASE("the watchdog is fed by an actor whose mailbox is full") {
    std::latch never{1};
    Rig rig;
    rig.spawn("supervisor", never);
    rig.spawn("manager/0", never, 0); // takes no ordinary message
    const auto watchdog = rig.watch({"manager/0"});
    CHECK(eventually([&] { return rig.pings() >= 2; }));
}

TEST_CASE("the watchdog asks another actor while one is being restarted") {
    std::latch open{1};
    Rig rig;
    rig.spawn("supervisor", open);
    const auto second = rig.spawn("manager/1", open);
    rig.spawn("manager/0", open);
    rig.withdraw("manager/0");
    const auto watchdog = rig.watch({"manager/0", "manager/1"});
    REQUIRE(eventually([&] { return rig.pings() > 0; }));
    get_stuck(second);
    CHECK(rig.goes_silent());
    open.count_down();
}

TEST_CASE("the watchdog goes unfed when there is no supervisor") {
    std::latch never{1};
    Rig rig;
    rig.spawn("manager/0", never);
    const auto watchdog = rig.watch({"manager/0"});
    CHECK(rig.goes_silent());
    CHECK(rig.pings() == 0);
}

TEST_CASE("health is kept as metrics, and what gives no answer any more is not ok") {
    std::atomic<bool> complete = true;
    node::HealthWatchSources sources;
    sources.every = 10ms;
    sources.health = [&]() -> nlohmann::json {
        nlohmann::json checks = nlohmann::json::array();
        checks.push_back({{"name", "store write"}, {"ok", true}});
        if (complete) checks.push_back({{"name", "actor x"}, {"ok", true}});
        return {{"status", complete ? "healthy" : "degraded"}, {"checks", checks}};
    };
    sources.lanes = {"watched"};
    sources.lane_status = [&](const std::string&) -> std::optional<consensus::Status> {
        if (!complete) return std::nullopt;
        consensus::Status status;
        status.members = {"a", "b", "c"};
        status.members_up = 2;
        status.quorum = 2;
        status.available = true;
        return status;
    };
    const node::HealthWatch watch(std::move(sources));
    CHECK(eventually([] { return gauge("dwcp_lane_available", {{"lane", "watched"}}) == 1; }));
    CHECK(gauge("dwcp_lane_members", {{"lane", "watched"}}) == 3);
    CHECK(gauge("dwcp_health_check_ok", {{"check", "actor x"}}) == 1);
    CHECK(gauge("dwcp_health_status", {{"status", "healthy"}}) == 1);
    complete = false;
    CHECK(eventually([] { return gauge("dwcp_lane_available", {{"lane", "watched"}}) == 0; }));
    CHECK(eventually([] { return gauge("dwcp_health_check_ok", {{"check", "actor x"}}) == 0; }));
    CHECK(gauge("dwcp_health_check_ok", {{"check", "store write"}}) == 1);
    CHECK(eventually([] { return gauge("dwcp_health_status", {{"status", "degraded"}}) == 1; }));
    CHECK(gauge("dwcp_health_status", {{"status", "healthy"}}) == 0);
}

TEST_CASE("a look at the health that hangs makes the node unhealthy") {
    std::latch open{1};
    std::atomic<int> looks = 0;
    node::HealthWatchSources sources;
    sources.every = 10ms;
    sources.stale_after = 200ms;
    sources.health = [&]() -> nlohmann::json {
        if (++looks > 1) open.wait();
        return {{"status", "healthy"}, {"checks", nlohmann::json::array()}};
    };
    {
        const node::HealthWatch watch(std::move(sources));
        CHECK(eventually([&] { return looks > 1; }));
        CHECK(eventually([] {
            metrics::expose();
            return gauge("dwcp_health_status", {{"status", "unhealthy"}}) == 1;
        }));
        CHECK(gauge("dwcp_health_status", {{"status", "healthy"}}) == 0);
        open.count_down();
    }
}
