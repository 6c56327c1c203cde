// Three nodes of a lane in one process: real stores in temporary directories, real actors, and control links
// that are plain requests between actors and can be cut.
#pragma once

#include "actors/consensus/lane_actor.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/caf/system.hpp"

#include <catch2/catch.hpp>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace dwcp::test {

using namespace std::chrono_literals;

/// Longer than anything here takes on a busy machine; only a failing test waits for it.
inline constexpr auto kPatience = 60s;

class TempDir {
  public:
    TempDir() {
        std::string pattern = (std::filesystem::temp_directory_path() / "dwcp-lane-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

/// Counts how often each command took effect, in the store, and answers with its own index.
class Counting final : public consensus::StateMachine {
  public:
    explicit Counting(store::Store& store) : store_(store) {}

    Result<void> check(const consensus::Command& command) const override {
        if (as_text(command.payload) == "nonsense") return fail(Errc::invalid_argument, "this is nonsense");
        return {};
    }
    Bytes apply(const consensus::Entry& entry, store::Batch& batch) override {
        if (before_apply) before_apply();
        const std::string count = std::to_string(effects_of(entry.command.id) + 1);
        batch.put(store::Family::state, "count/" + entry.command.id, as_bytes(count));
        return to_bytes("applied at " + std::to_string(entry.index));
    }
    void applied(const consensus::Entry&) override {}

    int effects_of(const std::string& id) const {
        const auto value = store_.get(store::Family::state, "count/" + id);
        return value && *value ? std::atoi(std::string(as_text(**value)).c_str()) : 0;
    }

    std::function<void()> before_apply; ///< Set before anything is submitted.

  private:
    store::Store& store_;
};

/// Hands a node's incoming requests to its actors.
class Postman : public actor::Actor {
  public:
    Postman(caf::actor_config& config, actor::ActorContext context)
        : Actor(config, std::move(context)), post(poster()) {}

    void deliver(const std::string& path, links::PeerRequest request, Duration deadline,
                 links::ControlLinks::Done done) {
        post([this, path, request = std::move(request), deadline, done] {
            ask<links::PeerRequest>(
                path, request, deadline, [done](const links::PeerResponse& response) { done(response.body); },
                [done](const Error& error) { done(std::unexpected(error)); });
        });
    }

  protected:
    caf::behavior handlers() override { return {}; }

  private:
    const actor::Poster post;
};

class FakeLinks;

/// Who is connected to whom.
class Switchboard {
  public:
    void join(const NodeName& name, FakeLinks& links);
    void leave(const NodeName& name);
    void set_cut(const NodeName& name, bool cut);
    /// Runs `hand_over` with the links of `to`, which stay until it returns; false if they cannot be reached.
    bool reach(const NodeName& from, const NodeName& to, const std::function<void(FakeLinks&)>& hand_over) {
        const std::lock_guard lock(mutex_);
        if (cut_.contains(from) || cut_.contains(to) || !nodes_.contains(to)) return false;
        hand_over(*nodes_.at(to));
        return true;
    }

  private:
    /// Tells the others about `name`, and `name` about the others.
    void tell(const NodeName& name, bool up);

    std::mutex mutex_;
    std::map<NodeName, FakeLinks*> nodes_;
    std::set<NodeName> cut_;
};

class FakeLinks final : public links::ControlLinks {
  public:
    FakeLinks(NodeName self, Switchboard& board, caf::actor_system& system, actor::Resolver& resolver)
        : self_(std::move(self)), board_(board) {
        actor::ActorContext context{.path = "postman", .resolver = &resolver};
        postman_ = system.spawn<Postman>(std::move(context));
        board_.join(self_, *this);
    }
    ~FakeLinks() override {
        board_.leave(self_);
        caf::anon_send_exit(postman_, caf::exit_reason::kill);
    }

    std::uint16_t port() const override { return 0; }
    void serve(const std::string& service, const std::string& actor_path) override {
        const std::lock_guard lock(mutex_);
        services_[service] = actor_path;
    }
    void serve_function(const std::string&, Server) override {}

    void request(const NodeName& peer, const std::string& service, Bytes body, Duration deadline,
                 const WorkloadId& trace, Done done) override {
        const bool up = board_.reach(self_, peer, [&](FakeLinks& to) {
            to.receive({self_, 1, service, trace, std::move(body)}, deadline, done);
        });
        if (!up) done(fail(Errc::unavailable, peer + " is down"));
    }

    std::vector<links::PeerState> peers() const override {
        const std::lock_guard lock(mutex_);
        std::vector<links::PeerState> states;
        for (const auto& [name, up] : peers_)
            states.push_back(state(name, up));
        return states;
    }
    void watch(Watcher watcher) override {
        const std::lock_guard lock(mutex_);
        watcher_ = std::move(watcher);
    }
    void peer_changed(const NodeName& peer, bool up) {
        const std::lock_guard lock(mutex_);
        peers_[peer] = up;
        if (watcher_) watcher_(state(peer, up));
    }

    void receive(links::PeerRequest request, Duration deadline, Done done) {
        std::string path;
        {
            const std::lock_guard lock(mutex_);
            path = services_[request.service];
        }
        caf::actor_cast<Postman*>(postman_)->deliver(path, std::move(request), deadline, std::move(done));
    }

  private:
    static links::PeerState state(const NodeName& name, bool up) {
        links::PeerState state;
        state.name = name;
        state.up = up;
        return state;
    }

    const NodeName self_;
    Switchboard& board_;
    caf::actor postman_;
    mutable std::mutex mutex_;
    std::map<std::string, std::string> services_;
    std::map<NodeName, bool> peers_;
    Watcher watcher_;
};

inline void Switchboard::tell(const NodeName& name, bool up) {
    for (const auto& [other, links] : nodes_) {
        if (other == name || cut_.contains(other)) continue;
        links->peer_changed(name, up);
        if (nodes_.contains(name)) nodes_.at(name)->peer_changed(other, up);
    }
}

inline void Switchboard::join(const NodeName& name, FakeLinks& links) {
    const std::lock_guard lock(mutex_);
    nodes_[name] = &links;
    tell(name, true);
}

inline void Switchboard::leave(const NodeName& name) {
    const std::lock_guard lock(mutex_);
    nodes_.erase(name);
    tell(name, false);
}

inline void Switchboard::set_cut(const NodeName& name, bool cut) {
    const std::lock_guard lock(mutex_);
    if (cut)
        cut_.insert(name);
    else
        cut_.erase(name);
    tell(name, !cut);
}

inline const std::vector<NodeName> kNodes{"a", "b", "c"};
inline constexpr const char* kLanePath = "consensus/metadata";

class LaneNode {
  public:
    LaneNode(NodeName name, const std::string& directory, Switchboard& board, caf::actor_system& system)
        : name_(std::move(name)), system_(system) {
        auto opened = store::Store::open({.directory = directory, .memory_budget_bytes = 16U << 20});
        if (!opened) FAIL(opened.error().render());
        store_ = std::move(*opened);
        machine_ = std::make_unique<Counting>(*store_);
        pool_ = std::make_unique<WorkerPool>("disk", 3, 256);
        links_ = std::make_unique<FakeLinks>(name_, board, system_, resolver_);
        links_->watch([this](const links::PeerState& peer) {
            const auto live = resolver_.find(kLanePath);
            if (!live) return;
            caf::anon_send(live->handle, actor::Local<consensus::PeerChanged>(consensus::PeerChanged{peer}));
        });
        start();
    }
    ~LaneNode() {
        kill();
        links_.reset();
        resolver_.close();
    }

    void start() {
        actor::ActorContext context{.path = kLanePath, .resolver = &resolver_};
        const auto stats = context.stats;
        lane_ = consensus::spawn_lane(system_, std::move(context), {"metadata", name_, kNodes, "a"}, *store_,
                                      *pool_, *links_, *machine_);
        life_ = resolver_.publish(kLanePath, lane_, stats, std::chrono::steady_clock::now());
    }
    /// As a crash of the actor would; returns when it has ended, as a supervisor would learn.
    void kill() {
        if (!lane_) return;
        caf::scoped_actor self{system_};
        self->monitor(lane_);
        caf::anon_send_exit(lane_, caf::exit_reason::kill);
        self->receive([](const caf::down_msg&) {});
        resolver_.withdraw(kLanePath, life_);
        lane_ = nullptr;
    }

    Result<std::shared_ptr<const consensus::CommandCommitted>> submit(const std::string& id, Bytes payload,
                                                                      Duration deadline = 10s) {
        const consensus::SubmitCommand request{{id, std::move(payload)}, deadline, {}};
        // A little later than the lane's own deadline, so that its reason is heard.
        return actor::call(system_, resolver_, kLanePath, request,
                           std::chrono::steady_clock::now() + deadline + 5s);
    }
    consensus::Status status() {
        const auto reply = actor::call(system_, resolver_, kLanePath, consensus::QueryLane{},
                                       std::chrono::steady_clock::now() + kPatience);
        if (!reply) FAIL(reply.error().render());
        return (*reply)->status;
    }
    /// Asks again and again, since a lane's progress has no event that a thread could wait for.
    bool until(const std::function<bool(const consensus::Status&)>& holds) {
        const auto deadline = std::chrono::steady_clock::now() + kPatience;
        std::mutex mutex;
        std::condition_variable never;
        while (!holds(status())) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::unique_lock lock(mutex);
            never.wait_for(lock, 2ms);
        }
        return true;
    }

    const NodeName& name() const { return name_; }
    Counting& machine() { return *machine_; }
    FakeLinks& links() { return *links_; }
    actor::Resolver& resolver() { return resolver_; }
    caf::actor_system& system() { return system_; }

  private:
    const NodeName name_;
    caf::actor_system& system_;
    actor::Resolver resolver_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<Counting> machine_;
    std::unique_ptr<WorkerPool> pool_;
    std::unique_ptr<FakeLinks> links_;
    caf::actor lane_;
    std::uint64_t life_ = 0;
};

/// All three.
class LaneNodes {
  public:
    LaneNodes() {
        for (const auto& name : kNodes)
            start(name);
    }

    LaneNode& operator[](const NodeName& name) { return *nodes_.at(name); }
    LaneNode& any(std::uint64_t number) { return *nodes_.at(kNodes[number % kNodes.size()]); }
    /// The whole node: its store is closed and opened again.
    void stop(const NodeName& name) { nodes_.erase(name); }
    void start(const NodeName& name) {
        nodes_[name] = std::make_unique<LaneNode>(name, directory_ / name, board_, system_);
    }
    void cut(const NodeName& name) { board_.set_cut(name, true); }
    void mend(const NodeName& name) { board_.set_cut(name, false); }
    void until_available() {
        for (const auto& [name, node] : nodes_)
            REQUIRE(node->until([](const consensus::Status& status) { return status.available; }));
    }
    /// Waits until every member has applied everything.
    void until_level() {
        for (const auto& [name, node] : nodes_) {
            REQUIRE(node->until([&](const consensus::Status& status) {
                return status.applied == nodes_.at("a")->status().last_index;
            }));
        }
    }

  private:
    TempDir directory_;
    Switchboard board_;
    actor::System system_{{.threads = 3}};
    std::map<NodeName, std::unique_ptr<LaneNode>> nodes_;
};

} // namespace dwcp::test
