// The engine of the epoch, and what it is told and says.
#include "protocols/consensus/lane_replica.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace {

/// Of the view timeout: when to ask somebody else for a proposal's content.
constexpr int kContentPatience = 8;
/// Proposals whose content is asked for: a window of them, in a few views.
constexpr std::size_t kWantedMax = 4 * kWindow;

std::string engine_prefix(Epoch epoch) {
    auto digits = std::to_string(epoch);
    return "e/" + std::string(20 - digits.size(), '0') + digits + "/";
}

} // namespace

Result<std::unique_ptr<Engine>> LaneReplica::make_engine_of(const Committee& committee, ReplicaId id,
                                                            const EngineMemory& memory) const {
    EngineOptions options{
        .domain = options_.domain,
        .committee = committee,
        .self = id,
        .signer = options_.signer,
        .pipeline = options_.pipeline,
        .view_timeout = options_.view_timeout,
        .view_timeout_max = options_.view_timeout_max,
        .earliest_view = rejoin_.earliest_view(committee.epoch),
        .acceptable = [this](const Block& block, const Now& now) { return acceptable(block, now); }};
    return options_.factory ? options_.factory(std::move(options), memory)
                            : make_engine(std::move(options), memory);
}

/// A committee whose engine is not built, or cannot be with so many, would end the lane.
Result<void> LaneReplica::can_run(const Committee& committee) const {
    if (!options_.signer) return {};
    const auto made = make_engine_of(committee, 0, {});
    if (!made) return std::unexpected(made.error());
    return {};
}

Result<void> LaneReplica::check_change(const Command& command) const {
    const auto change = reconfiguration_in(command);
    if (!change) return std::unexpected(change.error());
    if (!*change) return {};
    return can_run({.epoch = (*change)->from_epoch + 1,
                    .first = 1,
                    .engine = (*change)->engine,
                    .samples = (*change)->samples,
                    .members = (*change)->members});
}

void LaneReplica::begin_engine() {
    const auto prefix = engine_prefix(committee_.epoch);
    EngineMemory memory;
    for (auto at = memory_.persisted.lower_bound(prefix);
         at != memory_.persisted.end() && at->first.starts_with(prefix); ++at)
        memory[at->first.substr(prefix.size())] = at->second;
    auto made = make_engine_of(committee_, *id_, memory);
    if (!made) {
        rejoin_.distrust(made.error().message);
        return;
    }
    engine_ = std::move(*made);
    told_waits_ = false;
    told_stable_ = 0;
    engine_wake_.reset();
    wanted_.clear();
    run_engine(EngineStart{});
    if (const auto proof = proven_.find(stable_);
        engine_ && proof != proven_.end() && proof->second.proof.epoch == committee_.epoch) {
        told_stable_ = stable_;
        run_engine(StableCheckpoint{proof->second.proof});
    }
    if (engine_ && decided_ >= committee_.first) run_engine(DecidedElsewhere{decided_});
}

void LaneReplica::run_engine(EngineEvent event) {
    if (!engine_) return;
    take_effects(engine_->step(std::move(event), now_));
}

void LaneReplica::take_effects(EngineEffects effects) {
    const auto prefix = engine_prefix(committee_.epoch);
    for (auto& [key, value] : effects.persist) {
        auto full = prefix + key;
        if (value)
            engine_keys_.insert(full);
        else
            engine_keys_.erase(full);
        persist(std::move(full), std::move(value));
    }
    std::vector<ReplicaName> others;
    for (const auto& member : committee_.members)
        if (member.name != options_.self) others.push_back(member.name);
    for (const auto& message : effects.broadcasts) {
        remember_said(*message);
        if (!others.empty()) out_.sends.push_back({others, message});
    }
    for (const auto& sent : effects.sends) {
        remember_said(*sent.message);
        if (committee_.contains(sent.to) && sent.to != *id_)
            out_.sends.push_back({{committee_.member(sent.to).name}, sent.message});
    }
    for (const auto& found : effects.evidence)
        note_evidence(found, true);
    for (const auto& content : effects.wanted)
        if (wanted_.size() < kWantedMax) wanted_.try_emplace({content.slot, content.digest});
    if (effects.wake) engine_wake_ = effects.wake;
    out_.view_changes += effects.views_failed;
    out_.invalid += effects.invalid;
    for (auto& decision : effects.decided)
        decide({.block = std::move(decision.block), .proof = std::move(decision.proof)});
    output();
}

void LaneReplica::remember_said(const Message& message) {
    const auto* said = std::get_if<Signed>(&message.body);
    if (!said || said->statement.signer != *id_ || !rejoin_.say(said->statement)) return;
    persist(Rejoin::kSaid, rejoin_.memory().at(Rejoin::kSaid));
}

/// Another view or leader: what was proposed may be proposed again, and the new leader is told what waits.
void LaneReplica::watch_view() {
    std::tuple<Epoch, View, bool, ReplicaId> seen{committee_.epoch, 0, false, 0};
    if (engine_) {
        const auto status = engine_->status();
        seen = {committee_.epoch, status.view, status.active, status.leader};
    } else if (const auto led = leader()) {
        seen = {committee_.epoch, 0, true, *led};
    }
    if (seen == seen_view_) {
        if (!engine_ || !std::get<2>(seen) || std::get<3>(seen) == *id_ || !mempool_.overtaken(now_.time))
            return;
        const std::pair view{committee_.epoch, std::get<1>(seen)};
        if (suspected_ == view) return;
        suspected_ = view;
        run_engine(SuspectLeader{});
        return;
    }
    seen_view_ = seen;
    changing_at_.reset();
    mempool_.begin_view(now_.time);
}

Result<void> LaneReplica::acceptable(const Block& block, const Now& now) const {
    if (block.epoch != committee_.epoch) return fail(Errc::invalid_argument, "a block of another epoch");
    if (block.height < committee_.first)
        return fail(Errc::invalid_argument, "a block before the epoch's first");
    if (block.transactions.empty() && block == Block::empty(block.epoch, block.height)) return {};
    const auto ahead = static_cast<std::uint64_t>(kClockAheadMax);
    if (block.time_ms > now.unix_ms + ahead)
        return fail(Errc::precondition_failed,
                    "a block's time is over a minute ahead of this replica's clock",
                    "synchronise the clocks");
    if (block.time_ms + ahead < last_time_ms_)
        return fail(Errc::precondition_failed, "a block's time is over a minute before the last one's");
    const auto hosted = [&](const Member& member) { return host_of(member.name) == block.proposer; };
    if (std::ranges::none_of(committee_.members, hosted))
        return fail(Errc::invalid_argument, "a block's proposer hosts no member");
    if (block.transactions.size() > kBlockCommandsMax)
        return fail(Errc::too_large, "a block has too many commands");
    std::size_t bytes = 0;
    std::set<CommandKey> keys;
    for (std::size_t i = 0; i < block.transactions.size(); ++i) {
        const auto& transaction = block.transactions[i];
        if (auto sound = check_transaction(transaction); !sound) return sound;
        bytes += transaction.bytes();
        if (!keys.insert(key_of(transaction.command)).second)
            return fail(Errc::invalid_argument, "a block orders a command twice");
        if (!transaction.command.id.starts_with(kReconfigureId)) continue;
        if (auto sound = check_change(transaction.command); !sound) return sound;
        if (i + 1 != block.transactions.size())
            return fail(Errc::invalid_argument, "a block goes on after a change of its committee");
    }
    if (bytes > kBlockBytesMax) return fail(Errc::too_large, "a block is over 1 MiB");
    return {};
}

void LaneReplica::note_evidence(const Evidence& evidence, bool own) {
    if (evidence_.size() >= kEvidenceMax) return;
    if (!convicted_.emplace(evidence.first.epoch, evidence.first.signer).second) return;
    evidence_.push_back(evidence);
    out_.evidence.push_back(evidence);
    if (own) send(audience(), Accuse{evidence});
}

void LaneReplica::ask_wanted() {
    if (!engine_) return;
    for (auto at = wanted_.begin(); at != wanted_.end();) {
        auto& [what, wanted] = *at;
        if (what.first <= decided_) {
            at = wanted_.erase(at);
            continue;
        }
        if (now_.time >= wanted.again) {
            // The leader first, then the others in turn.
            const auto n = committee_.n();
            auto whom = static_cast<ReplicaId>((engine_->status().leader + wanted.tries) % n);
            if (whom == *id_) whom = static_cast<ReplicaId>((whom + 1) % n);
            ++wanted.tries;
            wanted.again = now_.time + options_.view_timeout / kContentPatience;
            send({committee_.member(whom).name}, FetchContent{what.first, what.second});
        }
        ++at;
    }
}

} // namespace dwcp::consensus
