#include "protocols/consensus/majority_write.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace {

/// The sequencer has one append under way, so more than its repetitions are not waiting.
constexpr std::size_t kWaitingMax = 64;

} // namespace

void MajorityWrite::on_append(const NodeName& from, std::uint64_t epoch, wire::LaneAppend& append, Tag tag) {
    if (!append.note.empty()) sequencer_note_ = append.note;
    if (epoch < epoch_) return answer_tag(from, tag, appended(epoch, append.round));
    if (epoch > epoch_) begin_epoch(epoch);
    peers_.at(from).heard = now_.time;
    sequencer_available_ = append.available;
    sequencer_note_ = append.note;
    const LogIndex upto = append.entries.empty() ? 0 : append.entries.back().index;
    const LogIndex committed = append.committed;
    if (!diverged_) take_entries(append);
    if (!diverged_) committed_ = std::max(committed_, std::min(committed, verified_));
    const LogIndex target = std::min(upto, last_);
    if (diverged_ || durable_ >= target || waiting_.size() >= kWaitingMax) {
        answer_tag(from, tag, appended(epoch, append.round));
    } else {
        waiting_.push_back({from, tag, epoch, append.round, target});
    }
    flush();
    pump_apply();
}

void MajorityWrite::begin_epoch(std::uint64_t epoch) {
    epoch_ = epoch;
    hard_dirty_ = true;
    verified_ = 0;
    // What the dead life had accepted may never have reached its disk.
    for (auto& [id, pending] : pending_) {
        pending.accepted = false;
        pending.next_try = {};
    }
    try_all_pending();
}

/// Takes what is new and follows on our log; compares what it can.
void MajorityWrite::take_entries(wire::LaneAppend& append) {
    LogIndex index = append.previous;
    Hash256 chain = append.chain;
    if (index > last_) return; // A gap: our answer says where to go on.
    auto at = append.entries.begin();
    for (; index < last_ && at != append.entries.end(); ++at, ++index)
        chain = next_chain(chain, *at);
    if (index < last_)
        return; // All known, and nothing to compare with: the chain before last_ is not in memory.
    if (chain != last_chain_) {
        diverged_ = true;
        return;
    }
    for (; at != append.entries.end() && tail_bytes_ < kTailBytesMax; ++at) {
        chain = next_chain(chain, *at);
        push_record(std::move(*at), chain);
    }
    verified_ = last_;
}

void MajorityWrite::answer_waiting() {
    std::erase_if(waiting_, [this](const Waiting& waiting) {
        if (waiting.upto > durable_) return false;
        answer_tag(waiting.from, waiting.tag, appended(waiting.epoch, waiting.round));
        return true;
    });
}

wire::LaneMessage MajorityWrite::appended(std::uint64_t epoch, std::uint64_t round) const {
    return {epoch, wire::LaneAppended{round, durable_, epoch_, diverged_}};
}

void MajorityWrite::on_proposed(std::uint64_t epoch, const wire::LaneProposed& proposed) {
    const auto found = pending_.find(proposed.id);
    if (epoch != epoch_ || found == pending_.end()) return;
    switch (proposed.outcome) {
    case wire::ProposeOutcome::accepted:
        found->second.accepted = true;
        return;
    case wire::ProposeOutcome::committed:
        // If it is not applied here yet, applying it answers.
        found->second.accepted = true;
        if (proposed.index <= applied_) settle(proposed.id, Committed{proposed.index, true});
        return;
    case wire::ProposeOutcome::refused:
        // An unavailable sequencer is asked again until the deadline.
        if (proposed.code == Errc::unavailable) return;
        settle(proposed.id, fail(proposed.code, proposed.reason, "slow down and try again"));
        return;
    }
}

std::string MajorityWrite::why_sequencer_unavailable(TimePoint now) const {
    const std::string who = "sequencer " + options_.sequencer;
    if (diverged_) return "this member's log has other entries than that of " + who;
    if (!sequencer_note_.empty()) return who + ": " + sequencer_note_;
    if (!is_heard(peers_.at(options_.sequencer), now)) return who + " does not answer";
    return sequencer_available_ ? "" : who + " does not hear from a quorum";
}

} // namespace dwcp::consensus
