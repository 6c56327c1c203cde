#include "runtime/links/data/peer.hpp"

#include "runtime/log/log.hpp"

#include <algorithm>

namespace dwcp::links {
namespace {

std::uint64_t random_seed() {
    std::array<Byte, 8> bytes;
    crypto::random_bytes(bytes);
    std::uint64_t seed;
    std::memcpy(&seed, bytes.data(), sizeof seed);
    return seed;
}

StreamLimits limits_of(Pool pool, const DataPlaneOptions& options) {
    if (pool == Pool::one_stream) return {1, 1};
    return {options.streams_min, options.streams_max};
}

} // namespace

Peer::Peer(Core& core, DataPeer config, Pool pool, Result<SocketAddress> address,
           std::shared_ptr<Outstanding> outstanding, Adopt adopt)
    : core_(core), config_(std::move(config)), pool_(pool), limits_(limits_of(pool, core.options)),
      address_(std::move(address)), outstanding_(std::move(outstanding)), adopt_(std::move(adopt)),
      controller_(start_streams(limits_, core.now)), jitter_(random_seed()) {
    if (!address_) last_problem_ = address_.error().render();
}

void Peer::submit(RequestPtr request) {
    request->id = ++last_id_;
    waiting_.push_back(std::move(request));
    work_wanted();
}

void Peer::pump() {
    pump_wanted_ = false;
    std::size_t passed = 0; // streams in a row that could take nothing
    while (!waiting_.empty() && passed < streams_.size()) {
        ClientStream& stream = *streams_[next_turn_++ % streams_.size()];
        if (!stream.can_take()) {
            ++passed;
            continue;
        }
        passed = 0;
        stream.take(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    core_.status_changed = true;
}

void Peer::on_tick() {
    expire_requests();
    if (!address_) return;
    retire_surplus();
    const auto counted = [](const ClientStream* stream) { return !stream->retiring() && !stream->ended(); };
    const auto live = std::count_if(streams_.begin(), streams_.end(), counted);
    for (auto missing = controller_.wanted - std::min<std::int64_t>(live, controller_.wanted);
         missing > 0 && core_.now >= dial_at_; --missing) {
        dial_one();
    }
}

void Peer::dial_one() {
    std::string warning;
    auto fd = dial(*address_, {config_.congestion, core_.options.idle_timeout_ms}, warning);
    if (!warning.empty() && !congestion_warned_) {
        congestion_warned_ = true;
        log::warn("data_congestion_fallback", {{"peer", name()}, {"message", warning}});
    }
    if (!fd) {
        last_problem_ = fd.error().render();
        back_off();
        return;
    }
    congestion_now_ = congestion_of(*fd);
    auto stream = std::make_shared<ClientStream>(core_, *this, std::move(*fd));
    streams_.push_back(stream.get());
    adopt_(std::move(stream));
}

void Peer::retire_surplus() {
    std::uint32_t kept = 0;
    for (ClientStream* stream : streams_) {
        if (stream->ended() || stream->retiring()) continue;
        if (kept++ >= controller_.wanted) stream->retire();
    }
}

void Peer::redial() {
    failures_ = 0;
    for (ClientStream* stream : streams_)
        stream->end("dialled anew: it did not carry a block there and back");
    dial_at_ = core_.now;
}

void Peer::back_off() {
    const std::uint64_t full =
        std::min<std::uint64_t>(core_.options.reconnect_max_ms,
                                std::uint64_t{core_.options.reconnect_min_ms} << std::min(failures_, 16U));
    ++failures_;
    // Half of it random, so that nodes which lost each other together do not come back together.
    dial_at_ = core_.now + milliseconds(full / 2 + jitter_.below(full / 2 + 1));
}

void Peer::on_stream_up(ClientStream&) {
    core_.status_changed = true;
    last_problem_.clear();
    if (was_up_) return;
    was_up_ = true;
    if (core_.options.breakers != nullptr) core_.options.breakers->peer_up(name());
    core_.events.record("data_peer_up", name(),
                        {{"congestion", congestion_now_}, {"pool", std::string(to_string(pool_))}});
}

void Peer::on_stream_down(ClientStream& stream) {
    std::erase(streams_, &stream);
    core_.status_changed = true;
    auto unanswered = stream.take_all();
    for (auto at = unanswered.rbegin(); at != unanswered.rend(); ++at)
        give_back(std::move(*at));
    if (stream.retiring()) return;
    if (!stream.end_reason().empty()) last_problem_ = stream.end_reason();
    log::debug("data_stream_down", {{"peer", name()}, {"reason", stream.end_reason()}});
    if (stream.up() && core_.now - stream.opened() > milliseconds(core_.options.reconnect_max_ms))
        failures_ = 0;
    back_off();
    if (!was_up_ || up_count() > 0) return;
    was_up_ = false;
    core_.events.record("data_peer_down", name(),
                        {{"reason", stream.end_reason()}, {"pool", std::string(to_string(pool_))}});
}

void Peer::on_refusal(const std::string& end, const Error& why) {
    core_.record_refusal(name(), end, why);
    // A refusal lasts until somebody acts: asking often helps nobody.
    failures_ = std::max(failures_, 16U);
    last_problem_ = "refused: " + why.render();
}

void Peer::give_back(RequestPtr request) {
    // Streams may die in any order; the queue keeps the order of arrival.
    const auto at = std::find_if(waiting_.begin(), waiting_.end(),
                                 [&](const RequestPtr& other) { return other->id > request->id; });
    waiting_.insert(at, std::move(request));
    work_wanted();
}

void Peer::succeed(RequestPtr request, Value value) {
    failures_ = 0;
    --*request->outstanding;
    request->call.succeeded();
    core_.work.run_callback([request = std::move(request), value = std::move(value)]() mutable {
        std::visit(
            [&](auto& done) {
                using Callback = std::decay_t<decltype(done)>;
                if constexpr (std::is_same_v<Callback, DataPlane::Done>) {
                    done({});
                } else if constexpr (std::is_same_v<Callback, DataPlane::Missing>) {
                    done(std::move(std::get<std::vector<Hash256>>(value)));
                } else {
                    done(std::move(std::get<EncodedBlock>(value)));
                }
            },
            request->done);
    });
}

void Peer::fail_request(RequestPtr request, Error error) {
    fail_with(core_.work, std::move(request), std::move(error));
}

void Peer::expire_requests() {
    std::vector<RequestPtr> expired;
    for (ClientStream* stream : streams_) {
        for (auto& request : stream->take_expired(core_.now))
            expired.push_back(std::move(request));
    }
    for (auto& request : waiting_) {
        if (request->deadline <= core_.now) expired.push_back(std::move(request));
    }
    std::erase(waiting_, nullptr);
    for (auto& request : expired) {
        Error error = up_count() > 0
                          ? Error{Errc::deadline_exceeded, "node '" + name() + "' did not answer in time",
                                  "the node or the link to it is overloaded; try again later"}
                          : Error{Errc::unavailable, "no data link to node '" + name() + "': " + why_down(),
                                  "check that the node runs and that its data address is right"};
        fail_request(std::move(request), std::move(error));
    }
    if (!expired.empty()) core_.status_changed = true;
}

void Peer::fail_all(const Error& why) {
    for (ClientStream* stream : streams_) {
        for (auto& request : stream->take_all())
            fail_request(std::move(request), why);
    }
    for (auto& request : waiting_)
        fail_request(std::move(request), why);
    waiting_.clear();
}

void Peer::on_sample(Duration interval) {
    LinkSample sample;
    double acked = 0;
    double segments = 0;
    double resent = 0;
    delivery_rate_bps_ = 0;
    rtt_ms_ = 0;
    for (const ClientStream* stream : streams_) {
        if (!stream->up()) continue;
        ++sample.streams;
        acked += static_cast<double>(stream->acked_bytes());
        segments += static_cast<double>(stream->segments());
        resent += static_cast<double>(stream->resent_segments());
        delivery_rate_bps_ += stream->tcp().delivery_rate_bps;
        rtt_ms_ += stream->tcp().rtt_ms;
    }
    if (sample.streams > 0) rtt_ms_ /= sample.streams;
    loss_ratio_ = segments > 0 ? resent / segments : 0;
    sample.loss_ratio = loss_ratio_;
    sample.backlog = !waiting_.empty();
    sample.rate_bps = acked * 8 / std::chrono::duration<double>(interval).count();
    sample.bbr = congestion_now_ == "bbr";
    controller_ = links::on_sample(std::move(controller_), limits_, sample, core_.now);
    core_.status_changed = true;
}

std::uint32_t Peer::up_count() const {
    return static_cast<std::uint32_t>(std::count_if(streams_.begin(), streams_.end(),
                                                    [](const ClientStream* stream) { return stream->up(); }));
}

std::string Peer::why_down() const {
    return last_problem_.empty() ? "it was not reached yet" : last_problem_;
}

PoolStatus Peer::status() const {
    PoolStatus status;
    status.pool = pool_;
    status.streams = up_count();
    status.up = status.streams > 0;
    status.streams_wanted = controller_.wanted;
    status.reason = status.up ? controller_.reason : why_down();
    status.delivery_rate_bps = delivery_rate_bps_;
    status.rtt_ms = rtt_ms_;
    status.loss_ratio = loss_ratio_;
    status.queued = outstanding_->load();
    return status;
}

PeerDataStatus Peer::status_of_peer() const {
    PeerDataStatus status;
    status.name = name();
    status.congestion = congestion_now_;
    const PeerProbe& probe = core_.probe(name());
    status.bytes_sent = probe.bytes_sent();
    status.bytes_received = probe.bytes_received();
    status.bad_frames = probe.bad_frames();
    return status;
}

} // namespace dwcp::links
