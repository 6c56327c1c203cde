#include "protocols/consensus/lane_replica.hpp"

#include "protocols/wire/consensus.hpp"

#include <algorithm>
#include <cstdlib>

namespace dwcp::consensus {
namespace {

// Keys of what this replica itself remembers; the numbers after them have 20 digits. Those of Rejoin stand
// there, and "e/<epoch>/" goes before an engine's own.
constexpr std::string_view kStablePrefix = "r/stable/"; ///< By height: chain, root, certificate.
constexpr std::string_view kPointPrefix = "r/point/";   ///< By height: chain, root.
constexpr std::string_view kEndPrefix = "r/end/";       ///< By epoch: its last block.

Error malformed(const std::string& key) {
    return {Errc::corrupted, "what is on disk under " + key + " is no record of a replica",
            "start it with an empty store: it keeps silent until it may vote again"};
}

} // namespace

LaneReplica::LaneReplica(ReplicaOptions options, ReplicaMemory memory)
    : options_(std::move(options)), memory_(std::move(memory)), rejoin_(memory_.persisted, memory_.doubt),
      mempool_(kMempoolCommandsMax, kMempoolBytesMax, options_.view_timeout),
      catch_up_(options_.view_timeout / 8, 3 * options_.hello), server_() {}

Result<void> LaneReplica::restore() {
    committees_[options_.genesis.epoch] = options_.genesis;
    auto committee = memory_.committee.value_or(options_.genesis);
    committees_[committee.epoch] = committee;
    for (const auto& [key, value] : memory_.persisted) {
        if (key.starts_with("e/")) engine_keys_.insert(key);
        if (key.starts_with(kEndPrefix)) {
            if (auto read = restore_end(key, value); !read) return read;
        }
        const bool stable = key.starts_with(kStablePrefix);
        if (!stable && !key.starts_with(kPointPrefix)) continue;
        if (auto read = restore_point(key, value, stable); !read) return read;
    }
    decided_ = applied_ = memory_.applied;
    chain_ = memory_.chain;
    server_.restart(decided_);
    if (!proven_.empty()) stable_ = std::min(proven_.rbegin()->first, applied_);
    checkpoints_.collect(stable_);
    set_committee(std::move(committee));
    restore_digests();
    return id_ ? can_run(committee_) : Result<void>{};
}

Result<void> LaneReplica::restore_end(const std::string& key, const Bytes& value) {
    auto block = wire::decode_decided_block(value);
    if (!block) return std::unexpected(malformed(key));
    const auto epoch = (*block->block)->epoch;
    const auto before = committees_.find(epoch);
    if (before == committees_.end()) return {};
    if (auto next = next_committee(before->second, **block->block)) committees_.emplace(next->epoch, *next);
    ends_.emplace(epoch, std::move(*block));
    return {};
}

Result<void> LaneReplica::restore_point(const std::string& key, const Bytes& value, bool stable) {
    constexpr std::size_t kHashes = 2 * sizeof(Hash256);
    if (value.size() < kHashes) return std::unexpected(malformed(key));
    Point point;
    std::ranges::copy_n(value.begin(), sizeof(Hash256), point.chain.bytes.begin());
    std::ranges::copy_n(value.begin() + sizeof(Hash256), sizeof(Hash256), point.state_root.bytes.begin());
    if (!stable) {
        points_[std::strtoull(key.c_str() + kPointPrefix.size(), nullptr, 10)] = point;
        return {};
    }
    auto proof = wire::decode_certificate(ByteView(value).subspan(kHashes));
    if (!proof) return std::unexpected(malformed(key));
    const auto height = proof->slot;
    proven_[height] = {.proof = std::move(*proof), .chain = point.chain, .state_root = point.state_root};
    return {};
}

/// Once all committees are known. The last checkpoint may have been applied and not be remembered.
void LaneReplica::restore_digests() {
    const bool ends = committee_.epoch > 1 && committee_.first == applied_ + 1;
    if (applied_ > 0 && (ends || applied_ % options_.checkpoint_interval == 0))
        points_[applied_] = {.chain = memory_.chain, .state_root = memory_.state_root, .digest = {}};
    points_.erase(points_.upper_bound(applied_), points_.end());
    for (auto& [height, point] : points_)
        point.digest =
            checkpoint_digest(height, point.chain, point.state_root, committee_at(height + 1).digest());
}

void LaneReplica::set_committee(Committee committee) {
    committee_ = std::move(committee);
    id_ = committee_.find(options_.self);
    lacks_key_ = id_ && !signs_as(committee_.member(*id_));
    if (lacks_key_) id_.reset();
    committees_[committee_.epoch] = committee_;
    for (const auto& member : committee_.members)
        if (member.name != options_.self) peers_.try_emplace(member.name);
    publish_view();
}

/// A member whose key was replaced while it ran has the old one until it is started with the new. What it
/// signs holds nowhere, so it must not count its own votes either: it follows.
bool LaneReplica::signs_as(const Member& member) const {
    constexpr std::string_view kProbe = "dwcp.consensus.probe.1";
    return options_.signer != nullptr &&
           options_.checker->verify(member.key, as_bytes(kProbe), options_.signer->sign(as_bytes(kProbe)));
}

void LaneReplica::publish_view() {
    auto view = std::make_shared<LaneView>();
    view->domain = options_.domain;
    view->committees = committees_;
    view->signed_transactions = options_.signed_transactions;
    view->key_of_node = [committee = committee_,
                         others = options_.key_of_node](const NodeName& node) -> std::optional<PublicKey> {
        for (const auto& member : committee.members)
            if (host_of(member.name) == node) return member.key;
        if (others) return others(node);
        return std::nullopt;
    };
    view_ = std::move(view);
    out_.lane_view_changed = true;
}

const Committee& LaneReplica::committee_at(Height height) const {
    const Committee* at = &committees_.begin()->second;
    for (const auto& [epoch, committee] : committees_)
        if (committee.first <= height) at = &committee;
    return *at;
}

Effects LaneReplica::start(Now now) {
    out_ = {};
    now_ = now;
    started_ = true;
    publish_view();
    say_hello(audience(), true);
    settle();
    return std::exchange(out_, {});
}

Effects LaneReplica::step(Event event, Now now) {
    out_ = {};
    now_ = now;
    std::visit([this](auto&& taken) { take(std::forward<decltype(taken)>(taken)); }, std::move(event));
    settle();
    return std::exchange(out_, {});
}

void LaneReplica::take(Received&& event) {
    const auto& from = event.message->from;
    if (from == options_.self) return;
    std::visit(
        [&](const auto& body) {
            using Body = std::decay_t<decltype(body)>;
            if constexpr (std::is_same_v<Body, Signed>) {
                note_said(from, body);
                if (body.statement.kind == Kind::checkpoint)
                    take_checkpoint_vote(body);
                else if (engine_ && body.statement.epoch == committee_.epoch)
                    run_engine(EngineReceived{event.message});
            } else if constexpr (std::is_same_v<Body, Forward>) {
                take_forward(body);
            } else if constexpr (std::is_same_v<Body, Hello>) {
                take_hello(from, body);
            } else if constexpr (std::is_same_v<Body, FetchBlocks>) {
                auto plan = server_.ask(from, body, now_.time);
                if (plan.now) send({from}, std::move(*plan.now));
                if (plan.load) out_.loads.push_back(*plan.load);
            } else if constexpr (std::is_same_v<Body, Blocks>) {
                take_blocks(from, body);
            } else if constexpr (std::is_same_v<Body, FetchContent>) {
                auto block = engine_ ? engine_->content(body.slot, body.digest) : nullptr;
                if (!block) block = server_.find(body.slot, body.digest);
                if (block) send({from}, Content{std::move(block)});
            } else if constexpr (std::is_same_v<Body, Content>) {
                const auto& block = body.block;
                if (engine_ && wanted_.erase({(*block)->height, block->digest()}) > 0)
                    run_engine(ContentCame{block});
            } else if constexpr (std::is_same_v<Body, FetchSnapshot>) {
                if (auto read = server_.ask(from, body)) out_.snapshot_reads.push_back(std::move(*read));
            } else if constexpr (std::is_same_v<Body, SnapshotPart>) {
                take_part(from, body);
            } else {
                static_assert(std::is_same_v<Body, Accuse>);
                note_evidence(body.evidence, false);
                if (engine_ && body.evidence.first.epoch == committee_.epoch)
                    run_engine(EngineReceived{event.message});
            }
        },
        event.message->body);
}

void LaneReplica::take(PeerLink&& event) {
    links_[event.host] = event.up;
    if (!event.up) return;
    // It may have missed anything: it hears at once where this replica stands.
    std::vector<ReplicaName> there;
    for (const auto& member : committee_.members)
        if (host_of(member.name) == event.host) there.push_back(member.name);
    say_hello(std::move(there), rejoin_.state() == Rejoin::State::starting || !is_member());
}

void LaneReplica::take(SuspectLeader&& event) {
    if (engine_) run_engine(event);
}

void LaneReplica::settle() {
    conclude_start();
    expire_clients();
    if (engine_ && engine_wake_ && now_.time >= *engine_wake_) {
        engine_wake_.reset();
        run_engine(EngineTick{});
    }
    watch_view();
    if (engine_ && told_waits_ != mempool_.watched()) {
        told_waits_ = mempool_.watched();
        run_engine(WorkWaits{told_waits_});
    }
    propose();
    watch_view();
    forward_commands();
    if (next_hello_ && now_.time >= *next_hello_) {
        const bool asks = rejoin_.state() == Rejoin::State::starting || !is_member();
        say_hello(audience(), asks);
    }
    ask_wanted();
    fetch();
    serve();
    out_.wake = next_wake();
}

std::optional<TimePoint> LaneReplica::next_wake() const {
    std::optional<TimePoint> wake;
    const auto at = [&](std::optional<TimePoint> when) {
        if (when && *when > now_.time) wake = std::min(wake.value_or(*when), *when);
    };
    at(next_hello_);
    at(clients_.expires_at());
    at(mempool_.expires_at());
    at(mempool_.slow_at());
    at(catch_up_.wake(decided_));
    at(server_.wake(options_.hello));
    at(stuck_at());
    for (const auto& [what, wanted] : wanted_)
        at(wanted.again);
    if (engine_) {
        // One that wants to be woken now is woken by the next step.
        if (engine_wake_) at(std::max(*engine_wake_, now_.time + Duration(1)));
        at(mempool_.overtaken_at());
        if (gathering() && mempool_.has_ready()) at(gather_until());
    }
    if (mempool_.has_unsent() && forwarded_at_) at(*forwarded_at_ + options_.gather);
    return wake;
}

void LaneReplica::persist(std::string key, std::optional<Bytes> value) {
    out_.persist[std::move(key)] = std::move(value);
}

std::optional<ReplicaId> LaneReplica::leader() const {
    if (engine_) return engine_->status().leader;
    // The highest view that at least one honest member says it is in.
    std::vector<View> views;
    for (const auto& member : committee_.members) {
        const auto peer = peers_.find(member.name);
        if (peer == peers_.end() || !peer->second.heard || peer->second.last.epoch != committee_.epoch)
            continue;
        views.push_back(peer->second.last.view);
    }
    if (views.size() < committee_.validity()) return std::nullopt;
    std::ranges::sort(views, std::greater<>());
    return committee_.leader(views[committee_.f()]);
}

std::vector<ReplicaName> LaneReplica::followers() const {
    std::vector<ReplicaName> names;
    for (const auto& [name, peer] : peers_)
        if (!committee_.find(name) && peer.heard && now_.time - *peer.heard < 3 * options_.hello)
            names.push_back(name);
    return names;
}

std::vector<ReplicaName> LaneReplica::audience() const {
    auto names = is_member() ? followers() : std::vector<ReplicaName>{};
    for (const auto& member : committee_.members)
        if (member.name != options_.self) names.push_back(member.name);
    return names;
}

ReplicaStatus LaneReplica::status(TimePoint now) const {
    ReplicaStatus status;
    status.self = options_.self;
    status.committee = committee_;
    status.id = id_;
    if (engine_) status.engine = engine_->status();
    status.decided = decided_;
    status.applied = applied_;
    status.stable = stable_;
    status.waiting = mempool_.size();
    status.members_heard = is_member() ? 1 : 0;
    for (const auto& member : committee_.members) {
        const auto peer = peers_.find(member.name);
        if (peer != peers_.end() && peer->second.heard && now - *peer->second.heard <= 3 * options_.hello)
            ++status.members_heard;
    }
    const bool enough = status.members_heard >= committee_.quorum();
    switch (rejoin_.state()) {
    case Rejoin::State::starting:
        status.state = "starting";
        break;
    case Rejoin::State::silent:
    case Rejoin::State::diverged:
        status.state = "silent";
        break;
    case Rejoin::State::voting:
        status.state = "voting";
        break;
    }
    if (!is_member()) status.state = "observing";
    if (is_member()) status.note = rejoin_.note();
    if (lacks_key_) status.note = "the committee knows another key of this replica: start it with that one";
    const bool behind = catch_up_.claimed(now) > decided_ + options_.checkpoint_interval;
    if (installing_ || (behind && status.state != "silent" && status.state != "starting"))
        status.state = "catching up";
    if (status.note.empty() && !enough)
        status.note = "hears " + std::to_string(status.members_heard) + " of " +
                      std::to_string(committee_.n()) + " members, " + std::to_string(committee_.quorum()) +
                      " must agree";
    if (status.note.empty()) status.note = status.engine.note;
    status.available =
        enough &&
        (!is_member() || (voting() && engine_ && status.engine.active && status.engine.note.empty()));
    if (status.note.empty() && committee_.f() == 0)
        status.note = "f = 0: no Byzantine replica is survived; any one away stops it (quorum " +
                      std::to_string(committee_.quorum()) + " of " + std::to_string(committee_.n()) + ")";
    return status;
}

} // namespace dwcp::consensus
