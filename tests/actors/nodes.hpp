// Nodes with real actor systems and control links over loopback, several in one process, and one as a process
// of its own.
#pragma once

#include "runtime/base/events.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/caf/system.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/links/control/control_links.hpp"
#include "tests/actors/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace dwcp::test {

using namespace std::chrono_literals;

/// Longer than anything here takes on a busy machine; only a failing test waits for it.
inline constexpr auto kPatience = 8s;

struct NodeOptions {
    std::string cluster_id = "test";
    links::ControlOptions links{.listen_host = "127.0.0.1",
                                .listen_port = 0,
                                .heartbeat_interval_ms = 200,
                                .heartbeat_timeout_ms = 1000,
                                .connect_timeout_ms = 500,
                                .reconnect_min_ms = 10,
                                .reconnect_max_ms = 100};
};

/// One node. The same name and directory again is the same node in its next life.
class Node {
  public:
    Node(const TempDir& home, const std::string& name, std::vector<links::ControlPeer> peers,
         NodeOptions options = {})
        : system_({.heartbeat_interval_ms = options.links.heartbeat_interval_ms,
                   .heartbeat_timeout_ms = options.links.heartbeat_timeout_ms,
                   .threads = 2}) {
        identity_ = identity::load_or_create(home.sub(name), name, "somewhere", options.cluster_id).value();
        std::map<NodeName, std::string> names;
        for (const auto& peer : peers)
            names[peer.name] = "";
        trust_ = identity::TrustStore::open(home.sub(name), names).value();
        auto started =
            links::ControlLinks::start(options.links, peers, system_, resolver_, identity_, *trust_, events_);
        if (!started) FAIL(started.error().render());
        links_ = std::move(*started);
        links_->watch([this](const links::PeerState& state) {
            const std::lock_guard lock(mutex_);
            seen_.push_back(state);
            changed_.notify_all();
        });
    }

    links::ControlLinks& links() { return *links_; }
    EventRing& events() { return events_; }
    actor::System& system() { return system_; }
    actor::Resolver& resolver() { return resolver_; }
    const identity::Identity& identity() const { return identity_; }
    std::uint16_t port() const { return links_->port(); }
    links::ControlPeer as_peer() const { return {identity_.name, identity_.site, "127.0.0.1", port()}; }

    links::PeerState peer(const std::string& name) const {
        for (const auto& state : links_->peers()) {
            if (state.name == name) return state;
        }
        FAIL("no peer " + name);
        return {};
    }

    /// Waits until `holds`, looking again at every change of a link and now and then in between.
    bool eventually(const std::function<bool()>& holds) {
        const auto deadline = std::chrono::steady_clock::now() + kPatience;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, 5ms);
        }
        return true;
    }
    bool until_up(const std::string& name) {
        return eventually([&] { return peer(name).up; });
    }
    bool until_down(const std::string& name) {
        return eventually([&] { return !peer(name).up; });
    }

    /// The last event of this name about `subject`.
    std::optional<Event> event(const std::string& name, const std::string& subject) const {
        std::optional<Event> last;
        for (auto& event : events_.since(0, kEventsKept)) {
            if (event.name == name && event.subject == subject) last = std::move(event);
        }
        return last;
    }
    std::optional<Event> until_event(const std::string& name, const std::string& subject) {
        eventually([&] { return event(name, subject).has_value(); });
        return event(name, subject);
    }

    std::future<Result<Bytes>> begin(const std::string& peer, const std::string& service, Bytes body,
                                     Duration deadline = 5s) {
        auto promise = std::make_shared<std::promise<Result<Bytes>>>();
        links_->request(peer, service, std::move(body), deadline, "trace",
                        [promise](Result<Bytes> result) { promise->set_value(std::move(result)); });
        return promise->get_future();
    }
    Result<Bytes> ask(const std::string& peer, const std::string& service, Bytes body,
                      Duration deadline = 5s) {
        auto answer = begin(peer, service, std::move(body), deadline);
        if (answer.wait_for(kPatience) != std::future_status::ready) FAIL("a request was never answered");
        return answer.get();
    }

    void stop_links() { links_.reset(); }

  private:
    identity::Identity identity_;
    std::unique_ptr<identity::TrustStore> trust_;
    EventRing events_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<links::PeerState> seen_;
    actor::Resolver resolver_;
    actor::System system_;
    std::unique_ptr<links::ControlLinks> links_;
};

/// The peer program (peer_program.cpp) as a child process. Serves "echo", "hold" which answers when the
/// process ends, and "restarting", whose actor is never there.
class PeerProcess {
  public:
    /// Accepts links from `dialler`. `port`: 0 for any.
    PeerProcess(const TempDir& home, const std::string& name, const std::string& dialler,
                const links::ControlOptions& options, std::uint16_t port = 0);
    ~PeerProcess();

    std::uint16_t port() const { return port_; }
    links::ControlPeer as_peer(const std::string& name) const {
        return {name, "elsewhere", "127.0.0.1", port_};
    }
    void signal(int number) const;
    /// Kills and reaps it.
    void kill();

  private:
    pid_t pid_ = -1;
    int stdin_ = -1;
    std::uint16_t port_ = 0;
};

} // namespace dwcp::test
