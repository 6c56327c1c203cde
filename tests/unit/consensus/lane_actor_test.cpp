#include "protocols/base/random.hpp"
#include "protocols/consensus/majority_write.hpp"
#include "tests/unit/consensus/lane_nodes.hpp"
#include "tests/unit/wire/seed.hpp"

#include <algorithm>
#include <atomic>
#include <iostream>

namespace {

using namespace dwcp;
using namespace dwcp::consensus;
using namespace dwcp::test;

/// Handles a lane's entries and remembers them.
class Reader : public actor::Actor {
  public:
    struct Seen {
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<LogIndex> indexes;
    };
    Reader(caf::actor_config& config, actor::ActorContext context, std::shared_ptr<Seen> seen)
        : Actor(config, std::move(context)), seen_(std::move(seen)) {}

  protected:
    caf::behavior handlers() override {
        return {on<EntriesCommitted>([this](const EntriesCommitted& news) -> Result<Subscribed> {
            const std::lock_guard lock(seen_->mutex);
            for (const auto& entry : news.entries)
                seen_->indexes.push_back(entry.index);
            seen_->changed.notify_all();
            return Subscribed{};
        })};
    }

  private:
    std::shared_ptr<Seen> seen_;
};

std::vector<LogIndex> one_to(LogIndex last, LogIndex first = 1) {
    std::vector<LogIndex> indexes;
    for (LogIndex index = first; index <= last; ++index)
        indexes.push_back(index);
    return indexes;
}

void commit(LaneNode& node, int first, int last, const std::string& prefix = "id-") {
    for (int i = first; i <= last; ++i) {
        const auto committed = node.submit(prefix + std::to_string(i), to_bytes("payload"));
        if (!committed) FAIL(committed.error().render());
    }
}

} // namespace

TEST_CASE("any member takes commands, and every member applies them once, at the same place") {
    LaneNodes nodes;
    for (int i = 1; i <= 30; ++i) {
        const auto id = "id-" + std::to_string(i);
        const auto committed = nodes.any(i).submit(id, to_bytes("payload"));
        REQUIRE(committed);
        CHECK((*committed)->index == static_cast<LogIndex>(i));
        CHECK((*committed)->result == to_bytes("applied at " + std::to_string(i)));
        CHECK_FALSE((*committed)->duplicate);
        // Applied on the member that was asked: it can be read there now.
        CHECK(nodes.any(i).machine().effects_of(id) == 1);
    }
    nodes.until_level();
    for (const auto& name : kNodes) {
        const auto status = nodes[name].status();
        CHECK(status.applied == 30);
        CHECK(status.available);
        CHECK(nodes[name].machine().effects_of("id-7") == 1);
    }
}

TEST_CASE("a command that is sent again, anywhere, is answered as the first time") {
    LaneNodes nodes;
    REQUIRE(nodes["b"].submit("x", to_bytes("payload")));
    nodes.until_level();
    for (const auto& name : kNodes) {
        const auto again = nodes[name].submit("x", to_bytes("payload"));
        REQUIRE(again);
        CHECK((*again)->duplicate);
        CHECK((*again)->index == 1);
        CHECK((*again)->result == to_bytes("applied at 1"));
        CHECK((*again)->time_ms > 0);
    }
}

TEST_CASE("what the state machine calls malformed is refused before it is proposed") {
    LaneNodes nodes;
    const auto refused = nodes["b"].submit("x", to_bytes("nonsense"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "this is nonsense");
    CHECK(nodes["b"].submit("x", Bytes(kCommandBytes + 1)).error().code == Errc::too_large);
    CHECK(nodes["a"].status().last_index == 0);
}

TEST_CASE("without a quorum a command is refused at its deadline, and may commit later") {
    LaneNodes nodes;
    nodes.until_available();
    nodes.cut("b");
    nodes.cut("c");
    const auto refused = nodes["a"].submit("x", to_bytes("payload"), 300ms);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    nodes.mend("b");
    const auto committed = nodes["a"].submit("x", to_bytes("payload"));
    REQUIRE(committed);
    CHECK((*committed)->index == 1);
    CHECK(nodes["a"].machine().effects_of("x") == 1);
}

TEST_CASE("while the sequencer is away nothing commits, and its return is enough") {
    LaneNodes nodes;
    nodes.until_available();
    nodes.stop("a");
    const auto refused = nodes["b"].submit("x", to_bytes("payload"), 300ms);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    nodes.start("a");
    REQUIRE(nodes["b"].submit("x", to_bytes("payload")));
}

TEST_CASE("a member that was away for long catches up from the sequencer's log") {
    LaneNodes nodes;
    nodes.until_available();
    nodes.stop("c");
    std::vector<std::thread> clients;
    for (int client = 0; client < 8; ++client) {
        clients.emplace_back([&nodes, client] {
            for (int i = 0; i < 40; ++i)
                nodes["a"].submit(std::to_string(client) + "-" + std::to_string(i),
                                  Bytes(kCommandBytes, 'x'));
        });
    }
    for (auto& client : clients)
        client.join();
    // More than the sequencer keeps in memory.
    REQUIRE(nodes["a"].status().applied * kCommandBytes > kTailBytesMax);
    nodes.start("c");
    nodes.until_level();
    CHECK(nodes["c"].machine().effects_of("7-39") == 1);
}

TEST_CASE("everything is still there after all nodes were stopped") {
    LaneNodes nodes;
    commit(nodes["b"], 1, 20);
    for (const auto& name : kNodes)
        nodes.stop(name);
    for (const auto& name : kNodes)
        nodes.start(name);
    const auto again = nodes["c"].submit("id-5", to_bytes("payload"));
    REQUIRE(again);
    CHECK((*again)->duplicate);
    CHECK((*again)->index == 5);
    commit(nodes["c"], 21, 25);
    nodes.until_level();
    for (const auto& name : kNodes)
        CHECK(nodes[name].machine().effects_of("id-20") == 1);
}

TEST_CASE("a subscriber gets every entry once and in order, and goes on where it was") {
    LaneNodes nodes;
    const auto seen = std::make_shared<Reader::Seen>();
    LaneNode& node = nodes["b"];
    actor::ActorContext context{.path = "reader", .resolver = &node.resolver()};
    const auto stats = context.stats;
    const auto reader = node.system().spawn<Reader>(std::move(context), seen);
    node.resolver().publish("reader", reader, stats, std::chrono::steady_clock::now());
    const auto subscribe = [&](LogIndex after) {
        return actor::call(node.system(), node.resolver(), kLanePath, Subscribe{"reader", after},
                           std::chrono::steady_clock::now() + kPatience);
    };
    const auto until_seen = [&](std::size_t count) {
        std::unique_lock lock(seen->mutex);
        return seen->changed.wait_for(lock, kPatience, [&] { return seen->indexes.size() >= count; });
    };

    commit(nodes["a"], 1, 10);
    REQUIRE(subscribe(0));
    commit(nodes["b"], 11, 20);
    REQUIRE(until_seen(20));
    CHECK(seen->indexes == one_to(20));

    // The lane's next life knows no subscribers.
    node.kill();
    node.start();
    commit(nodes["b"], 21, 25);
    REQUIRE(subscribe(20));
    REQUIRE(until_seen(25));
    CHECK(seen->indexes == one_to(25));
    caf::anon_send_exit(reader, caf::exit_reason::kill);
    node.resolver().withdraw("reader", 1);
}

TEST_CASE("what a peer sends malformed is refused and changes nothing") {
    LaneNodes nodes;
    nodes.until_available();
    std::promise<Result<Bytes>> answered;
    nodes["b"].links().request("a", "lane/metadata", Bytes(100, 0xff), 5s, {},
                               [&](Result<Bytes> result) { answered.set_value(std::move(result)); });
    const auto result = answered.get_future().get();
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::invalid_argument);
    commit(nodes["b"], 1, 1);
}

TEST_CASE("a life does not end before what it is writing is written") {
    LaneNodes nodes;
    LaneNode& node = nodes["b"];
    std::promise<void> applying, go_on;
    std::once_flag first;
    node.machine().before_apply = [&] {
        std::call_once(first, [&] {
            applying.set_value();
            go_on.get_future().wait();
        });
    };
    auto submitted = std::async(std::launch::async, [&] { return node.submit("x", to_bytes("payload")); });
    applying.get_future().wait();
    auto killed = std::async(std::launch::async, [&] { node.kill(); });
    // Time enough to end if it did not wait.
    CHECK(killed.wait_for(100ms) == std::future_status::timeout);
    go_on.set_value();
    killed.get();
    CHECK(node.machine().effects_of("x") == 1);
    node.start();
    REQUIRE(submitted.get());
    nodes.until_level();
    CHECK(node.machine().effects_of("x") == 1);
}

TEST_CASE("killing lane actors under load loses nothing acknowledged and applies nothing twice") {
    constexpr int kClients = 6, kKills = 40;
    LaneNodes nodes;
    Random random(test::seed());
    std::atomic<bool> storm{true};
    std::mutex mutex;
    std::condition_variable committed;
    std::map<std::string, LogIndex> acknowledged;
    std::vector<std::thread> clients;
    for (int client = 0; client < kClients; ++client) {
        clients.emplace_back([&, client, choice = Random(random.next())]() mutable {
            for (int i = 0; storm; ++i) {
                const auto id = std::to_string(client) + "-" + std::to_string(i);
                // With the same id until it is answered.
                Result<std::shared_ptr<const CommandCommitted>> result =
                    fail(Errc::unavailable, "not asked yet");
                while (!result)
                    result = nodes.any(choice.next()).submit(id, Bytes(1 + choice.below(2000), 'x'), 2s);
                const std::lock_guard lock(mutex);
                acknowledged[id] = (*result)->index;
                committed.notify_all();
            }
        });
    }
    for (int kill = 0; kill < kKills; ++kill) {
        // Each kill meets a lane that has committed something since the last one.
        std::unique_lock lock(mutex);
        const auto before = acknowledged.size();
        REQUIRE(committed.wait_for(lock, kPatience, [&] { return acknowledged.size() >= before + 3; }));
        lock.unlock();
        LaneNode& node = nodes.any(random.next());
        node.kill();
        node.start();
    }
    storm = false;
    for (auto& client : clients)
        client.join();
    nodes.until_level();
    std::set<LogIndex> indexes;
    for (const auto& [id, index] : acknowledged) {
        CHECK(indexes.insert(index).second);
        for (const auto& name : kNodes)
            CHECK(nodes[name].machine().effects_of(id) == 1);
    }
    CHECK(nodes["a"].status().last_index == acknowledged.size());
    std::cout << kKills << " kills, " << acknowledged.size()
              << " commands acknowledged, none lost or doubled\n";
}

TEST_CASE("commits are measured") {
    LaneNodes nodes;
    nodes.until_available();
    for (const int in_flight : {1, 32}) {
        std::atomic<int> next{0};
        constexpr int kCommands = 600;
        std::vector<double> took(kCommands);
        const auto begin = std::chrono::steady_clock::now();
        std::vector<std::thread> clients;
        for (int client = 0; client < in_flight; ++client) {
            clients.emplace_back([&] {
                for (int i = next++; i < kCommands; i = next++) {
                    const auto asked = std::chrono::steady_clock::now();
                    const auto id = std::to_string(in_flight) + "-" + std::to_string(i);
                    if (!nodes["b"].submit(id, Bytes(300, 'x'))) std::abort();
                    took[static_cast<std::size_t>(i)] =
                        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - asked)
                            .count();
                }
            });
        }
        for (auto& client : clients)
            client.join();
        const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
        std::ranges::sort(took);
        std::cout << "3 members, 300 bytes, " << in_flight
                  << " in flight through a member that is not the sequencer: " << kCommands / all.count()
                  << " commits/s, p50 " << took[kCommands / 2] << " ms, p99 " << took[kCommands * 99 / 100]
                  << " ms\n";
    }
    CHECK(nodes["b"].status().applied == 1200);
}
