// The gateway's part in greetings, at both ends, and what it does with those who are refused.
#include "runtime/links/control/gateway.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace dwcp::links {

using actor::ControlFrame;
using actor::Ticket;
using namespace wire;

namespace {

/// Greetings answered but not confirmed. A cluster's worth; the oldest gives way, so strangers cannot fill it
/// for good.
constexpr std::size_t kPendingMax = 64;

/// Who has proven nothing can knock as often as he likes; the event ring must not be his.
constexpr milliseconds kRefusalEventEvery{1000};

/// What a gateway says to a frame it knows nothing of, as a node does that was restarted in the middle of a
/// greeting. It gives no reason, so it is no reason to wait long.
bool is_curt(const Error& error) { return error.code == Errc::unauthenticated && error.remedy.empty(); }

} // namespace

Greeting::Settings Gateway::greeting_settings() const {
    return {kWireVersion, setup_.options.heartbeat_interval_ms, setup_.options.heartbeat_timeout_ms};
}

// ---- the dialler's end ----

void Gateway::greet(Peer& peer) {
    const auto attempt = peer.link.attempt();
    peer.greeting.emplace(setup_.self, greeting_settings(), control::Role::dialler, peer.config.name);
    this->request(peer.remote, milliseconds(setup_.options.connect_timeout_ms),
                  ControlFrame(control::encode(control::Hello{peer.greeting->own()})))
        .then([this, &peer, attempt](const ControlFrame& frame) { take_hello_ack(peer, attempt, frame); },
              [this, &peer, attempt](const caf::error&) {
                  fail_link(peer, attempt, "it does not answer the greeting");
              });
}

bool Gateway::ends_by_refusal(Peer& peer, std::uint64_t attempt, const control::Message& message) {
    const auto* refusal = std::get_if<control::Refusal>(&message);
    if (refusal == nullptr) return false;
    if (is_curt(refusal->error))
        fail_link(peer, attempt, "it does not know of this greeting");
    else
        refuse_link(peer, attempt, refusal->from, refusal->error);
    return true;
}

void Gateway::take_hello_ack(Peer& peer, std::uint64_t attempt, const ControlFrame& frame) {
    if (!peer.link.is_current(attempt, PeerLink::State::greeting)) return;
    const auto message = control::decode(frame.view());
    if (message && ends_by_refusal(peer, attempt, *message)) return;
    const auto* ack = message ? std::get_if<control::HelloAck>(&*message) : nullptr;
    if (ack == nullptr) {
        count_bad(peer.config.name, message ? BadFrame::wrong_kind : BadFrame::undecodable);
        return fail_link(peer, attempt, "it answers the greeting with something else");
    }
    Greeting& greeting = *peer.greeting;
    auto accepted = greeting.consider(ack->offer);
    if (accepted) accepted = greeting.prove(ack->signature, *setup_.trust);
    auto session = accepted ? greeting.make_session() : Result<Session>(std::unexpected(accepted.error()));
    if (!session) {
        // In place of the confirmation, so that the other end can say why as well.
        this->send(peer.remote,
                   ControlFrame(control::encode(control::Refusal{setup_.self.name, session.error()})));
        return refuse_link(peer, attempt, setup_.self.name, session.error());
    }
    // From here on the acceptor may send sealed frames: it is up as soon as it has the confirmation.
    peer.session = std::make_shared<Session>(std::move(*session));
    const control::Confirm confirm{ack->offer.nonce, greeting.sign()};
    this->request(peer.remote, milliseconds(setup_.options.connect_timeout_ms),
                  ControlFrame(control::encode(confirm)))
        .then([this, &peer, attempt](const ControlFrame& answer) { take_welcome(peer, attempt, answer); },
              [this, &peer, attempt](const caf::error&) {
                  fail_link(peer, attempt, "it does not answer the greeting");
              });
}

void Gateway::take_welcome(Peer& peer, std::uint64_t attempt, const ControlFrame& frame) {
    if (!peer.link.is_current(attempt, PeerLink::State::greeting)) return;
    const auto message = control::decode(frame.view());
    if (message && ends_by_refusal(peer, attempt, *message)) return;
    const auto* sealed = message ? std::get_if<control::Sealed>(&*message) : nullptr;
    auto opened = sealed != nullptr ? peer.session->open(*sealed) : std::unexpected(BadFrame::wrong_kind);
    if (opened && !std::holds_alternative<Bytes>(opened->content))
        opened = std::unexpected(BadFrame::wrong_kind);
    if (!opened) {
        count_bad(peer.config.name, opened.error());
        return fail_link(peer, attempt, "it ends the greeting with a frame that is not authentic");
    }
    setup_.board->update(peer.config.name,
                         [&](PeerState& state) { state.site = peer.greeting->theirs().site; });
    peer.greeting.reset();
    admit(peer.remote);
    apply(peer, peer.link.greeted(attempt, now()));
    watch_remote(peer);
}

// ---- the acceptor's end ----

void Gateway::take_hello(Ticket ticket, const control::Offer& offer, const caf::actor& remote) {
    Peer* peer = find(offer.name);
    Greeting greeting(setup_.self, greeting_settings(), control::Role::acceptor, offer.name);
    auto accepted = greeting.consider(offer);
    if (accepted && peer == nullptr) {
        accepted =
            fail(Errc::permission_denied, fmt::format("{} is not a peer of {}", offer.name, setup_.self.name),
                 fmt::format("add a [[peers]] entry for {} on {}", offer.name, setup_.self.name));
    } else if (accepted && setup_.self.name < offer.name) {
        accepted = fail(Errc::precondition_failed,
                        fmt::format("{} must not dial {}: of two nodes, the one whose name sorts first dials",
                                    offer.name, setup_.self.name),
                        "run the same version on both nodes");
    }
    if (accepted) accepted = check_certificate(remote, offer.name);
    if (!accepted) {
        refuse_stranger(offer.name, setup_.self.name, accepted.error());
        return reply(ticket, control::Refusal{setup_.self.name, accepted.error()});
    }
    const control::HelloAck ack{greeting.own(), greeting.sign()};
    if (pending_.size() == kPendingMax) pending_.pop_front();
    pending_.push_back({std::move(greeting), remote});
    reply(ticket, ack);
}

void Gateway::take_confirm(Ticket ticket, const control::Confirm& confirm) {
    const auto found = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& pending) {
        return pending.greeting.own().nonce == confirm.session;
    });
    if (found == pending_.end()) return reject(ticket, {}, BadFrame::no_session);
    const Pending pending = std::move(*found);
    pending_.erase(found);
    const control::Offer& offer = pending.greeting.theirs();
    auto proven = pending.greeting.prove(confirm.signature, *setup_.trust);
    auto session =
        proven ? pending.greeting.make_session() : Result<Session>(std::unexpected(proven.error()));
    if (!session) {
        refuse_stranger(offer.name, setup_.self.name, session.error());
        return reply(ticket, control::Refusal{setup_.self.name, session.error()});
    }
    Peer& peer = *find(offer.name); // Known: take_hello() has checked it.
    fail_link(peer, peer.link.attempt(), "a new connection of the peer replaces it");
    peer.session = std::make_shared<Session>(std::move(*session));
    peer.remote = pending.remote;
    admit(peer.remote);
    reply(ticket, *control::decode(peer.session->seal({0, {}, Bytes{}})));
    setup_.board->update(offer.name, [&](PeerState& state) { state.site = offer.site; });
    apply(peer, peer.link.accepted(now()));
    watch_remote(peer);
}

// ---- refusals ----

void Gateway::refuse_link(Peer& peer, std::uint64_t attempt, const NodeName& by, const Error& error) {
    close_session(peer);
    peer.refused_by = by;
    peer.refusal = error;
    apply(peer, peer.link.refused(attempt, fmt::format("refused by {}: {}", by, error.render()), now()));
    setup_.board->update(peer.config.name, [&](PeerState& state) { state.problem = peer.link.problem(); });
}

/// Of somebody who has not proven to be `name`: it shows on that peer's link only if the link is down anyway.
void Gateway::refuse_stranger(const NodeName& name, const NodeName& by, const Error& error) {
    Peer* peer = find(name);
    TimePoint& next_at = peer != nullptr ? peer->next_refusal_at : next_refusal_at_;
    if (now() < next_at) return;
    next_at = now() + kRefusalEventEvery;
    if (peer != nullptr && peer->link.state() == PeerLink::State::down) {
        return refuse_link(*peer, peer->link.attempt(), by, error);
    }
    note_refusal(name, by, error);
}

void Gateway::note_refusal(const NodeName& name, const NodeName& by, const Error& error) {
    setup_.events->record("peer_refused", name,
                          {{"by", by}, {"reason", error.message}, {"remedy", error.remedy}});
}

} // namespace dwcp::links
