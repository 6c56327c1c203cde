// The actors around the plain systems: compression, allocator, gateway. What they decide is tested without
// them; here it is how they ask, answer and end.
#include "actors/allocator/allocator_actor.hpp"
#include "actors/allocator/messages.hpp"
#include "actors/compression/codec.hpp"
#include "actors/compression/compression_actor.hpp"
#include "actors/compression/messages.hpp"
#include "actors/gateway/gateway_actor.hpp"
#include "actors/gateway/messages.hpp"
#include "actors/manager/instance.hpp"
#include "protocols/crypto/hash.hpp"
#include "tests/actors/fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>

using namespace dwcp;
using namespace std::chrono_literals;

namespace {

/// Peers as a test says they are; questions about space are answered when the test says so.
class PlayedLinks final : public links::ControlLinks {
  public:
    std::uint16_t port() const override { return 0; }
    void serve(const std::string&, const std::string&) override {}
    void serve_function(const std::string&, Server) override {}
    void request(const NodeName& peer, const std::string& service, Bytes, Duration, const WorkloadId&,
                 Done done) override {
        CHECK(service == allocator::kSpaceService);
        ++asked[peer];
        if (silent) return;
        if (const auto found = answers.find(peer); found != answers.end())
            done(found->second);
        else
            done(fail(Errc::unavailable, peer + " is away"));
    }
    std::vector<links::PeerState> peers() const override { return states; }
    void watch(Watcher) override {}

    void add(const NodeName& name, const std::string& site, const wire::NodeSpace& space) {
        links::PeerState state;
        state.name = name;
        state.site = site;
        state.up = true;
        states.push_back(state);
        answers[name] = wire::encode(space);
    }

    std::vector<links::PeerState> states;
    std::map<NodeName, Bytes> answers;
    std::map<NodeName, int> asked;
    bool silent = false;
};

class PlainSystems : public test::ActorFixture {
  public:
    template<class Spawn>
    caf::actor publish(const std::string& path, Spawn spawn) {
        actor::ActorContext context{.path = path, .resolver = &resolver()};
        const auto stats = context.stats;
        handles_.push_back(spawn(std::move(context)));
        resolver().publish(path, handles_.back(), stats, {});
        run();
        return handles_.back();
    }
    ~PlainSystems() {
        for (const auto& handle : handles_)
            kill(handle);
    }

    /// Runs the actors until a thread outside has answered.
    template<class Pending>
    auto wait(Pending& pending) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        for (;;) {
            if (auto answer = pending.poll()) return std::move(*answer);
            if (std::chrono::steady_clock::now() > deadline) FAIL("no answer");
            std::this_thread::yield();
        }
    }

  private:
    std::vector<caf::actor> handles_;
};

class CompressionFixture : public PlainSystems {
  public:
    CompressionFixture() {
        handle = publish("compression/0", [this](actor::ActorContext context) {
            return compression::spawn_compression(system(), std::move(context), {[] { return 100.0; }},
                                                  workers);
        });
    }
    ~CompressionFixture() {
        kill(handle);
        workers.stop();
    }

    WorkerPool workers{"codec", 1, 2};
    caf::actor handle;
};

SharedBytes text() { return share(to_bytes(std::string(50'000, 'a'))); }

class AllocatorFixture : public PlainSystems {
  public:
    void start() {
        publish("allocator/0", [this](actor::ActorContext context) {
            return allocator::spawn_allocator(system(), std::move(context),
                                              {"a", "site-a", [this] { return own; }}, links);
        });
    }
    Result<std::vector<NodeName>> place(std::uint32_t replicas, std::uint64_t bytes = 10,
                                        std::vector<NodeName> without = {}) {
        auto placed = ask("allocator/0", allocator::PlaceReplicas{"w", bytes, replicas, std::move(without)});
        if (!placed) return std::unexpected(placed.error());
        auto nodes = placed->nodes;
        std::ranges::sort(nodes);
        return nodes;
    }

    wire::NodeSpace own{1000, 500, false};
    PlayedLinks links;
};

using Names = std::vector<NodeName>;

} // namespace

TEST_CASE_METHOD(CompressionFixture,
                 "a block is hashed and encoded, with the codec that was pinned if one was") {
    const auto raw = text();
    for (const std::optional<CodecChoice> pinned :
         {std::optional<CodecChoice>{}, std::optional(CodecChoice{Codec::zstd, 9}),
          std::optional(CodecChoice{})}) {
        auto pending = begin(handle, compression::EncodeBlock{"w", raw, pinned});
        const auto encoded = wait(pending);
        REQUIRE(encoded);
        CHECK(encoded->block.hash == crypto::sha256(*raw));
        CHECK(*compression::decode_verified(encoded->block).value() == *raw);
        CHECK_FALSE(encoded->reason.empty());
        if (pinned) CHECK(encoded->block.codec == *pinned);
    }
}

TEST_CASE_METHOD(CompressionFixture, "a block that cannot be is refused") {
    for (const auto& raw : {SharedBytes(), share({}), share(Bytes(kBlockBytes + 1))})
        CHECK(ask("compression/0", compression::EncodeBlock{"w", raw, {}}).error().code ==
              Errc::invalid_argument);
    auto pending = begin(handle, compression::EncodeBlock{"w", text(), CodecChoice{Codec::zstd, 77}});
    CHECK(wait(pending).error().code == Errc::invalid_argument);
}

TEST_CASE_METHOD(CompressionFixture,
                 "a full queue refuses, and what is queued when the actor ends hurts nobody") {
    std::promise<void> go;
    std::promise<void> held;
    REQUIRE(workers.try_submit([&, gate = go.get_future().share()] {
        held.set_value();
        gate.wait();
    }));
    held.get_future().wait();
    auto first = begin(handle, compression::EncodeBlock{"w", text(), {}});
    auto second = begin(handle, compression::EncodeBlock{"w", text(), {}});
    CHECK(ask("compression/0", compression::EncodeBlock{"w", text(), {}}).error().code ==
          Errc::resource_exhausted);
    kill(handle);
    CHECK(first.poll()->error().code == Errc::unavailable);
    CHECK(second.poll()->error().code == Errc::unavailable);
    go.set_value();
    workers.stop(); // both blocks are encoded after all, for an actor that is gone
    run();
}

TEST_CASE_METHOD(CompressionFixture, "many more streams than are remembered are all served") {
    for (int stream = 0; stream < 1100; ++stream) {
        auto pending = begin(handle, compression::EncodeBlock{"w" + std::to_string(stream), text(), {}});
        REQUIRE(wait(pending));
    }
}

TEST_CASE_METHOD(AllocatorFixture,
                 "replicas go to nodes that are up and have told their space, each at another site") {
    links.add("b", "site-b", {1000, 100, false});
    links.add("c", "site-c", {1000, 200, false});
    links.add("d", "site-b", {1000, 900, false});
    start();
    CHECK(place(1).value() == Names{"b"});
    CHECK(place(3).value() == Names{"a", "b", "c"});
    CHECK(place(4).error().code == Errc::precondition_failed);
    links.states[0].up = false;
    CHECK(place(3).value() == Names{"a", "c", "d"});
}

TEST_CASE_METHOD(AllocatorFixture, "a node that was never heard takes no part until it has told its space") {
    links.add("b", "site-b", {1000, 100, false});
    links.silent = true;
    start();
    CHECK(place(2).error().code == Errc::unavailable);
    links.silent = false;
    advance(1s);
    CHECK(place(2).value() == Names{"a", "b"});
}

TEST_CASE_METHOD(AllocatorFixture, "nonsense about a node's space is no space") {
    links.add("b", "site-b", {1000, 100, false});
    links.answers["b"] = Bytes(24, 0xee);
    start();
    CHECK_FALSE(place(2));
    links.answers["b"] = {};
    advance(1s);
    CHECK_FALSE(place(2));
}

TEST_CASE_METHOD(AllocatorFixture, "nodes that did not do are left out") {
    links.add("b", "site-b", {1000, 100, false});
    links.add("c", "site-c", {1000, 200, false});
    start();
    CHECK(place(2, 10, {"b"}).value() == Names{"a", "c"});
    CHECK_FALSE(place(3, 10, {"b"}));
    CHECK(place(1, 10, {"a", "b", "c"}).error().code == Errc::unavailable);
}

TEST_CASE_METHOD(AllocatorFixture, "what was just placed counts until the node tells its space again") {
    links.add("b", "site-b", {1000, 0, false});
    links.add("c", "site-c", {1000, 400, false});
    start();
    CHECK(place(1, 300).value() == Names{"b"});
    CHECK(place(1, 300).value() == Names{"b"}); // 700 free there, 600 at c
    CHECK(place(1, 300).value() == Names{"c"});
    advance(1s); // b tells that all 1000 are free: nothing came
    CHECK(place(1, 300).value() == Names{"b"});
}

TEST_CASE_METHOD(AllocatorFixture, "a plan says where replicas would go and why, and takes no room") {
    links.add("b", "site-b", {1000, 0, false});
    links.add("c", "site-c", {1000, 400, false});
    start();
    const auto plan = [&](std::vector<allocator::Request> requests) {
        auto planned = ask("allocator/0", allocator::PlanPlacements{std::move(requests)});
        REQUIRE(planned);
        return planned->list;
    };
    for (int again = 0; again < 2; ++again) {
        const auto list =
            plan({{500, 1, ""}, {500, 1, ""}, {10, 1, "", {"site-c"}}, {10, 1, "", {"nowhere"}}});
        REQUIRE(list.size() == 4);
        CHECK(list[0].placement.value().nodes == Names{"b"});
        CHECK(list[1].placement.value().nodes == Names{"c"}); // the first took room at b
        CHECK(list[2].placement.value().nodes == Names{"c"});
        CHECK(list[3].placement.error().code == Errc::unavailable);
        REQUIRE(list[0].verdicts.size() == 3);
        CHECK(list[0].verdicts[0].name == "b");
        CHECK(list[0].verdicts[0].score == 50U);
        CHECK(list[3].verdicts[0].reason == "is left out by the request");
    }
    CHECK(ask("allocator/0", allocator::QueryDecisions{})->list.empty());
}

TEST_CASE_METHOD(AllocatorFixture, "the latest decisions are remembered, so many and no more") {
    start();
    CHECK_FALSE(place(2));
    for (std::size_t i = 0; i < allocator::kDecisionsKept; ++i)
        CHECK(place(1, i));
    const auto all = ask("allocator/0", allocator::QueryDecisions{});
    REQUIRE(all);
    REQUIRE(all->list.size() == allocator::kDecisionsKept);
    CHECK(all->list.front().bytes == allocator::kDecisionsKept - 1);
    CHECK(all->list.front().nodes == Names{"a"});
    CHECK(all->list.back().bytes == 0); // the refusal before it is forgotten
    CHECK_FALSE(place(2));
    const auto latest = ask("allocator/0", allocator::QueryDecisions{1});
    REQUIRE(latest->list.size() == 1);
    CHECK(latest->list[0].nodes.empty());
    CHECK(latest->list[0].problem.find("distinct sites") != std::string::npos);
}

TEST_CASE_METHOD(AllocatorFixture,
                 "peers that are down or draining are left out, and those that are down are not asked") {
    links.add("b", "site-b", {1000, 0, true});
    links.add("c", "site-c", {1000, 0, false});
    links.states[1].up = false;
    start();
    CHECK(links.asked["b"] == 1);
    CHECK(links.asked["c"] == 0);
    CHECK(place(1).value() == Names{"a"});
    CHECK(place(2).error().code == Errc::unavailable);
    own.draining = true;
    CHECK_FALSE(place(1));
}

TEST_CASE_METHOD(PlainSystems,
                 "the gateway routes a key to its manager, under a fresh id, until the node drains") {
    const auto draining = std::make_shared<std::atomic<bool>>(false);
    publish("gateway/0", [&](actor::ActorContext context) {
        return gateway::spawn_gateway(system(), std::move(context), {4, draining});
    });
    const auto first = ask("gateway/0", gateway::RouteRequest{"put", "dir/a"});
    const auto second = ask("gateway/0", gateway::RouteRequest{"get", "dir/a"});
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->manager == "manager/" + std::to_string(manager::instance_for("dir/a", 4)));
    CHECK(first->manager == second->manager);
    CHECK(first->id.size() == 32);
    CHECK(first->id != second->id);
    *draining = true;
    const auto refused = ask("gateway/0", gateway::RouteRequest{"put", "dir/a"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
}
