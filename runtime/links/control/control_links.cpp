#include "runtime/links/control/control_links.hpp"

#include "runtime/caf/system.hpp"
#include "runtime/links/control/gateway.hpp"

#include <caf/io/all.hpp>
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
    return fail(
        Errc::invalid_argument, fmt::format("{} is {}, which is not a loopback address", what, host),
        "use 127.0.0.1: control links leave the machine only with TLS, which this version does not have yet");
}

Result<void> check(const ControlOptions& options, const std::vector<ControlPeer>& peers, const NodeName& self,
                   caf::actor_system& system) {
    if (!is_loopback(options.listen_host))
        return beyond_loopback("the control listen address", options.listen_host);
    std::set<NodeName> names{self};
    for (const ControlPeer& peer : peers) {
        if (!is_loopback(peer.host)) return beyond_loopback("the control address of " + peer.name, peer.host);
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
          cancellation_(setup.cancellation), options_(setup.options) {
        actor::ActorContext context{.path = kGatewayPath, .resolver = &resolver};
        life_ = [&, stats = context.stats] {
            gateway_ = system_.spawn<Gateway>(std::move(context), std::move(setup));
            return resolver_.publish(kGatewayPath, gateway_, stats, std::chrono::steady_clock::now());
        }();
    }

    ~Facade() override {
        cancellation_->cancel();
        if (port_ != 0) (void)system_.middleman().unpublish(gateway_, port_);
        resolver_.withdraw(kGatewayPath, life_);
        post([](Gateway& gateway) { gateway.stop(); });
        caf::scoped_actor waiter{system_};
        waiter->wait_for(gateway_);
    }

    Result<void> publish() {
        // With reuse: the port may still have connections of an earlier life in TIME_WAIT.
        const auto port =
            system_.middleman().publish(gateway_, options_.listen_port, options_.listen_host.c_str(), true);
        if (!port) {
            return fail(Errc::unavailable,
                        fmt::format("cannot listen for control links on {}:{}: {}", options_.listen_host,
                                    options_.listen_port,
                                    why_not_listen(options_.listen_host, options_.listen_port)),
                        "stop what uses that port (`ss -ltnp` shows it), or change listen.control");
        }
        port_ = *port;
        post([](Gateway& gateway) { gateway.start(); });
        return {};
    }

    std::uint16_t port() const override { return port_; }

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
        if (!refusal) {
            return post([completion, error = refusal.error()](Gateway&) {
                completion->finish(std::unexpected(error));
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
    std::uint16_t port_ = 0;
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
                       .cancellation = std::make_shared<const Cancellation>()};
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
