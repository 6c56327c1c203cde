#include "runtime/links/control/gateway.hpp"

#include "runtime/links/control/scribe.hpp"
#include "runtime/log/log.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstring>

namespace dwcp::links {

using actor::ControlFrame;
using namespace wire;

namespace {

PeerLink::Settings link_settings(const ControlOptions& options, bool dials) {
    return {.dials = dials,
            .reconnect_min = milliseconds(options.reconnect_min_ms),
            .reconnect_max = milliseconds(options.reconnect_max_ms),
            .ping_after = milliseconds(options.heartbeat_interval_ms)};
}

std::uint64_t random_seed() {
    std::array<Byte, sizeof(std::uint64_t)> bytes{};
    crypto::random_bytes(bytes);
    std::uint64_t seed = 0;
    std::memcpy(&seed, bytes.data(), sizeof seed);
    return seed;
}

/// A throwing callback of somebody else must not take the gateway with it.
template<class Call>
void guarded(Call call) {
    try {
        call();
    } catch (const std::exception& thrown) {
        log::error("control_callback_threw", {{"what", thrown.what()}}, {.actor = kGatewayPath});
    }
}

void report_to_breaker(resilience::Call& call, const Result<Bytes>& result, Fate fate) {
    if (result) return call.succeeded();
    // Whoever says himself that he cannot serve right now is there, and keeps nobody waiting.
    const bool is_back_soon = fate == Fate::answered && result.error().code == Errc::unavailable;
    if (fate == Fate::not_sent || is_back_soon) return call.report(breaker::Outcome::ignored);
    call.failed(result.error());
}

std::string why_lost(const caf::error& reason) {
    return reason == caf::exit_reason::remote_link_unreachable ? "the connection was lost"
                                                               : "its control gateway ended";
}

} // namespace

Completion::Completion(ControlLinks::Done done, std::shared_ptr<Load> load, std::size_t bytes)
    : done_(std::move(done)), load_(std::move(load)), bytes_(bytes) {
    if (!load_) return;
    load_->requests.fetch_add(1, std::memory_order_relaxed);
    load_->bytes.fetch_add(bytes_, std::memory_order_relaxed);
}

Completion::~Completion() { finish(fail(Errc::cancelled, "this node's control links have ended")); }

void Completion::finish(Result<Bytes> result, Fate fate) {
    const auto done = std::exchange(done_, nullptr);
    if (!done) return;
    report_to_breaker(call_, result, fate);
    if (load_) {
        load_->requests.fetch_sub(1, std::memory_order_relaxed);
        load_->bytes.fetch_sub(bytes_, std::memory_order_relaxed);
    }
    guarded([&] { done(std::move(result)); });
}

void Board::set_service(const std::string& name, Service service) {
    const std::lock_guard lock(mutex_);
    services_[name] = std::move(service);
}

std::optional<Service> Board::find_service(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = services_.find(name);
    if (found == services_.end()) return std::nullopt;
    return found->second;
}

PeerState Board::peer(const NodeName& name) const {
    const std::lock_guard lock(mutex_);
    return peers_.at(name);
}

std::vector<PeerState> Board::peers() const {
    const std::lock_guard lock(mutex_);
    std::vector<PeerState> states;
    for (const auto& [name, state] : peers_)
        states.push_back(state);
    return states;
}

Gateway::Probe::Probe(const NodeName& peer)
    : up(metrics::gauge("dwcp_control_peer_up", "Whether the control link to a peer is up (0 or 1).",
                        {{"peer", peer}})),
      round_trip(metrics::histogram("dwcp_control_request_duration_seconds",
                                    "From sending a control request to its answer.",
                                    metrics::duration_bounds(), {{"peer", peer}})) {
    up.set(0);
}

Gateway::Peer::Peer(ControlPeer peer, const PeerLink::Settings& settings, std::shared_ptr<Load> its_load)
    : config(std::move(peer)), link(settings, random_seed()), probe(config.name), load(std::move(its_load)) {}

Gateway::Gateway(caf::actor_config& config, actor::ActorContext context, GatewaySetup setup)
    : actor::Actor(config, std::move(context)), setup_(std::move(setup)) {
    bad_frames("unknown", BadFrame::undecodable); // there from the start, at 0
    for (const ControlPeer& peer : setup_.peers) {
        const bool dials = setup_.self.name < peer.name;
        peers_.try_emplace(peer.name, peer, link_settings(setup_.options, dials), setup_.loads.at(peer.name));
        setup_.board->update(peer.name, [&](PeerState& state) {
            state.name = peer.name;
            state.site = peer.site;
            state.address = fmt::format("{}:{}", peer.host, peer.port);
            state.since_ms = unix_now_ms();
            state.problem = dials ? "not connected yet" : "has not dialled this node yet";
        });
    }
}

caf::behavior Gateway::handlers() {
    return {[this](const ControlFrame& frame) { receive(frame); }};
}

void Gateway::enqueue(caf::mailbox_element_ptr element, caf::execution_unit* unit) {
    if (element->content().match_elements<caf::exit_msg>()) return;
    actor::Actor::enqueue(std::move(element), unit);
}

Result<void> Gateway::check_certificate(const caf::actor& remote, const NodeName& name) {
    if (!setup_.options.tls) return {};
    // Empty if the connection is gone meanwhile.
    const auto subject = setup_.connections->subject_of(serialise(system(), remote.node()));
    if (subject == name) return {};
    return fail(
        Errc::unauthenticated,
        fmt::format("the certificate of this connection is that of \"{}\", but {} greets", subject, name),
        fmt::format("give {} a certificate of its own with ops/certs", name));
}

void Gateway::admit(const caf::actor& remote) {
    setup_.connections->admit(serialise(system(), remote.node()));
}

void Gateway::start() {
    self_ = describe(system(), caf::actor_cast<caf::actor>(this));
    for (auto& [name, peer] : peers_)
        apply(peer, peer.link.start(now()));
}

void Gateway::stop() {
    stopping_ = true;
    quit(caf::exit_reason::user_shutdown);
}

void Gateway::ended() {
    // Nobody restarts it, so this must not go unnoticed: the node has to be restarted.
    if (!stopping_) setup_.events->record("control_gateway_failed", kGatewayPath);
    for (auto& [name, peer] : peers_)
        close_session(peer);
    for (auto& [name, peer] : peers_) {
        for (auto& [sequence, request] : std::exchange(peer.in_flight, {})) {
            request.done->finish(fail(Errc::cancelled, "this node's control links have ended"));
        }
    }
}

void Gateway::take_refusal(const std::string& source, const Error& error) {
    Peer* suspect = nullptr;
    for (auto& [name, peer] : peers_) {
        if (peer.config.host != source || setup_.self.name < name) continue;
        if (suspect != nullptr) return; // It could be either.
        suspect = &peer;
    }
    if (suspect == nullptr || suspect->link.state() != PeerLink::State::down) return;
    setup_.board->update(suspect->config.name, [&](PeerState& state) {
        state.problem =
            fmt::format("a connection from its address was refused: {} ({})", error.message, error.remedy);
    });
}

void Gateway::watch(ControlLinks::Watcher watcher) {
    for (const PeerState& state : setup_.board->peers()) {
        if (state.up) guarded([&] { watcher(state); });
    }
    watchers_.push_back(std::move(watcher));
}

Gateway::Peer* Gateway::find(const NodeName& name) {
    const auto found = peers_.find(name);
    return found == peers_.end() ? nullptr : &found->second;
}

void Gateway::apply(Peer& peer, const PeerLink::Effects& effects) {
    if (effects.wake_at) {
        const Duration delay = std::max(Duration::zero(), Duration(*effects.wake_at - now()));
        after(delay, [this, &peer] { apply(peer, peer.link.wake(now())); });
    }
    if (effects.change != PeerLink::Change::none) announce(peer, effects.change);
    switch (effects.step) {
    case PeerLink::Step::none:
        return;
    case PeerLink::Step::probe:
        return dial_peer(peer);
    case PeerLink::Step::connect:
        return; // By whoever holds the socket: see dial_peer().
    case PeerLink::Step::greet:
        return greet(peer);
    case PeerLink::Step::ping:
        return ping(peer);
    }
}

void Gateway::dial_peer(Peer& peer) {
    end_connection(peer); // A refused one has stayed until now, so that the peer could hear why.
    const auto attempt = peer.link.attempt();
    const auto deadline = now() + milliseconds(setup_.options.connect_timeout_ms);
    auto job = [this, &peer, attempt, deadline, post = poster(), host = peer.config.host,
                port = peer.config.port, cancellation = setup_.cancellation, tls = setup_.options.tls,
                name = peer.config.name] {
        const DialTarget target{host, port, name, tls.get()};
        auto channel = std::make_shared<Result<Channel>>(dial(target, deadline, *cancellation));
        post([this, &peer, attempt, channel] {
            if (!*channel) return fail_dial(peer, attempt, channel->error());
            const auto effects = peer.link.probed(attempt);
            if (effects.step == PeerLink::Step::connect) connect(peer, std::move(**channel));
        });
    };
    if (!setup_.diallers->try_submit(std::move(job)))
        fail_link(peer, attempt, "too many connects are under way");
}

/// A refusal by either end lasts until somebody changes a configuration; anything else may pass.
void Gateway::fail_dial(Peer& peer, std::uint64_t attempt, const Error& error) {
    if (error.code == Errc::unauthenticated) return refuse_link(peer, attempt, setup_.self.name, error);
    if (error.code == Errc::permission_denied) return refuse_link(peer, attempt, peer.config.name, error);
    fail_link(peer, attempt, error.message);
}

/// Gives the socket to CAF's broker directly. Its public connect would open a second one, blocking, and
/// remembers an address whose handshake is pending, so that all later attempts would share the fate of a
/// stuck one.
void Gateway::connect(Peer& peer, Channel channel) {
    const auto attempt = peer.link.attempt();
    const auto broker = system().middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
    const bool has_certificate = channel.session && channel.session->peer();
    peer.connection = setup_.connections->dialled(
        channel.socket.get(), fmt::format("{}:{}", peer.config.host, peer.config.port),
        has_certificate ? peer.config.name : NodeName{},
        has_certificate ? channel.session->peer()->until_ms : UnixMillis{0}, now());
    auto scribe = make_scribe(system(), {std::move(channel), peer.connection, BaspFilter::Side::dialler,
                                         self_, setup_.connections, setup_.refusals});
    this->request(broker, milliseconds(setup_.options.connect_timeout_ms), caf::connect_atom_v,
                  std::move(scribe), peer.config.port)
        .then(
            [this, &peer, attempt](const caf::node_id&, const caf::strong_actor_ptr& remote,
                                   const std::set<std::string>&) {
                if (!peer.link.is_current(attempt, PeerLink::State::connecting)) return;
                if (!remote) return fail_link(peer, attempt, "nothing is published at its control port");
                peer.remote = caf::actor_cast<caf::actor>(remote);
                apply(peer, peer.link.connected(attempt));
            },
            [this, &peer, attempt](const caf::error& error) {
                fail_link(peer, attempt,
                          "the connection failed during CAF's handshake: " + caf::to_string(error));
            });
}

void Gateway::ping(Peer& peer) {
    const auto attempt = peer.link.attempt();
    const auto timeout = milliseconds(setup_.options.heartbeat_timeout_ms);
    auto done = [this, &peer, attempt, timeout](const Result<Bytes>& answer) {
        if (answer || answer.error().code != Errc::deadline_exceeded) return;
        fail_link(peer, attempt, fmt::format("it gave no answer for {} ms", timeout.count()));
    };
    send_request(peer, {}, {}, timeout, std::make_shared<Completion>(std::move(done), nullptr, 0));
}

/// Each attempt has a connection of its own; without this CAF would go on with the one that failed.
void Gateway::end_connection(Peer& peer) {
    if (peer.connection != 0) setup_.connections->close(std::exchange(peer.connection, 0));
}

void Gateway::close_session(Peer& peer) {
    peer.greeting.reset();
    peer.session.reset();
    peer.remote = nullptr;
}

void Gateway::fail_link(Peer& peer, std::uint64_t attempt, const std::string& problem) {
    if (attempt != peer.link.attempt() || peer.link.state() == PeerLink::State::down) return;
    log::debug("peer_attempt_failed", {{"peer", peer.config.name}, {"problem", problem}},
               {.actor = kGatewayPath});
    end_connection(peer);
    close_session(peer);
    apply(peer, peer.link.failed(attempt, problem, now()));
    setup_.board->update(peer.config.name, [&](PeerState& state) { state.problem = problem; });
}

/// Learns of the end of the peer's gateway, of its process and of the connection. Attached to the proxy
/// itself and not by a monitor, whose down messages would not tell two proxies of one actor apart.
void Gateway::watch_remote(Peer& peer) {
    const auto lost = [this, &peer, attempt = peer.link.attempt(),
                       post = poster()](const caf::error& reason) {
        post([this, &peer, attempt, reason] { fail_link(peer, attempt, why_lost(reason)); });
    };
    caf::actor_cast<caf::abstract_actor*>(peer.remote)->attach_functor(lost);
}

void Gateway::announce(Peer& peer, PeerLink::Change change) {
    const NodeName& name = peer.config.name;
    const bool up = change == PeerLink::Change::up;
    const bool refused = change == PeerLink::Change::refused;
    peer.probe.up.set(up ? 1 : 0);
    setup_.board->update(name, [&](PeerState& state) {
        if (!refused) state.since_ms = unix_now_ms();
        state.up = up;
        state.problem = peer.link.problem();
        if (peer.session) state.incarnation = peer.session->peer_incarnation();
    });
    const PeerState state = setup_.board->peer(name);
    if (refused)
        note_refusal(name, peer.refused_by, peer.refusal);
    else if (up) {
        setup_.events->record(
            "peer_up", name,
            {{"address", state.address}, {"incarnation", fmt::format("{:016x}", state.incarnation)}});
    } else
        setup_.events->record("peer_down", name, {{"reason", state.problem}});
    if (change == PeerLink::Change::down) {
        const Error error{Errc::unavailable,
                          fmt::format("{} went down before it answered: {}", name, state.problem),
                          "try again; it may still have happened"};
        for (auto& [sequence, request] : std::exchange(peer.in_flight, {})) {
            request.done->finish(std::unexpected(error));
        }
    }
    // Before those who wait for the peer learn of it: what they then send must pass.
    if (up && setup_.options.breakers != nullptr) setup_.options.breakers->peer_up(name);
    for (const auto& watcher : watchers_)
        guarded([&] { watcher(state); });
}

} // namespace dwcp::links
