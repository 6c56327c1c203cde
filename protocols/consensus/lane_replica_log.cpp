// The log: decisions put in order, what follows when they are applied, checkpoints, epochs.
#include "protocols/consensus/lane_replica.hpp"
#include "protocols/wire/consensus.hpp"

#include <algorithm>
#include <unordered_map>

namespace dwcp::consensus {
namespace {

/// Decisions out of order that are kept: an engine decides within its window.
constexpr std::size_t kBufferedMax = 2 * kWindow;

/// Fixed width, so that keys sort by height.
std::string numbered(std::string_view prefix, std::uint64_t number) {
    auto digits = std::to_string(number);
    return std::string(prefix) + std::string(20 - digits.size(), '0') + digits;
}

} // namespace

void LaneReplica::decide(DecidedBlock block) {
    const auto height = (*block.block)->height;
    if (height <= decided_ || (*block.block)->epoch != committee_.epoch) return;
    if (buffered_.size() >= kBufferedMax && !buffered_.contains(height)) return;
    buffered_.try_emplace(height, std::move(block));
}

void LaneReplica::output() {
    if (installing_) return; // the state is being replaced
    if (has_bug(SeededBug::map_order_output)) {
        std::unordered_map<Hash256, DecidedBlock> ready;
        for (auto at = buffered_.begin(); at != buffered_.end() && at->first == decided_ + ready.size() + 1;
             ++at)
            ready.emplace(at->second.block->digest(), at->second);
        const auto last = decided_ + ready.size();
        for (const auto& [digest, block] : ready)
            commit(block);
        decided_ = std::max(decided_, last);
        buffered_.erase(buffered_.begin(), buffered_.upper_bound(decided_));
        return;
    }
    while (!buffered_.empty() && buffered_.begin()->first == decided_ + 1) {
        const auto block = std::move(buffered_.begin()->second);
        buffered_.erase(buffered_.begin());
        commit(block);
    }
}

void LaneReplica::commit(const DecidedBlock& decided) {
    const auto& block = **decided.block;
    decided_ = block.height;
    progress_at_ = now_.time;
    chain_ = next_chain(chain_, decided.block->digest());
    chains_[decided_] = chain_;
    last_time_ms_ = std::max(last_time_ms_, block.time_ms);
    if (changing_at_ && *changing_at_ <= decided_) changing_at_.reset();
    mempool_.decided(block);
    for (std::uint32_t position = 0; position < block.transactions.size(); ++position) {
        const auto key = key_of(block.transactions[position].command);
        if (!clients_.wanted(key)) continue;
        const auto ordered = *mempool_.ordered(key);
        clients_.ordered(key, ordered.payload, {ordered.height, ordered.position});
    }
    server_.decided(decided);
    auto next = next_committee(committee_, block);
    out_.commits.push_back({.decided = decided, .chain = chain_, .committee = committee_, .next = next});
    if (!next) return;
    ends_.emplace(committee_.epoch, decided);
    persist(numbered("r/end/", committee_.epoch), wire::encode(decided));
    end_epoch(*next);
}

/// What this epoch decided above the change is void.
void LaneReplica::end_epoch(const Committee& next) {
    buffered_.clear();
    wanted_.clear();
    engine_.reset();
    engine_wake_.reset();
    const auto before = audience();
    const auto view_before = view_;
    set_committee(next);
    drop_outdated(*view_before);
    mempool_.begin_view(now_.time);
    auto audience_now = audience();
    for (const auto& name : before)
        if (std::ranges::find(audience_now, name) == audience_now.end()) audience_now.push_back(name);
    if (rejoin_.advance(committee_.epoch, stable_))
        for (auto& [key, value] : rejoin_.memory())
            persist(key, std::move(value));
    if (voting()) begin_engine();
    // Those that did not decide the change learn from nobody's votes any more.
    say_hello(std::move(audience_now), !is_member());
}

void LaneReplica::take(Applied&& event) {
    if (event.height <= applied_ || event.height > decided_) return;
    applied_ = event.height;
    server_.applied(applied_);
    for (auto& answered : clients_.applied(applied_))
        out_.answers.push_back(std::move(answered));
    const auto epoch = committee_at(applied_).epoch;
    const bool ends = committee_at(applied_ + 1).epoch != epoch;
    if (ends || applied_ % options_.checkpoint_interval == 0) make_checkpoint(applied_, event.state_root);
    if (ends) drop_engine_memory(epoch);
    chains_.erase(chains_.begin(), chains_.upper_bound(applied_));
    stabilise();
}

void LaneReplica::make_checkpoint(Height height, const Hash256& state_root) {
    const auto chain = chains_.at(height);
    const Point point{.chain = chain,
                      .state_root = state_root,
                      .digest =
                          checkpoint_digest(height, chain, state_root, committee_at(height + 1).digest())};
    points_[height] = point;
    // Should everybody restart before it is stable, the votes must be there again, or the window stays shut.
    Bytes record(chain.bytes.begin(), chain.bytes.end());
    record.insert(record.end(), state_root.bytes.begin(), state_root.bytes.end());
    persist(numbered("r/point/", height), std::move(record));
    while (points_.size() > Checkpoints::kKept) {
        persist(numbered("r/point/", points_.begin()->first), std::nullopt);
        points_.erase(points_.begin());
    }
    if (rejoin_.state() == Rejoin::State::voting) sign_checkpoint(height, point);
}

/// Says it to everybody concerned.
void LaneReplica::sign_checkpoint(Height height, const Point& point) {
    const auto& committee = committee_at(height);
    const auto id = committee.find(options_.self);
    if (!id || !signs_as(committee.member(*id))) return;
    Signed vote{.statement = {.kind = Kind::checkpoint,
                              .engine = committee.engine,
                              .epoch = committee.epoch,
                              .view = 0,
                              .slot = height,
                              .signer = *id,
                              .digest = point.digest,
                              .annex = {}},
                .signature = {},
                .body = CheckpointVote{}};
    vote.signature = options_.signer->sign(signing_bytes(options_.domain, vote.statement));
    checkpoints_.keep_own(vote);
    auto to = audience();
    for (const auto& member : committee.members)
        if (std::ranges::find(to, member.name) == to.end()) to.push_back(member.name);
    send(std::move(to), vote);
    take_checkpoint_vote(vote);
}

void LaneReplica::take_checkpoint_vote(const Signed& vote) {
    const auto committee = committees_.find(vote.statement.epoch);
    if (committee == committees_.end() || vote.statement.slot < committee->second.first) return;
    if (vote.statement.engine != committee->second.engine) return;
    auto proof = checkpoints_.add(committee->second, vote.statement, vote.signature);
    if (!proof || proof->slot <= stable_) return;
    proofs_.insert_or_assign(proof->slot, std::move(*proof));
    if (proofs_.size() > Checkpoints::kKept) proofs_.erase(proofs_.begin());
    stabilise();
}

/// Takes over the highest certificates that this replica has got to.
void LaneReplica::stabilise() {
    auto told = proofs_.upper_bound(decided_);
    if (engine_ && told != proofs_.begin()) {
        const auto proof = std::prev(told)->second;
        if (proof.epoch == committee_.epoch && proof.slot > told_stable_) {
            told_stable_ = proof.slot;
            run_engine(StableCheckpoint{proof});
        }
    }
    auto done = proofs_.upper_bound(applied_);
    if (done == proofs_.begin()) return;
    const auto proof = std::prev(done)->second;
    proofs_.erase(proofs_.begin(), done);
    const auto point = points_.find(proof.slot);
    if (proof.slot <= stable_ || point == points_.end()) return;
    if (point->second.digest != proof.digest) {
        rejoin_.diverge(proof.slot);
        for (auto& [key, value] : rejoin_.memory())
            persist(key, std::move(value));
        engine_.reset();
        return;
    }
    stable_ = proof.slot;
    checkpoints_.collect(stable_);
    proven_[stable_] = {.proof = proof, .chain = point->second.chain, .state_root = point->second.state_root};
    Bytes record(proven_[stable_].chain.bytes.begin(), proven_[stable_].chain.bytes.end());
    record.insert(record.end(), point->second.state_root.bytes.begin(), point->second.state_root.bytes.end());
    const auto encoded = wire::encode(proof);
    record.insert(record.end(), encoded.begin(), encoded.end());
    persist(numbered("r/stable/", stable_), std::move(record));
    while (proven_.size() > Checkpoints::kKept) {
        persist(numbered("r/stable/", proven_.begin()->first), std::nullopt);
        proven_.erase(proven_.begin());
    }
    out_.stable = Stable{stable_, proof};
    if (rejoin_.advance(committee_.epoch, stable_)) {
        for (auto& [key, value] : rejoin_.memory())
            persist(key, std::move(value));
        if (voting()) begin_voting();
    }
}

void LaneReplica::drop_engine_memory(Epoch upto) {
    const auto end = numbered("e/", upto + 1);
    while (!engine_keys_.empty() && *engine_keys_.begin() < end) {
        persist(*engine_keys_.begin(), std::nullopt);
        memory_.persisted.erase(*engine_keys_.begin());
        engine_keys_.erase(engine_keys_.begin());
    }
}

} // namespace dwcp::consensus
