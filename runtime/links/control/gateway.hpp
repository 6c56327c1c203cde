// The actor at the control port: the one thing of a node that other nodes can reach through CAF. It greets,
// keeps one link and at most one session a peer, and passes authenticated requests on; it decides little
// itself (peer_link.hpp, greeting.hpp, session.hpp do).
//
// Life cycle: one a node, spawned and published by ControlLinks::start(), and never restarted: handles of it
// that peers hold stay good for as long as the node lives. It ends only through stop(): exit messages are
// dropped, because anyone who reaches the port could send one. Everything here runs inside the actor.
#pragma once

#include "runtime/base/worker_pool.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/links/control/basp_filter.hpp"
#include "runtime/links/control/connections.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/links/control/dial.hpp"
#include "runtime/links/control/greeting.hpp"
#include "runtime/links/control/peer_link.hpp"
#include "runtime/links/control/session.hpp"
#include "runtime/metrics/metrics.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::links {

/// The path of the gateway in logs, metrics and the actor tree.
inline constexpr const char* kGatewayPath = "control/gateway";

/// What is under way to one peer, by requests and by their bytes. CAF buffers what a stalled peer does not
/// take without limit, so the limit is here: beyond it requests are refused at once.
struct Load {
    static constexpr std::size_t kRequestsMax = 1024;
    static constexpr std::size_t kBytesMax = 16U << 20;
    std::atomic<std::size_t> requests{0};
    std::atomic<std::size_t> bytes{0};
};

/// How far a request came, for the breaker of its service.
enum class Fate : std::uint8_t { not_sent, unanswered, answered };

/// A callback that is called exactly once, come what may: also when what holds it is dropped, as a mailbox is
/// at its end.
class Completion {
  public:
    /// `load` may be null: the request is then not counted.
    Completion(ControlLinks::Done done, std::shared_ptr<Load> load, std::size_t bytes);
    ~Completion();
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;

    /// The breaker's permission for this request.
    void guard(resilience::Call call) { call_ = std::move(call); }
    void finish(Result<Bytes> result, Fate fate = Fate::unanswered);

  private:
    ControlLinks::Done done_;
    std::shared_ptr<Load> load_;
    std::size_t bytes_;
    resilience::Call call_;
};

/// Who serves a service: the actor at a path, or a function on a worker thread.
struct Service {
    std::string actor_path;
    ControlLinks::Server function;
};

/// What the gateway shares with other threads.
class Board {
  public:
    void set_service(const std::string& name, Service service);
    std::optional<Service> find_service(const std::string& name) const;
    template<class Change>
    void update(const NodeName& peer, Change change) {
        const std::lock_guard lock(mutex_);
        change(peers_[peer]);
    }
    PeerState peer(const NodeName& name) const;
    std::vector<PeerState> peers() const;

  private:
    mutable std::mutex mutex_;
    std::map<std::string, Service> services_;
    std::map<NodeName, PeerState> peers_;
};

struct GatewaySetup {
    ControlOptions options;
    std::vector<ControlPeer> peers;
    identity::Identity self;
    identity::TrustStore* trust = nullptr;
    EventRing* events = nullptr;
    std::shared_ptr<Board> board;
    std::map<NodeName, std::shared_ptr<Load>> loads;
    std::shared_ptr<WorkerPool>
        diallers; ///< A thread for each peer that this node dials; null if there is none.
    std::shared_ptr<WorkerPool> servers;
    std::shared_ptr<const Cancellation> cancellation;
    std::shared_ptr<Refusals> refusals;
    std::shared_ptr<Connections> connections;
};

class Gateway : public actor::Actor {
  public:
    Gateway(caf::actor_config& config, actor::ActorContext context, GatewaySetup setup);

    void start();
    void stop();
    void begin_request(const NodeName& peer, const std::string& service, Bytes body, TimePoint deadline,
                       const WorkloadId& trace, std::shared_ptr<Completion> done);
    void watch(ControlLinks::Watcher watcher);
    /// Somebody at this address was refused before CAF saw a byte. If that is where the one peer is that
    /// should dial this node and does not get through, it says so on that peer's link.
    void take_refusal(const std::string& source, const Error& error);

    void enqueue(caf::mailbox_element_ptr element, caf::execution_unit* unit) override;

  protected:
    caf::behavior handlers() override;
    void ended() override;

  private:
    struct InFlight {
        std::shared_ptr<Completion> done;
        TimePoint sent_at;
    };
    struct Probe {
        explicit Probe(const NodeName& peer);
        metrics::Gauge up;
        metrics::Histogram round_trip;
    };
    struct Peer {
        Peer(ControlPeer peer, const PeerLink::Settings& settings, std::shared_ptr<Load> load);
        ControlPeer config;
        PeerLink link;
        Probe probe;
        std::shared_ptr<Load> load;
        std::optional<Greeting> greeting; ///< Of this end as the dialler, while it is under way.
        std::shared_ptr<Session> session;
        caf::actor remote;              ///< The peer's gateway.
        Connections::Id connection = 0; ///< Of this end's last attempt as the dialler; 0: none.
        std::map<std::uint64_t, InFlight> in_flight;
        std::size_t serving = 0;
        NodeName refused_by;
        Error refusal;
        TimePoint next_refusal_at{};
    };
    /// A greeting that this end has answered as the acceptor and that waits for its Confirm.
    struct Pending {
        Greeting greeting;
        caf::actor remote;
    };

    // The link's steps (gateway.cpp).
    void apply(Peer& peer, const PeerLink::Effects& effects);
    void dial_peer(Peer& peer);
    void connect(Peer& peer, Channel channel);
    void fail_dial(Peer& peer, std::uint64_t attempt, const Error& error);
    void ping(Peer& peer);
    void fail_link(Peer& peer, std::uint64_t attempt, const std::string& problem);
    void end_connection(Peer& peer);
    void close_session(Peer& peer);
    void watch_remote(Peer& peer);
    void announce(Peer& peer, PeerLink::Change change);

    // The greeting (gateway_greeting.cpp).
    void greet(Peer& peer);
    /// Whether the answer to a greeting was a refusal, which then has ended the attempt.
    bool ends_by_refusal(Peer& peer, std::uint64_t attempt, const wire::control::Message& message);
    void take_hello_ack(Peer& peer, std::uint64_t attempt, const actor::ControlFrame& frame);
    void take_welcome(Peer& peer, std::uint64_t attempt, const actor::ControlFrame& frame);
    void take_hello(actor::Ticket ticket, const wire::control::Offer& offer, const caf::actor& remote);
    void take_confirm(actor::Ticket ticket, const wire::control::Confirm& confirm);
    void refuse_link(Peer& peer, std::uint64_t attempt, const NodeName& by, const Error& error);
    void refuse_stranger(const NodeName& name, const NodeName& by, const Error& error);
    void note_refusal(const NodeName& name, const NodeName& by, const Error& error);

    // Requests and answers (gateway_frames.cpp).
    void receive(const actor::ControlFrame& frame);
    void take_sealed(actor::Ticket ticket, const wire::control::Sealed& sealed);
    void serve(Peer& peer, wire::control::Envelope envelope, actor::Ticket ticket);
    void serve_by_function(ControlLinks::Server function, PeerRequest request, Duration left,
                           ControlLinks::Done answer);
    void send_disturbed(Peer& peer, wire::control::Request request, const WorkloadId& trace, Duration left,
                        std::shared_ptr<Completion> done);
    void send_undisturbed(Peer& peer, wire::control::Request request, const WorkloadId& trace, Duration left,
                          std::shared_ptr<Completion> done);
    void send_request(Peer& peer, wire::control::Request request, const WorkloadId& trace, Duration left,
                      std::shared_ptr<Completion> done);
    void take_answer(Peer& peer, std::uint64_t attempt, std::uint64_t sequence,
                     const actor::ControlFrame& frame);
    void give_up(Peer& peer, std::uint64_t attempt, std::uint64_t sequence, const Error& error);
    void reject(actor::Ticket ticket, const NodeName& from, BadFrame reason);
    static metrics::Counter bad_frames(const std::string& peer, BadFrame reason);
    void count_bad(const NodeName& from, BadFrame reason);
    void reply(actor::Ticket ticket, const wire::control::Message& message);

    /// Whether the certificate of the connection that `remote` is at the end of, if any, is that of `name`.
    Result<void> check_certificate(const caf::actor& remote, const NodeName& name);
    void admit(const caf::actor& remote);

    Peer* find(const NodeName& name);
    Greeting::Settings greeting_settings() const;

    GatewaySetup setup_;
    std::shared_ptr<const BaspNode> self_; ///< For the connections' filters.
    std::map<NodeName, Peer> peers_;       ///< Never changes its members, so references into it stay good.
    std::deque<Pending> pending_;
    std::vector<ControlLinks::Watcher> watchers_;
    TimePoint next_refusal_at_{}; ///< Of those who are no peers.
    bool stopping_ = false;
};

} // namespace dwcp::links
