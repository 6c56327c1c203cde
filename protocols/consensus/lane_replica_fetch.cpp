// Catching up with the others from any distance, and letting others catch up.
#include "protocols/consensus/lane_replica.hpp"
#include "protocols/wire/consensus.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace {

/// Empty answers of a peer that claims to have more before it is left alone.
constexpr std::size_t kEmptyAnswersMax = 3;

} // namespace

void LaneReplica::fetch() {
    if (installing_ && installing_->complete) return;
    if (decided_ - applied_ > kUnappliedMax) return;
    // A member that is not voting learns of decisions in no other way.
    const bool follow = !engine_;
    const auto stuck = stuck_at();
    const bool at_once = stuck && now_.time >= *stuck;
    auto ask = catch_up_.next(decided_, follow, at_once, now_.time);
    if (installing_ && !catch_up_.in_snapshot()) {
        // Its peer fell silent half-way: what comes as blocks must not wait for the rest.
        installing_.reset();
        output();
    }
    if (ask) std::visit([&](auto& what) { send({ask->peer}, what); }, ask->what);
}

/// A member that misses votes finds the others ahead long before it suspects the leader: it asks for the next
/// block when nothing was decided for a while though something waits, or later slots were.
std::optional<TimePoint> LaneReplica::stuck_at() const {
    if (!engine_) return std::nullopt;
    const auto waited = mempool_.watched_since();
    if (!waited && buffered_.empty()) return std::nullopt;
    return std::max(progress_at_, waited.value_or(progress_at_)) + options_.view_timeout / 4;
}

void LaneReplica::serve() {
    for (auto& reply : server_.due(options_.hello, now_.time))
        send({reply.to}, std::move(reply.blocks));
}

void LaneReplica::take(Loaded&& event) {
    if (auto reply = server_.loaded(std::move(event))) send({reply->to}, std::move(reply->blocks));
}

void LaneReplica::take_blocks(const ReplicaName& from, const Blocks& blocks) {
    if (!catch_up_.awaits_blocks(from)) return;
    catch_up_.answered();
    if (blocks.blocks.empty()) {
        catch_up_.stands(from, blocks.tip, decided_, now_.time);
        if (blocks.tip <= decided_) return;
        if (blocks.earliest > decided_ + 1) return catch_up_.begin_snapshot(from);
        if (++empty_answers_ >= kEmptyAnswersMax) catch_up_.wrong(from, now_.time);
        return;
    }
    empty_answers_ = 0;
    auto first = blocks.blocks.begin();
    while (first != blocks.blocks.end() && (*first->block)->height <= decided_)
        ++first;
    if (first == blocks.blocks.end()) return; // decided meanwhile
    const std::span<const DecidedBlock> fresh(first, blocks.blocks.end());
    auto committee = committee_;
    if ((*fresh.front().block)->height != decided_ + 1 ||
        !follow_chain(*view_, *options_.checker, fresh, committee)) {
        ++out_.invalid;
        return catch_up_.wrong(from, now_.time);
    }
    catch_up_.stands(from, blocks.tip, decided_, now_.time);
    for (const auto& block : fresh) {
        decide(block);
        output();
    }
    if (decided_ < (*fresh.front().block)->height) return catch_up_.wrong(from, now_.time);
    run_engine(DecidedElsewhere{decided_});
    stabilise();
}

void LaneReplica::take(SnapshotRead&& event) {
    const auto peer = server_.snapshot_read(event.ticket);
    if (!peer) return;
    complete_part(event.part);
    send({*peer}, std::move(event.part));
}

/// What goes before the state, from this replica's own memory.
void LaneReplica::complete_part(SnapshotPart& part) const {
    if (part.height == 0) return;
    const auto proven = proven_.find(part.height);
    if (proven == proven_.end()) {
        part = {};
        return;
    }
    part.proof = proven->second.proof;
    part.chain = proven->second.chain;
    part.state_root = proven->second.state_root;
    if (!part.after.empty()) return;
    for (const auto& [epoch, end] : ends_)
        if ((*end.block)->height <= part.height) part.epochs.push_back(end);
}

/// The committees from the ones that are known here up to the one that follows, and that committee's word
/// for chain and state.
Result<LaneReplica::Installing> LaneReplica::check_snapshot(const SnapshotPart& part) const {
    Installing snapshot{.height = part.height,
                        .chain = part.chain,
                        .state_root = part.state_root,
                        .proof = part.proof,
                        .committees = committees_,
                        .ends = {},
                        .complete = false};
    const auto refuse = [](const char* why) { return fail(Errc::invalid_argument, why); };
    const auto verifier = [&] {
        auto view = std::make_shared<LaneView>(*view_);
        view->committees = snapshot.committees;
        return Verifier(std::move(view), *options_.checker);
    };
    for (const auto& end : part.epochs) {
        const auto& block = **end.block;
        const auto committee = snapshot.committees.find(block.epoch);
        if (committee == snapshot.committees.end()) return refuse("a snapshot leaves out an epoch");
        if (snapshot.committees.contains(block.epoch + 1)) continue; // known here
        if (auto holds = verifier().proves(end.proof, end.block->digest(), block.height); !holds)
            return std::unexpected(holds.error());
        auto next = next_committee(committee->second, block);
        if (!next) return refuse("a snapshot's block ends no epoch");
        snapshot.committees[next->epoch] = *next;
        snapshot.ends.emplace(block.epoch, end);
    }
    const Committee* after = nullptr;
    for (const auto& [epoch, committee] : snapshot.committees)
        if (committee.first <= part.height + 1) after = &committee;
    if (!after || part.proof.slot != part.height || part.proof.kind != Kind::checkpoint)
        return refuse("a snapshot's proof is of another height");
    if (part.proof.digest != checkpoint_digest(part.height, part.chain, part.state_root, after->digest()))
        return refuse("a snapshot's proof is of another state");
    if (auto holds = verifier().proves_checkpoint(part.proof); !holds) return std::unexpected(holds.error());
    return snapshot;
}

void LaneReplica::take_part(const ReplicaName& from, const SnapshotPart& part) {
    if (!catch_up_.awaits_part(from, part)) return;
    const auto give_up = [&] {
        catch_up_.wrong(from, now_.time);
        installing_.reset();
        output();
    };
    if (part.height <= decided_ || (!part.last && part.pairs.empty())) return give_up();
    if (part.after.empty()) {
        auto snapshot = check_snapshot(part);
        if (!snapshot) {
            ++out_.invalid;
            return give_up();
        }
        installing_ = std::move(*snapshot);
    }
    if (!installing_ || installing_->height != part.height) return give_up();
    catch_up_.part_came(part);
    const Committee* next = nullptr;
    for (const auto& [epoch, committee] : installing_->committees)
        if (committee.first <= part.height + 1) next = &committee;
    out_.installs.push_back({.part = part, .state_root = installing_->state_root, .next = *next});
    installing_->complete = part.last;
}

void LaneReplica::take(SnapshotInstalled&& event) {
    if (!installing_ || !installing_->complete || event.height != installing_->height) return;
    const auto snapshot = std::move(*installing_);
    installing_.reset();
    const auto peer = catch_up_.snapshot_peer();
    catch_up_.end_snapshot();
    if (!event.problem.empty() || event.state_root != snapshot.state_root) {
        ++out_.invalid;
        catch_up_.wrong(peer, now_.time);
        return output();
    }
    decided_ = applied_ = snapshot.height;
    chain_ = snapshot.chain;
    chains_.clear();
    buffered_.erase(buffered_.begin(), buffered_.upper_bound(decided_));
    server_.restart(decided_);
    committees_ = snapshot.committees;
    const auto number = [](std::uint64_t value) {
        auto digits = std::to_string(value);
        return std::string(20 - digits.size(), '0') + digits;
    };
    for (const auto& [epoch, end] : snapshot.ends) {
        ends_.emplace(epoch, end);
        persist("r/end/" + number(epoch), wire::encode(end));
    }
    points_[decided_] = {.chain = chain_, .state_root = snapshot.state_root, .digest = snapshot.proof.digest};
    proofs_.insert_or_assign(snapshot.height, snapshot.proof);
    const auto next = committee_at(decided_ + 1);
    if (next.epoch != committee_.epoch)
        end_epoch(next);
    else
        run_engine(DecidedElsewhere{decided_});
    stabilise();
    output();
}

} // namespace dwcp::consensus
