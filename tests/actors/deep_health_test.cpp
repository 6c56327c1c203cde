// The deep look at a node and what it has recovered: over scripted parts, and over a real actor that hangs
// below a real supervisor.
#include "actors/manager/messages.hpp"
#include "actors/supervisor/supervisor_actor.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/caf/system.hpp"
#include "runtime/node/deep_checks.hpp"
#include "runtime/node/deep_health.hpp"
#include "tests/actors/stickable.hpp"
#include "tests/unit/manager/fake_data_plane.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <thread>

using namespace dwcp;
using namespace std::chrono_literals;
using health::Condition;

namespace {

constexpr auto kLimit = 30s;

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (std::chrono::steady_clock::now() < deadline) {
        if (condition()) return true;
        std::this_thread::yield();
    }
    return condition();
}

std::size_t count_of(const EventRing& events, const std::string& name) {
    const auto all = events.since(0, kEventsKept);
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [&](const Event& event) { return event.name == name; }));
}

/// One part that is as the test says, looked at all the time and recovered without waiting.
struct Scripted {
    explicit Scripted(Condition first) : condition(first) {
        sources.look = [this] {
            ++looks;
            return std::vector{finding()};
        };
        sources.look_at = [this](const std::string&) { return finding(); };
        sources.recover = [this](const std::string& part) -> Result<void> {
            REQUIRE(part == "part");
            most_at_a_time = std::max(most_at_a_time.load(), ++under_way);
            ++attempts;
            if (on_attempt) on_attempt();
            --under_way;
            return {};
        };
        sources.every = [] { return Duration(1ms); };
        sources.recovery.backoff = {1ms, 4ms};
        sources.settle = 1ms;
    }
    node::DeepFinding finding() const {
        return {.part = "part", .condition = condition, .detail = condition == Condition::ok ? "" : "broken"};
    }
    void start() { deep = std::make_unique<node::DeepHealth>(sources, events, dwcp::test::seed()); }

    std::atomic<Condition> condition;
    std::atomic<int> looks = 0;
    std::atomic<int> attempts = 0;
    std::atomic<int> under_way = 0;
    std::atomic<int> most_at_a_time = 0;
    std::function<void()> on_attempt;
    EventRing events;
    node::DeepHealthSources sources;
    std::unique_ptr<node::DeepHealth> deep; ///< Last: its thread uses the rest.
};

} // namespace

TEST_CASE("a part that fails twice is recovered, told of by events, and well again") {
    Scripted part(Condition::failed);
    part.on_attempt = [&] { part.condition = Condition::ok; };
    part.start();
    REQUIRE(eventually([&] { return count_of(part.events, "recovery_ended") == 1; }));
    CHECK(part.attempts == 1);
    CHECK(count_of(part.events, "recovery_begun") == 1);
    REQUIRE(eventually([&] { return part.deep->report().recoveries.empty(); }));
    CHECK(part.deep->report().checks.at(0).condition == Condition::ok);
    const metrics::Labels labels{{"part", "part"}, {"outcome", "recovered"}};
    CHECK(metrics::counter("dwcp_recovery_attempts_total", "", labels).value() >= 1);
}

TEST_CASE("a part that cannot be recovered is given to people after three attempts, one at a time") {
    Scripted part(Condition::failed);
    part.start();
    REQUIRE(eventually([&] { return count_of(part.events, "recovery_exhausted") == 1; }));
    const int looks = part.looks;
    REQUIRE(eventually([&] { return part.looks > looks + 20; }));
    CHECK(part.attempts == 3);
    CHECK(part.most_at_a_time == 1);
    CHECK(count_of(part.events, "recovery_begun") == 1);
    CHECK(part.deep->report().recoveries.at(0).state == "given_up");
    CHECK(metrics::gauge("dwcp_recovery_given_up", "", {{"part", "part"}}).value() == 1);
    part.condition = Condition::ok;
    REQUIRE(eventually([&] {
        return metrics::gauge("dwcp_recovery_given_up", "", {{"part", "part"}}).value() == 0;
    }));
}

TEST_CASE("what is held on purpose is shown, and left alone") {
    Scripted part(Condition::held);
    part.start();
    REQUIRE(eventually([&] { return part.looks > 20; }));
    CHECK(part.attempts == 0);
    CHECK(count_of(part.events, "recovery_begun") == 0);
    CHECK(part.deep->report().checks.at(0).detail == "broken");
}

TEST_CASE("the node's end cancels a recovery at once, however long it would wait") {
    Scripted part(Condition::failed);
    part.sources.recovery.backoff = {std::chrono::hours(1), std::chrono::hours(1)};
    part.start();
    REQUIRE(eventually([&] { return count_of(part.events, "recovery_begun") == 1; }));
    part.deep.reset();
    CHECK(part.attempts == 0);
    CHECK(count_of(part.events, "recovery_cancelled") == 1);
}

TEST_CASE("every codec passes its self-test") {
    const auto found = node::check_codecs();
    CHECK(found.size() >= 9);
    for (const auto& finding : found) {
        INFO(finding.part << ": " << finding.detail);
        CHECK(finding.condition == Condition::ok);
        CHECK_FALSE(finding.recoverable);
    }
}

namespace {

/// One actor below a section, as on a node, and the deep look at it.
struct StickableNode {
    explicit StickableNode(std::size_t mailbox_max = actor::kMailboxMax) {
        supervision::ChildSpec spec;
        spec.id = "stuck/0";
        auto section = std::make_shared<supervisor::Plan>();
        section->spec.path = "supervisor/section";
        section->children.push_back(
            {.spec = spec, .start = [this, mailbox_max](actor::ActorContext child) -> caf::actor {
                 child.mailbox_max = mailbox_max;
                 return system.get().spawn<test::Stickable>(std::move(child), &open);
             }});
        auto plan = std::make_shared<supervisor::Plan>();
        plan->spec.path = "supervisor";
        plan->children.push_back(supervisor::nested(std::move(section), {}));
        actor::ActorContext context{.path = "supervisor", .resolver = &resolver};
        const auto stats = context.stats;
        root = supervisor::spawn_supervisor(system.get(), std::move(context), plan, tree, events, [](int) {});
        resolver.publish("supervisor", root, stats, {});
        REQUIRE(eventually([&] {
            const auto view = tree.board.find("stuck/0");
            return view && view->state == "running";
        }));
    }
    ~StickableNode() {
        resolver.close();
        caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
    }
    void send_one() {
        caf::anon_send(resolver.find("stuck/0")->handle,
                       actor::Local<manager::AbortPut>(manager::AbortPut{}));
    }

    std::latch open{1};
    EventRing events;
    supervisor::TreeMemory tree;
    actor::Resolver resolver;
    manager::test::FakeDataPlane data;
    actor::System system{{.heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 2000, .threads = 4}};
    caf::actor root;
    const node::DeepChecks checks{system.get(), resolver, tree.board, data,
                                  std::make_shared<const std::atomic<bool>>(false)};
};

} // namespace

TEST_CASE("an actor that hangs is killed, and its supervisor brings it back; a paused one is left alone") {
    StickableNode node;
    CHECK(node.checks.look_at("actor stuck/0").condition == Condition::ok);
    const auto first = node.resolver.find("stuck/0");
    first->stats->pause.begin();
    const auto paused = node.checks.look_at("actor stuck/0");
    first->stats->pause.end();
    CHECK(paused.condition == Condition::held);
    CHECK_FALSE(paused.detail.empty());

    node.send_one();
    node::DeepHealthSources sources;
    sources.look = [&] { return std::vector{node.checks.look_at("actor stuck/0")}; };
    sources.look_at = [&](const std::string& part) { return node.checks.look_at(part); };
    sources.recover = [&](const std::string& part) {
        auto killed = node.checks.recover(part);
        CHECK(killed.has_value());
        node.open.count_down(); // the handler ends, and with it the life that was killed
        return killed;
    };
    sources.every = [] { return Duration(1ms); };
    sources.settle = kLimit;
    const node::DeepHealth deep(std::move(sources), node.events, dwcp::test::seed());
    REQUIRE(eventually([&] { return count_of(node.events, "recovery_ended") == 1; }));
    CHECK(eventually([&] { // the life that was killed is found until its end is noticed
        const auto now = node.resolver.find("stuck/0");
        return now && now->life == 2;
    }));
}

TEST_CASE("an actor that works with a full mailbox is busy, not broken") {
    constexpr std::size_t kMailbox = 4;
    StickableNode node(kMailbox);
    const auto stats = node.resolver.find("stuck/0")->stats;
    node.send_one(); // in its handler until the latch opens
    for (std::size_t sent = 0; stats->rejected == 0; ++sent) {
        REQUIRE(sent < 100);
        node.send_one();
    }
    const auto before = stats->enqueued.load();
    std::thread opener([&] {
        eventually([&] { return stats->enqueued > before; }); // the question is in, past the full mailbox
        node.open.count_down();
    });
    const auto finding = node.checks.look_at("actor stuck/0");
    opener.join();
    INFO(finding.detail);
    CHECK(finding.condition == Condition::ok);
}

TEST_CASE("the workers of a tree are its actors without its supervisors") {
    const auto worker = [](const char* path) {
        supervisor::Child child;
        child.spec.id = path;
        return child;
    };
    auto section = std::make_shared<supervisor::Plan>();
    section->spec.path = "supervisor/data";
    section->children = {worker("allocator/0"), worker("compression/0")};
    supervisor::Plan root;
    root.children = {supervisor::nested(std::move(section), {}), worker("gateway/0")};
    CHECK(supervisor::workers_of(root) ==
          std::vector<std::string>{"allocator/0", "compression/0", "gateway/0"});
}
