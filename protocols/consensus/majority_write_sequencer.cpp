#include "protocols/consensus/majority_write.hpp"

#include <algorithm>
#include <functional>

namespace dwcp::consensus {
namespace {

/// Rounds under way at a time to a member that is as slow as `resend_max`: 8, with room.
constexpr std::size_t kRoundsGivenUpMax = 16;

} // namespace

Result<void> MajorityWrite::can_assign() const {
    if (!halted_.empty() || !formed_) {
        return fail(Errc::unavailable, "lane " + options_.lane + ": " + why_unavailable(now_.time),
                    "try again");
    }
    if (last_ - committed_ >= kPendingEntriesMax || uncommitted_bytes_ >= kPendingBytesMax) {
        return fail(Errc::resource_exhausted,
                    "lane " + options_.lane + " has too much that is not committed yet",
                    "slow down and try again");
    }
    return {};
}

void MajorityWrite::assign(Command command, const NodeName& proposer) {
    // A clock that is set back must not make the log's times go back.
    last_time_ms_ = std::max(last_time_ms_, now_.unix_ms);
    Entry entry{last_ + 1, last_time_ms_, proposer, std::move(command)};
    const auto [found, fresh] = ids_.emplace(entry.command.id, entry.index);
    ids_in_order_.emplace_back(entry.index, found->first);
    uncommitted_bytes_ += wire::entry_bytes(entry);
    const auto chain = next_chain(last_chain_, entry);
    push_record(std::move(entry), chain);
    prune_ids();
    flush();
}

void MajorityWrite::prune_ids() {
    while (!ids_in_order_.empty() && ids_in_order_.front().first + options_.dedupe_entries <= last_) {
        ids_.erase(std::string(ids_in_order_.front().second));
        ids_in_order_.pop_front();
    }
}

void MajorityWrite::on_propose(const NodeName& from, std::uint64_t epoch, wire::LanePropose& propose,
                               Tag tag) {
    // A proposal of an earlier life may be older than what ids_ remembers; who still wants it asks again.
    if (!began_ || epoch != epoch_) return answer_tag(from, tag, std::nullopt);
    wire::LaneProposed answer;
    answer.id = propose.command.id;
    if (const auto known = ids_.find(answer.id); known != ids_.end()) {
        if (known->second <= committed_) answer.outcome = wire::ProposeOutcome::committed;
        answer.index = known->second;
    } else if (auto room = can_assign(); room) {
        assign(std::move(propose.command), from);
    } else {
        answer.outcome = wire::ProposeOutcome::refused;
        answer.code = room.error().code;
        answer.reason = room.error().message;
    }
    answer_tag(from, tag, wire::LaneMessage{epoch_, std::move(answer)});
}

void MajorityWrite::on_appended(const NodeName& from, std::uint64_t epoch,
                                const wire::LaneAppended& appended) {
    if (appended.seen_epoch > epoch_) return halt(from + " has heard of a later life of this sequencer");
    if (epoch != epoch_) return;
    if (appended.durable > durable_) return halt(from + " has entries that this sequencer does not have");
    if (appended.diverged) return halt(from + " has other entries than this sequencer");
    Peer& peer = peers_.at(from);
    peer.heard = now_.time;
    measure_round_trip(peer, appended.round);
    if (appended.round == peer.round) {
        // The answer to our latest append tells the truth even if it is less than before: that member lost
        // its disk.
        peer.hold = peer.known && appended.durable <= peer.match && peer.match < durable_;
        peer.known = true;
        peer.match = appended.durable;
        peer.round = 0;
    } else {
        peer.match = std::max(peer.match, appended.durable);
    }
    form_if_confirmed();
    advance_commit();
    pump(from, peer);
    tell_commit(from, peer);
    announce_availability();
    pump_apply();
}

std::size_t MajorityWrite::confirmations_needed() const {
    // A committed entry is on at least quorum - 1 of the others; one more than all the rest of them must
    // include one.
    return std::min(peers_.size(), options_.members.size() - quorum_ + 1);
}

void MajorityWrite::form_if_confirmed() {
    if (formed_ || !halted_.empty()) return;
    const auto confirmed = std::ranges::count_if(
        peers_, [](const auto& peer) { return peer.second.known && peer.second.match == 0; });
    if (static_cast<std::size_t>(confirmed) < confirmations_needed()) return;
    formed_ = true;
    hard_dirty_ = true;
    flush();
    try_all_pending();
}

void MajorityWrite::halt(std::string why) {
    if (!halted_.empty()) return;
    halted_ = "stopped sequencing: " + why +
              "; its store was lost or is an old copy: restore it, or start a new lane";
    while (!pending_.empty()) {
        settle(pending_.begin()->first, fail(Errc::unavailable, "lane " + options_.lane + " " + halted_,
                                             "see the lane's status on its sequencer"));
    }
}

void MajorityWrite::advance_commit() {
    if (!halted_.empty()) return;
    std::vector<LogIndex> on_disk{durable_};
    for (const auto& [name, peer] : peers_)
        on_disk.push_back(peer.match);
    std::ranges::sort(on_disk, std::greater<>());
    const LogIndex quorum_has = std::min(on_disk[quorum_ - 1], durable_);
    if (quorum_has <= committed_) return;
    const LogIndex tail_first = last_ - tail_.size() + 1;
    for (LogIndex index = std::max(committed_ + 1, tail_first); index <= quorum_has; ++index) {
        const auto bytes = wire::entry_bytes(tail_[index - tail_first]->entry);
        // Entries of an earlier life were not counted.
        uncommitted_bytes_ -= std::min(uncommitted_bytes_, bytes);
    }
    committed_ = quorum_has;
    for (auto& [name, peer] : peers_)
        tell_commit(name, peer);
}

/// Tells a member of a commit that its last message did not carry. One that is about to get entries hears of
/// it with them, and one that is storing entries once it has answered.
void MajorityWrite::tell_commit(const NodeName& name, Peer& peer) {
    if (peer.known && peer.round == 0 && peer.match == durable_ && peer.told < committed_)
        send_notice(name, peer);
}

/// At every tick: probes, heartbeats, and what got no answer again.
void MajorityWrite::tend_peers() {
    if (!began_) return;
    for (auto& [name, peer] : peers_) {
        peer.hold = false;
        if (peer.round != 0 && now_.time - peer.asked >= std::max(peer.patience, options_.resend))
            give_up_round(peer);
        const Duration quiet = now_.time - peer.sent;
        if (peer.round != 0) {
            // A long way or a slow disk must not make either end take the other for away.
            if (quiet >= options_.heartbeat) send_notice(name, peer);
            continue;
        }
        if (quiet >= (peer.known || !peer.linked ? options_.heartbeat : options_.tick))
            send_notice(name, peer);
        pump(name, peer);
    }
    announce_availability();
}

/// It is sent again. Its answer may still come: then the round trip is longer than was thought.
void MajorityWrite::give_up_round(Peer& peer) {
    ++effects_.resends;
    if (peer.given_up.size() == kRoundsGivenUpMax) peer.given_up.pop_front();
    peer.given_up.emplace_back(std::exchange(peer.round, 0), peer.asked);
    peer.known = false;
}

/// Without it a member that answers later than after `resend` would be asked again for ever, each time before
/// its answer has come.
void MajorityWrite::measure_round_trip(Peer& peer, std::uint64_t round) {
    std::optional<TimePoint> asked;
    if (round == peer.round) asked = peer.asked;
    const auto late = std::ranges::find(peer.given_up, round, &std::pair<std::uint64_t, TimePoint>::first);
    if (late != peer.given_up.end()) asked = late->second;
    if (!asked) return;
    peer.patience = std::min(2 * (now_.time - *asked), options_.resend_max);
    if (round == peer.round) peer.given_up.clear();
}

/// A member that waits for a quorum should not wait for the next heartbeat too.
void MajorityWrite::announce_availability() {
    const bool available = why_unavailable(now_.time).empty();
    if (available == std::exchange(announced_available_, available)) return;
    for (auto& [name, peer] : peers_) {
        if (peer.known) send_notice(name, peer);
    }
}

/// Sends the next entries if the member is ready for them.
void MajorityWrite::pump(const NodeName& name, Peer& peer) {
    const bool ready = peer.known && peer.round == 0 && !peer.loading && !peer.hold;
    if (!ready || !halted_.empty() || peer.match >= durable_) return;
    const LogIndex tail_first = last_ - tail_.size() + 1;
    const auto records = from_tail(peer.match + 1, durable_, wire::kLaneEntriesMax, kAppendBytesMax);
    if (!records) {
        peer.loading = true;
        // From the entry before, for its chain; it must not take the place of the first that is sent.
        effects_.loads.push_back({name, std::max<LogIndex>(1, peer.match), kAppendBytesMax + kCommandBytes});
        return;
    }
    const auto& chain = peer.match + 1 == tail_first ? tail_base_ : tail_[peer.match - tail_first]->chain;
    send_append(name, peer, chain, *records);
}

void MajorityWrite::on_loaded_for(const NodeName& name, Peer& peer, Loaded& loaded) {
    peer.loading = false;
    peer.problem = loaded.problem;
    peer.hold = !loaded.problem.empty();
    auto& records = loaded.records;
    if (records.empty() || records.front()->entry.index != std::max<LogIndex>(1, peer.match)) {
        return pump(name, peer);
    }
    Hash256 chain;
    if (peer.match > 0) {
        chain = records.front()->chain;
        records.erase(records.begin());
    }
    if (peer.round != 0 || !peer.known || !halted_.empty() || records.empty()) return;
    std::size_t bytes = 0;
    std::size_t fitting = 0;
    for (; fitting < records.size(); ++fitting) {
        bytes += wire::entry_bytes(records[fitting]->entry);
        if (bytes > kAppendBytesMax || records[fitting]->entry.index > durable_) break;
    }
    records.resize(fitting);
    if (!records.empty()) send_append(name, peer, chain, records);
}

void MajorityWrite::send_append(const NodeName& name, Peer& peer, const Hash256& chain,
                                const std::vector<RecordRef>& records) {
    wire::LaneAppend append = notice();
    append.previous = peer.match;
    append.chain = chain;
    append.entries.reserve(records.size());
    for (const auto& record : records)
        append.entries.push_back(record->entry);
    append.round = peer.round = ++last_round_;
    peer.told = append.committed;
    peer.sent = peer.asked = now_.time;
    effects_.sends.push_back({name, wire::LaneMessage{epoch_, std::move(append)}, 0});
}

/// An append without entries: probe, heartbeat, news of a commit. Only a probe holds back the entries that
/// follow.
void MajorityWrite::send_notice(const NodeName& name, Peer& peer) {
    wire::LaneAppend append = notice();
    append.round = ++last_round_;
    if (peer.round == 0) {
        // News of a commit that overtakes its entries is of no use to the member.
        peer.told = append.committed;
        if (!peer.known) {
            peer.round = append.round;
            peer.asked = now_.time;
        }
    }
    peer.sent = now_.time;
    effects_.sends.push_back({name, wire::LaneMessage{epoch_, std::move(append)}, 0});
}

wire::LaneAppend MajorityWrite::notice() const {
    wire::LaneAppend append;
    append.previous = durable_;
    append.chain = durable_chain_;
    append.committed = committed_;
    append.note = halted_;
    append.available = why_unavailable(now_.time).empty();
    return append;
}

std::uint32_t MajorityWrite::heard_members(TimePoint now) const {
    return 1 + static_cast<std::uint32_t>(std::ranges::count_if(
                   peers_, [&](const auto& peer) { return is_heard(peer.second, now); }));
}

void MajorityWrite::on(const Undelivered& undelivered) {
    const auto found = peers_.find(undelivered.to);
    if (found == peers_.end() || found->second.round == 0 || found->second.round != undelivered.round) return;
    found->second.round = 0;
    found->second.known = false;
}

} // namespace dwcp::consensus
