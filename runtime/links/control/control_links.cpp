#include "runtime/links/control/control_links.hpp"

#include "runtime/caf/system.hpp"
#include "runtime/links/control/control_port.hpp"
#include "runtime/links/control/gateway.hpp"
#include "runtime/links/control/scribe.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

namespace dwcp::links {
namespace {

/// Served functions may block on a disk; four at a time keep one slow one from holding up the rest.
constexpr std::size_t kServerThreads = 4;
constexpr std::size_t kServerQueueMax = Load::kRequestsMax;
/// A thread for each peer that is dialled, so that none waits for another's deadline. Beyond this many they
/// may.
constexpr std::size_t kDialThreadsMax = 16;

std::unexpected<Error> beyond_loopback(const std::string& what, const std::string& host) {
    return fail(Errc::invalid_argument, fmt::format("{} is {}, which is not a loopback address", what, host),
                "make certificates with ops/certs and name them in [tls], or use 127.0.0.1");
}

Result<void> check(const ControlOptions& options, const std::vector<ControlPeer>& peers, const NodeName& self,
                   caf::actor_system& system) {
    if (!options.tls && !is_loopback(options.listen_host))
        return beyond_loopback("the control listen address", options.listen_host);
    std::set<NodeName> names{self};
    for (const ControlPeer& peer : peers) {
        if (!options.tls && !is_loopback(peer.host))
            return beyond_loopback("the control address of " + peer.name, peer.host);
        if (!names.insert(peer.name).second) {
            return fail(Errc::invalid_argument,
                        fmt::format("the name {} is used twice, or is this node's own", peer.name),
                        "give each [[peers]] entry the name of a different other node");
        }
    }
    // CAF's heartbeats and ours must be the same ones, since peers are told only ours.
    const auto in_caf = [&](const char* key) { return caf::get_or(system.config(), key, caf::timespan{0}); };
    if (in_caf("middleman.heartbeat-interval") != milliseconds(options.heartbeat_interval_ms) ||
        in_caf("middleman.connection-timeout") != milliseconds(options.heartbeat_timeout_ms)) {
        return fail(Errc::internal,
                    "the actor system was started with other heartbeat settings than the control links");
    }
    return {};
}

class Facade final : public ControlLinks {
  public:
    Facade(GatewaySetup setup, actor::System& system, actor::Resolver& resolver)
        : system_(system.get()), resolver_(resolver), board_(setup.board), loads_(setup.loads),
          cancellation_(setup.cancellation), options_(setup.options), refusals_(setup.refusals),
          connections_(setup.connections) {
        actor::ActorContext context{.path = kGatewayPath, .resolver = &resolver};
        life_ = [&, stats = context.stats] {
            gateway_ = system_.spawn<Gateway>(std::move(context), std::move(setup));
            return resolver_.publish(kGatewayPath, gateway_, stats, std::chrono::steady_clock::now());
        }();
    }

    ~Facade() override {
        cancellation_->cancel();
        // Nothing more is handed to CAF from here on, so what is unpublished stays so.
        const std::uint16_t port = control_port_ ? control_port_->port() : 0;
        control_port_.reset();
        refusals_->end();
        if (port != 0) (void)system_.middleman().unpublish(gateway_, port);
        resolver_.withdraw(kGatewayPath, life_);
        post([](Gateway& gateway) { gateway.stop(); });
        caf::scoped_actor waiter{system_};
        waiter->wait_for(gateway_);
    }

    Result<void> publish() {
        ControlPort::Options options{options_.listen_host, options_.listen_port, options_.tls, {}};
        for (const auto& [name, load] : loads_)
            options.peers.insert(name);
        auto port =
            ControlPort::start(std::move(options), connections_, refusals_,
                               [this, self = describe(system_, gateway_)](ControlPort::Accepted accepted) {
                                   hand_to_caf(std::move(accepted), self);
                               });
        if (!port) return std::unexpected(port.error());
        control_port_ = std::move(*port);
        refusals_->watch([this](const std::string& from, const Error& error) {
            post([from, error](Gateway& gateway) { gateway.take_refusal(from, error); });
        });
        post([](Gateway& gateway) { gateway.start(); });
        return {};
    }

    std::uint16_t port() const override { return control_port_->port(); }

    void serve(const std::string& service, const std::string& actor_path) override {
        board_->set_service(service, {actor_path, nullptr});
    }

    void serve_function(const std::string& service, Server server) override {
        board_->set_service(service, {{}, std::move(server)});
    }

    void request(const NodeName& peer, const std::string& service, Bytes body, Duration deadline,
                 const WorkloadId& trace, Done done) override {
        const auto load = loads_.find(peer);
        auto refusal = refuse_early(peer, service, body, load == loads_.end() ? nullptr : load->second.get());
        // Counted first, so that even the refusals that wait to be delivered are.
        auto completion = std::make_shared<Completion>(
            std::move(done), load == loads_.end() ? nullptr : load->second, body.size());
        if (refusal && options_.breakers != nullptr) {
            if (auto call = options_.breakers->enter(peer, service))
                completion->guard(std::move(*call));
            else
                refusal = std::unexpected(call.error());
        }
        if (!refusal) {
            return post([completion, error = refusal.error()](Gateway&) {
                completion->finish(std::unexpected(error), Fate::not_sent);
            });
        }
        const Duration longest = milliseconds(wire::control::kDeadlineMsMax);
        post([peer, service, body = std::move(body), trace, completion,
              until =
                  std::chrono::steady_clock::now() + std::min(deadline, longest)](Gateway& gateway) mutable {
            gateway.begin_request(peer, service, std::move(body), until, trace, std::move(completion));
        });
    }

    std::vector<PeerState> peers() const override { return board_->peers(); }

    void watch(Watcher watcher) override {
        post([watcher = std::move(watcher)](Gateway& gateway) { gateway.watch(watcher); });
    }

  private:
    /// As CAF does itself with a connection that somebody else has accepted: the broker begins the handshake
    /// and says in it that the gateway is what there is at this port. On the control port's thread.
    void hand_to_caf(ControlPort::Accepted accepted, const std::shared_ptr<const BaspNode>& self) {
        const auto broker = system_.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
        auto scribe = make_scribe(system_, {std::move(accepted.channel), accepted.id,
                                            BaspFilter::Side::acceptor, self, connections_, refusals_});
        caf::anon_send(broker, caf::publish_atom_v, std::move(scribe), accepted.port,
                       caf::actor_cast<caf::strong_actor_ptr>(gateway_), std::set<std::string>{});
    }

    /// What can be refused without the gateway.
    static Result<void> refuse_early(const NodeName& peer, const std::string& service, const Bytes& body,
                                     const Load* load) {
        if (load == nullptr) {
            return fail(Errc::not_found, fmt::format("there is no peer called \"{}\"", peer),
                        "`dwcp-shell -c nodes` lists the peers");
        }
        if (service.empty() || service.size() > wire::control::kServiceBytesMax) {
            return fail(Errc::invalid_argument, "the name of a service has 1 to 64 characters");
        }
        if (body.size() > wire::control::kBodyBytesMax) {
            return fail(Errc::too_large,
                        fmt::format("a control request of {} bytes is over the limit of {}", body.size(),
                                    wire::control::kBodyBytesMax),
                        "bulk data belongs on the data links");
        }
        if (load->requests >= Load::kRequestsMax || load->bytes + body.size() > Load::kBytesMax) {
            return fail(Errc::resource_exhausted, fmt::format("too many requests to {} are under way", peer),
                        "slow down and try again");
        }
        return {};
    }

    template<class Work>
    void post(Work work) const {
        auto* gateway = static_cast<Gateway*>(caf::actor_cast<caf::abstract_actor*>(gateway_));
        caf::anon_send(gateway_, actor::Local<actor::Task>(actor::Task{
                                     [gateway, work = std::move(work)]() mutable { work(*gateway); }}));
    }

    caf::actor_system& system_;
    actor::Resolver& resolver_;
    std::shared_ptr<Board> board_;
    std::map<NodeName, std::shared_ptr<Load>> loads_;
    std::shared_ptr<const Cancellation> cancellation_;
    ControlOptions options_;
    caf::actor gateway_;
    std::uint64_t life_ = 0;
    std::shared_ptr<Refusals> refusals_;
    std::shared_ptr<Connections> connections_;
    std::unique_ptr<ControlPort> control_port_;
};

} // namespace

Result<std::unique_ptr<ControlLinks>> ControlLinks::start(const ControlOptions& options,
                                                          const std::vector<ControlPeer>& peers,
                                                          actor::System& system, actor::Resolver& resolver,
                                                          const identity::Identity& self,
                                                          identity::TrustStore& trust, EventRing& events) {
    if (auto checked = check(options, peers, self.name, system.get()); !checked) {
        return std::unexpected(checked.error());
    }
    GatewaySetup setup{.options = options,
                       .peers = peers,
                       .self = self,
                       .trust = &trust,
                       .events = &events,
                       .board = std::make_shared<Board>(),
                       .loads = {},
                       .diallers = nullptr,
                       .servers = std::make_shared<WorkerPool>("control", kServerThreads, kServerQueueMax),
                       .cancellation = std::make_shared<const Cancellation>(),
                       .refusals = std::make_shared<Refusals>(events),
                       .connections = nullptr};
    Connections::Limits limits;
    limits.handshake_within = limits.greeting_within = milliseconds(options.greeting_timeout_ms);
    // CAF sends something each interval.
    limits.silent_after = 3 * milliseconds(options.heartbeat_interval_ms);
    setup.connections = std::make_shared<Connections>(limits, setup.refusals);
    std::size_t dialled = 0;
    for (const ControlPeer& peer : peers) {
        setup.loads[peer.name] = std::make_shared<Load>();
        if (self.name < peer.name) ++dialled;
    }
    if (dialled > 0) {
        setup.diallers =
            std::make_shared<WorkerPool>("dial", std::min(dialled, kDialThreadsMax), peers.size());
    }
    auto facade = std::make_unique<Facade>(std::move(setup), system, resolver);
    if (auto published = facade->publish(); !published) return std::unexpected(published.error());
    return facade;
}

} // namespace dwcp::links
