// The gateway's requests and answers, once a session is there.
#include "runtime/links/control/gateway.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace dwcp::links {

using actor::ControlFrame;
using actor::Ticket;
using namespace wire;

static_assert(control::kFrameBytesMax == actor::kControlFrameBytes, "the codec and the actor message agree");

namespace {

/// Requests of one peer that are being served. Its own limit on what is in flight is the same, so only a peer
/// that does not keep to the rules meets this one.
constexpr std::size_t kServingMax = Load::kRequestsMax;

Result<Bytes> call_server(const ControlLinks::Server& function, const PeerRequest& request,
                          TimePoint deadline) {
    if (std::chrono::steady_clock::now() >= deadline) {
        return fail(Errc::deadline_exceeded, "no worker was free before the deadline", "try again");
    }
    try {
        return function(request);
    } catch (const std::exception& thrown) {
        log::error("control_server_threw", {{"service", request.service}, {"what", thrown.what()}},
                   {.actor = kGatewayPath, .trace = request.trace});
        return fail(Errc::internal, fmt::format("service {} failed: {}", request.service, thrown.what()));
    }
}

} // namespace

void Gateway::receive(const ControlFrame& frame) {
    const auto message = control::decode(frame.view());
    const bool is_request = current_mailbox_element()->mid.is_request();
    if (message && !is_request) {
        if (const auto* refusal = std::get_if<control::Refusal>(&*message)) {
            return refuse_stranger(refusal->from, refusal->from, refusal->error);
        }
    }
    if (!is_request) return count_bad({}, message ? BadFrame::wrong_kind : BadFrame::undecodable);
    const auto remote = caf::actor_cast<caf::actor>(current_sender());
    const Ticket ticket = open_ticket();
    if (!message) return reject(ticket, {}, BadFrame::undecodable);
    if (const auto* hello = std::get_if<control::Hello>(&*message))
        return take_hello(ticket, hello->offer, remote);
    if (const auto* confirm = std::get_if<control::Confirm>(&*message)) return take_confirm(ticket, *confirm);
    if (const auto* sealed = std::get_if<control::Sealed>(&*message)) return take_sealed(ticket, *sealed);
    reject(ticket, {}, BadFrame::wrong_kind);
}

void Gateway::take_sealed(Ticket ticket, const control::Sealed& sealed) {
    Peer* peer = find(sealed.from);
    if (peer == nullptr || !peer->session) return reject(ticket, sealed.from, BadFrame::no_session);
    auto envelope = peer->session->open(sealed);
    if (!envelope) return reject(ticket, sealed.from, envelope.error());
    if (!std::holds_alternative<control::Request>(envelope->content)) {
        return reject(ticket, sealed.from, BadFrame::wrong_kind);
    }
    peer->link.heard(now());
    serve(*peer, std::move(*envelope), ticket);
}

void Gateway::serve(Peer& peer, control::Envelope envelope, Ticket ticket) {
    auto& call = std::get<control::Request>(envelope.content);
    ++peer.serving;
    auto answer = [this, &peer, session = peer.session, ticket,
                   sequence = envelope.sequence](Result<Bytes> result) {
        --peer.serving;
        if (result && result->size() > control::kBodyBytesMax) {
            result = fail(Errc::too_large,
                          fmt::format("the answer of {} bytes is over the limit of {}", result->size(),
                                      control::kBodyBytesMax),
                          "ask for less at a time; bulk data belongs on the data links");
        }
        control::Envelope reply{sequence, {}, {}};
        if (result)
            reply.content = std::move(*result);
        else
            reply.content = result.error();
        deliver(ticket, caf::make_message(ControlFrame(session->seal(reply))));
    };
    if (call.service.empty()) return answer(Bytes{});
    if (peer.serving > kServingMax) {
        return answer(fail(Errc::resource_exhausted,
                           fmt::format("{} requests of {} are being served", kServingMax, peer.config.name),
                           "slow down and try again"));
    }
    const auto service = setup_.board->find_service(call.service);
    if (!service) {
        return answer(fail(Errc::unimplemented,
                           fmt::format("{} has no service \"{}\"", setup_.self.name, call.service),
                           "check the roles and the version of that node"));
    }
    const Duration left = milliseconds(call.deadline_ms);
    PeerRequest request{peer.config.name, peer.session->peer_incarnation(), call.service, envelope.trace,
                        std::move(call.body)};
    if (service->function)
        return serve_by_function(service->function, std::move(request), left, std::move(answer));
    ask<PeerRequest>(
        service->actor_path, std::move(request), left,
        [answer](const PeerResponse& response) mutable { answer(response.body); },
        [answer](const Error& error) mutable { answer(std::unexpected(error)); });
}

void Gateway::serve_by_function(ControlLinks::Server function, PeerRequest request, Duration left,
                                ControlLinks::Done answer) {
    auto job = [function = std::move(function), request = std::move(request), deadline = now() + left,
                post = poster(), answer] {
        auto result = std::make_shared<Result<Bytes>>(call_server(function, request, deadline));
        post([answer, result] { answer(std::move(*result)); });
    };
    if (!setup_.servers->try_submit(std::move(job))) {
        answer(fail(Errc::resource_exhausted, "all workers of the control links are busy",
                    "slow down and try again"));
    }
}

void Gateway::begin_request(const NodeName& name, const std::string& service, Bytes body, TimePoint deadline,
                            const WorkloadId& trace, std::shared_ptr<Completion> done) {
    Peer& peer = *find(name); // Known: the facade has checked it.
    if (!peer.link.up()) {
        return done->finish(fail(Errc::unavailable,
                                 fmt::format("{} is down: {}", name, setup_.board->peer(name).problem),
                                 "try again when it is up; see `dwcp-shell -c nodes`"),
                            Fate::not_sent);
    }
    const Duration left = deadline - now();
    if (left <= Duration::zero()) {
        return done->finish(
            fail(Errc::deadline_exceeded, "the deadline passed before the request was sent", "try again"),
            Fate::not_sent);
    }
    const auto left_ms = std::chrono::ceil<milliseconds>(left).count();
    const auto deadline_ms =
        static_cast<std::uint32_t>(std::min<std::int64_t>(left_ms, control::kDeadlineMsMax));
    send_request(peer, {service, deadline_ms, std::move(body)}, trace, left, std::move(done));
}

/// An injected fault: the request is lost on its way, or comes late.
void Gateway::send_disturbed(Peer& peer, control::Request request, const WorkloadId& trace, Duration left,
                             std::shared_ptr<Completion> done) {
    const auto verdict = setup_.options.faults->judge(chaos::Link::control, peer.config.name);
    if (verdict.drop || verdict.delay >= left) {
        return after(left, [done] {
            done->finish(fail(Errc::deadline_exceeded, "the peer gave no answer in time", "try again"));
        });
    }
    if (verdict.delay == Duration::zero())
        return send_undisturbed(peer, std::move(request), trace, left, std::move(done));
    after(verdict.delay, [this, &peer, attempt = peer.link.attempt(), request = std::move(request), trace,
                          left = left - verdict.delay, done = std::move(done)]() mutable {
        if (peer.link.is_current(attempt, PeerLink::State::up))
            return send_undisturbed(peer, std::move(request), trace, left, std::move(done));
        done->finish(fail(Errc::unavailable, peer.config.name + " is down", "try again when it is up"),
                     Fate::not_sent);
    });
}

void Gateway::send_request(Peer& peer, control::Request request, const WorkloadId& trace, Duration left,
                           std::shared_ptr<Completion> done) {
    if (setup_.options.faults != nullptr && setup_.options.faults->any()) [[unlikely]]
        return send_disturbed(peer, std::move(request), trace, left, std::move(done));
    send_undisturbed(peer, std::move(request), trace, left, std::move(done));
}

void Gateway::send_undisturbed(Peer& peer, control::Request request, const WorkloadId& trace, Duration left,
                               std::shared_ptr<Completion> done) {
    const auto attempt = peer.link.attempt();
    const auto sequence = peer.session->next_sequence();
    ControlFrame frame(peer.session->seal({sequence, trace, std::move(request)}));
    peer.in_flight.emplace(sequence, InFlight{std::move(done), now()});
    this->request(peer.remote, left, std::move(frame))
        .then([this, &peer, attempt,
               sequence](const ControlFrame& answer) { take_answer(peer, attempt, sequence, answer); },
              [this, &peer, attempt, sequence](const caf::error& error) {
                  give_up(peer, attempt, sequence, actor::from_caf(error));
              });
}

void Gateway::take_answer(Peer& peer, std::uint64_t attempt, std::uint64_t sequence,
                          const ControlFrame& frame) {
    // An answer of an earlier session: its request has failed when that session ended.
    if (!peer.link.is_current(attempt, PeerLink::State::up)) return;
    const auto message = control::decode(frame.view());
    const auto* sealed = message ? std::get_if<control::Sealed>(&*message) : nullptr;
    if (sealed == nullptr) {
        const bool refused = message && std::holds_alternative<control::Refusal>(*message);
        count_bad(peer.config.name, refused ? BadFrame::refused : BadFrame::undecodable);
        return fail_link(peer, attempt, "it does not know this session any more");
    }
    auto envelope = peer.session->open(*sealed);
    if (envelope &&
        (envelope->sequence != sequence || std::holds_alternative<control::Request>(envelope->content))) {
        envelope = std::unexpected(BadFrame::wrong_kind);
    }
    if (!envelope) {
        count_bad(peer.config.name, envelope.error());
        return fail_link(peer, attempt, "it answers with a frame that is not authentic");
    }
    auto request = peer.in_flight.extract(sequence);
    if (request.empty()) return; // Given up before.
    peer.link.heard(now());
    const Duration took = now() - request.mapped().sent_at;
    peer.probe.round_trip.observe(std::chrono::duration<double>(took).count());
    setup_.board->update(peer.config.name, [&](PeerState& state) {
        state.rtt_ms = std::chrono::duration<double, std::milli>(took).count();
    });
    if (auto* body = std::get_if<Bytes>(&envelope->content))
        request.mapped().done->finish(std::move(*body), Fate::answered);
    else
        request.mapped().done->finish(std::unexpected(std::get<Error>(envelope->content)), Fate::answered);
}

void Gateway::give_up(Peer& peer, std::uint64_t attempt, std::uint64_t sequence, const Error& error) {
    if (!peer.link.is_current(attempt, PeerLink::State::up)) return;
    auto request = peer.in_flight.extract(sequence);
    if (!request.empty()) request.mapped().done->finish(std::unexpected(error));
}

/// Whoever sent this learns nothing but that it did not work.
void Gateway::reject(Ticket ticket, const NodeName& from, BadFrame reason) {
    count_bad(from, reason);
    reply(ticket,
          control::Refusal{setup_.self.name, {Errc::unauthenticated, "the frame was not accepted", {}}});
}

metrics::Counter Gateway::bad_frames(const std::string& peer, BadFrame reason) {
    return metrics::counter("dwcp_control_bad_frames_total",
                            "Control frames that were counted and dropped, by peer and reason.",
                            {{"peer", peer}, {"reason", std::string(to_string(reason))}});
}

void Gateway::count_bad(const NodeName& from, BadFrame reason) {
    // Names of strangers are no label values: there is no end of them.
    const bool known = find(from) != nullptr;
    bad_frames(known ? from : "unknown", reason).add();
    log::debug("control_frame_dropped", {{"peer", from}, {"reason", to_string(reason)}},
               {.actor = kGatewayPath});
    if (known) setup_.board->update(from, [](PeerState& state) { ++state.bad_frames; });
}

void Gateway::reply(Ticket ticket, const control::Message& message) {
    deliver(ticket, caf::make_message(ControlFrame(control::encode(message))));
}

} // namespace dwcp::links
