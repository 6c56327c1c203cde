// What every member does: take commands in, write the log, apply it, answer. The sequencer's part is in
// majority_write_sequencer.cpp, the others' in majority_write_follower.cpp.
#include "protocols/consensus/majority_write.hpp"

#include "protocols/crypto/hash.hpp"

#include <algorithm>
#include <array>

namespace dwcp::consensus {
namespace {

std::array<Byte, 8> little_endian(std::uint64_t value) {
    std::array<Byte, 8> out;
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<Byte>(value >> (8 * i));
    return out;
}

Result<void> check(const Command& command) {
    if (command.id.empty() || command.id.size() > wire::kLaneIdBytesMax) {
        return fail(Errc::invalid_argument,
                    "command id has " + std::to_string(command.id.size()) + " characters",
                    "use 1 to " + std::to_string(wire::kLaneIdBytesMax));
    }
    if (command.payload.empty()) return fail(Errc::invalid_argument, "command " + command.id + " is empty");
    if (command.payload.size() > kCommandBytes) {
        return fail(Errc::too_large,
                    "command " + command.id + " has " + std::to_string(command.payload.size()) + " bytes",
                    "at most " + std::to_string(kCommandBytes) + " fit a lane's message");
    }
    return {};
}

} // namespace

Hash256 next_chain(const Hash256& previous, const Entry& entry) {
    // Lengths go before texts, so that no two entries give the same bytes.
    // The sequence is left out: records of before it had one keep their chain.
    const auto& id = entry.command.id;
    return crypto::sha256({previous.view(), little_endian(entry.index), little_endian(entry.time_ms),
                           little_endian(entry.proposer.size()), as_bytes(entry.proposer),
                           little_endian(id.size()), as_bytes(id), entry.command.payload});
}

MajorityWrite::MajorityWrite(MajorityWriteOptions options, Recovered recovered)
    : quorum_(static_cast<std::uint32_t>(options.members.size() / 2 + 1)), options_(std::move(options)),
      epoch_(recovered.hard.epoch), formed_(recovered.hard.formed), last_(recovered.hard.last),
      last_chain_(recovered.hard.chain), durable_(last_), durable_chain_(last_chain_),
      committed_(recovered.applied), applied_(recovered.applied), tail_base_(last_chain_) {
    for (const auto& member : options_.members) {
        if (member != options_.self) peers_.emplace(member, Peer{});
    }
    if (!is_sequencer()) return;
    ++epoch_;
    ids_.reserve(recovered.ids.size());
    for (auto& [id, index] : recovered.ids) {
        const auto [found, fresh] = ids_.emplace(std::move(id), index);
        if (fresh) ids_in_order_.emplace_back(index, found->first);
    }
}

Effects MajorityWrite::start(Now now) {
    now_ = now;
    // A life's messages carry its epoch, so the disk has it before the first of them.
    hard_dirty_ = is_sequencer();
    if (is_sequencer()) form_if_confirmed();
    flush();
    pump_apply();
    set_wake();
    return std::exchange(effects_, {});
}

Effects MajorityWrite::step(Event event, Now now) {
    now_ = now;
    std::visit([this](auto& e) { on(e); }, event);
    set_wake();
    return std::exchange(effects_, {});
}

void MajorityWrite::on(const Tick&) {
    expire_pending();
    try_all_pending();
    if (is_sequencer()) tend_peers();
    pump_apply();
}

void MajorityWrite::on(Submit& submit) {
    if (auto ok = check(submit.command); !ok) {
        effects_.answers.push_back({submit.client, std::unexpected(ok.error())});
        return;
    }
    const std::string id = submit.command.id;
    if (const auto known = ids_.find(id); known != ids_.end() && known->second <= applied_) {
        effects_.answers.push_back({submit.client, Committed{known->second, true}});
        return;
    }
    auto found = pending_.find(id);
    const std::size_t bytes = submit.command.payload.size();
    const bool full = found == pending_.end()
                          ? pending_.size() >= kPendingEntriesMax || pending_bytes_ + bytes > kPendingBytesMax
                          : found->second.clients.size() >= kClientsPerCommandMax;
    if (full) {
        effects_.answers.push_back({submit.client, fail(Errc::resource_exhausted,
                                                        "lane " + options_.lane + " has too much under way",
                                                        "slow down and try again")});
        return;
    }
    if (found == pending_.end()) {
        pending_bytes_ += bytes;
        found = pending_.emplace(id, Pending{.command = std::move(submit.command), .bytes = bytes}).first;
    }
    found->second.clients.push_back({submit.client, submit.deadline});
    try_pending(id);
}

void MajorityWrite::on(Received& received) {
    const bool is_member = peers_.contains(received.from);
    const auto epoch = received.message.epoch;
    auto& body = received.message.body;
    if (auto* propose = std::get_if<wire::LanePropose>(&body); propose && is_member && is_sequencer()) {
        return on_propose(received.from, epoch, *propose, received.tag);
    }
    if (auto* append = std::get_if<wire::LaneAppend>(&body); append && received.from == options_.sequencer) {
        return on_append(received.from, epoch, *append, received.tag);
    }
    answer_tag(received.from, received.tag, std::nullopt);
    if (auto* done = std::get_if<wire::LaneAppended>(&body); done && is_member && is_sequencer()) {
        on_appended(received.from, epoch, *done);
    }
    if (auto* done = std::get_if<wire::LaneProposed>(&body); done && received.from == options_.sequencer) {
        on_proposed(epoch, *done);
    }
}

void MajorityWrite::on(const Persisted& persisted) {
    if (!writing_ || writing_->ticket != persisted.ticket) return;
    durable_ = writing_->hard.last;
    durable_chain_ = writing_->hard.chain;
    writing_.reset();
    if (is_sequencer()) {
        const bool first = !std::exchange(began_, true);
        advance_commit();
        if (first) tend_peers();
        for (auto& [name, peer] : peers_)
            pump(name, peer);
    } else {
        answer_waiting();
    }
    flush();
    pump_apply();
}

void MajorityWrite::on(const Applied& applied) {
    if (applying_.empty() || applying_.back()->entry.index != applied.upto) return;
    const auto done = std::exchange(applying_, {});
    applied_ = applied.upto;
    for (const auto& record : done)
        settle(record->entry.command.id, Committed{record->entry.index, false});
    trim_tail();
    pump_apply();
}

void MajorityWrite::on(Loaded& loaded) {
    if (loaded.reader.empty()) {
        loading_ = false;
        problem_ = loaded.problem;
        // Read again at the next tick; what was read may also be ahead of or behind what is wanted by now.
        std::erase_if(loaded.records, [this](const RecordRef& record) {
            return record->entry.index <= applied_ || record->entry.index > std::min(committed_, durable_);
        });
        if (applying_.empty() && !loaded.records.empty() &&
            loaded.records.front()->entry.index == applied_ + 1) {
            apply_now(std::move(loaded.records));
        }
        return;
    }
    const auto found = peers_.find(loaded.reader);
    if (found != peers_.end() && is_sequencer()) on_loaded_for(found->first, found->second, loaded);
}

void MajorityWrite::on(const PeerLink& link) {
    const auto found = peers_.find(link.peer);
    if (found == peers_.end()) return;
    Peer& peer = found->second;
    peer.linked = link.up;
    if (!link.up) peer.heard = {};
    if (!is_sequencer()) return;
    peer.known = false;
    peer.round = 0;
    if (link.up && began_) send_notice(found->first, peer);
}

/// Sequencer: puts the command into the log. Others: send it to the sequencer.
void MajorityWrite::try_pending(const std::string& id) {
    const auto found = pending_.find(id);
    if (found == pending_.end() || found->second.accepted) return;
    Pending& pending = found->second;
    if (!is_sequencer()) {
        if (now_.time < pending.next_try) return;
        if (pending.next_try != TimePoint{}) ++effects_.resends;
        pending.next_try = now_.time + options_.propose_again;
        effects_.sends.push_back(
            {options_.sequencer, wire::LaneMessage{epoch_, wire::LanePropose{pending.command}}, 0});
        return;
    }
    if (ids_.contains(id)) {
        pending.accepted = true;
        return;
    }
    if (auto room = can_assign(); !room) {
        // Not formed yet: there is time until the deadline.
        if (room.error().code != Errc::unavailable || !halted_.empty())
            settle(id, std::unexpected(room.error()));
        return;
    }
    pending.accepted = true;
    assign(std::move(pending.command), options_.self);
}

void MajorityWrite::try_all_pending() {
    std::vector<std::string> ids;
    for (const auto& [id, pending] : pending_) {
        if (!pending.accepted) ids.push_back(id);
    }
    for (const auto& id : ids)
        try_pending(id);
}

void MajorityWrite::expire_pending() {
    if (pending_.empty()) return;
    const std::string why = why_unavailable(now_.time);
    const Error error{Errc::unavailable,
                      "lane " + options_.lane + " did not commit in time" + (why.empty() ? "" : ": " + why),
                      "it may still commit: ask again with the same id"};
    for (auto it = pending_.begin(); it != pending_.end();) {
        auto& clients = it->second.clients;
        for (const auto& client : clients) {
            if (client.deadline <= now_.time) effects_.answers.push_back({client.id, std::unexpected(error)});
        }
        std::erase_if(clients, [this](const Client& client) { return client.deadline <= now_.time; });
        if (!clients.empty()) {
            ++it;
            continue;
        }
        pending_bytes_ -= it->second.bytes;
        it = pending_.erase(it);
    }
}

void MajorityWrite::settle(const std::string& id, const Result<Committed>& outcome) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    for (const auto& client : found->second.clients)
        effects_.answers.push_back({client.id, outcome});
    pending_bytes_ -= found->second.bytes;
    pending_.erase(found);
}

void MajorityWrite::push_record(Entry entry, const Hash256& chain) {
    last_ = entry.index;
    last_chain_ = chain;
    auto record = std::make_shared<const Record>(Record{std::move(entry), chain});
    tail_bytes_ += wire::entry_bytes(record->entry);
    unwritten_.push_back(record);
    tail_.push_back(std::move(record));
}

/// Records first..last as far as they fit; nullopt if memory no longer has `first`.
std::optional<std::vector<RecordRef>> MajorityWrite::from_tail(LogIndex first, LogIndex last,
                                                               std::size_t entries_max,
                                                               std::size_t bytes_max) const {
    const LogIndex tail_first = last_ - tail_.size() + 1;
    if (first < tail_first) return std::nullopt;
    std::vector<RecordRef> records;
    std::size_t bytes = 0;
    for (LogIndex index = first; index <= last && records.size() < entries_max; ++index) {
        const auto& record = tail_[index - tail_first];
        bytes += wire::entry_bytes(record->entry);
        if (bytes > bytes_max && !records.empty()) break;
        records.push_back(record);
    }
    return records;
}

void MajorityWrite::trim_tail() {
    // Members that are not the sequencer need an entry until it is applied; the sequencer's tail is also what
    // it sends.
    const std::size_t keep_bytes = is_sequencer() ? kTailBytesMax : 0;
    while (!tail_.empty() && tail_.front()->entry.index <= applied_ && tail_bytes_ > keep_bytes) {
        tail_bytes_ -= wire::entry_bytes(tail_.front()->entry);
        tail_base_ = tail_.front()->chain;
        tail_.pop_front();
    }
}

/// Group commit: what came in while the disk was busy goes out as the next write.
void MajorityWrite::flush() {
    if (writing_ || (unwritten_.empty() && !hard_dirty_)) return;
    Persist persist{
        .ticket = ++last_ticket_, .records = {}, .hard = {epoch_, formed_, durable_, durable_chain_}};
    std::size_t bytes = 0;
    while (!unwritten_.empty() && persist.records.size() < kPersistEntriesMax && bytes < kPersistBytesMax) {
        bytes += wire::entry_bytes(unwritten_.front()->entry);
        persist.records.push_back(std::move(unwritten_.front()));
        unwritten_.pop_front();
    }
    if (!persist.records.empty()) {
        persist.hard.last = persist.records.back()->entry.index;
        persist.hard.chain = persist.records.back()->chain;
    }
    hard_dirty_ = false;
    writing_ = Persist{persist.ticket, {}, persist.hard};
    effects_.persist = std::move(persist);
}

void MajorityWrite::pump_apply() {
    // Not beyond our own disk: what is applied must be in the log that a restart finds.
    const LogIndex upto = std::min(committed_, durable_);
    if (!applying_.empty() || loading_ || applied_ >= upto) return;
    if (auto records = from_tail(applied_ + 1, upto, kApplyEntriesMax, kApplyBytesMax)) {
        apply_now(std::move(*records));
        return;
    }
    loading_ = true;
    effects_.loads.push_back({{}, applied_ + 1, kApplyBytesMax});
}

void MajorityWrite::apply_now(std::vector<RecordRef> records) {
    applying_ = records;
    effects_.apply = std::move(records);
}

void MajorityWrite::answer_tag(const NodeName& to, Tag tag, std::optional<wire::LaneMessage> message) {
    if (tag == 0 && !message) return;
    effects_.sends.push_back({to, std::move(message), tag});
}

void MajorityWrite::set_wake() {
    bool busy = !pending_.empty() || !problem_.empty();
    if (is_sequencer()) {
        for (const auto& [name, peer] : peers_) {
            busy = busy || peer.round != 0 || peer.hold || (peer.linked && !peer.known);
        }
    }
    if (busy)
        effects_.wake = now_.time + options_.tick;
    else if (is_sequencer() && !peers_.empty())
        effects_.wake = now_.time + options_.heartbeat;
}

Status MajorityWrite::status(TimePoint now) const {
    Status status;
    status.lane = options_.lane;
    status.engine = kMajorityWriteName;
    status.sequencer = options_.sequencer;
    status.members = options_.members;
    status.quorum = quorum_;
    status.members_up = 1 + static_cast<std::uint32_t>(std::ranges::count_if(peers_, [&](const auto& peer) {
                            return peer.second.linked || is_heard(peer.second, now);
                        }));
    status.last_index = last_;
    status.committed = committed_;
    status.applied = applied_;
    status.note = why_unavailable(now);
    status.available = status.note.empty();
    if (!problem_.empty()) status.note += (status.note.empty() ? "" : "; ") + problem_;
    for (const auto& [name, peer] : peers_) {
        if (!peer.problem.empty())
            status.note += (status.note.empty() ? "" : "; ") + name + ": " + peer.problem;
    }
    if (status.note.empty())
        status.note = "commits stop while " + options_.sequencer + " or a majority is away";
    return status;
}

bool MajorityWrite::is_heard(const Peer& peer, TimePoint now) const {
    return peer.heard != TimePoint{} && now - peer.heard < 3 * options_.heartbeat;
}

/// Empty: a command that is submitted here now can be committed.
std::string MajorityWrite::why_unavailable(TimePoint now) const {
    if (!is_sequencer()) return why_sequencer_unavailable(now);
    if (!halted_.empty()) return halted_;
    if (!formed_) {
        return "a new lane begins when " + std::to_string(confirmations_needed()) +
               " of the other members have confirmed that their logs are empty";
    }
    const auto heard = heard_members(now);
    if (heard >= quorum_) return {};
    return "no quorum: hears from " + std::to_string(heard) + " of " +
           std::to_string(options_.members.size()) + " members, needs " + std::to_string(quorum_);
}

} // namespace dwcp::consensus
