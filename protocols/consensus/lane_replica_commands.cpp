// Commands on their way into blocks: taken in, forwarded, gathered, proposed.
#include "protocols/consensus/lane_replica.hpp"
#include "protocols/crypto/hash.hpp"

#include <algorithm>

namespace dwcp::consensus {

void LaneReplica::answer(ClientToken client, Result<Answer::Place> outcome) {
    out_.answers.push_back({client, std::move(outcome)});
}

Result<void> LaneReplica::check_command(const Transaction& transaction) const {
    if (auto sound = check_transaction(transaction); !sound) return sound;
    if (auto sound = check_change(transaction.command); !sound) return sound;
    const auto change = reconfiguration_in(transaction.command);
    if (!change) return std::unexpected(change.error());
    if (*change && (*change)->from_epoch != committee_.epoch)
        return fail(Errc::precondition_failed,
                    "a change of epoch " + std::to_string((*change)->from_epoch) +
                        ", but the lane is in epoch " + std::to_string(committee_.epoch),
                    "read the committee again and repeat the change");
    return {};
}

/// A change of the committee that is submitted here and unsigned is this host's word. One that the others
/// would not take must not get into a block: they would refuse the block.
Result<void> LaneReplica::sign_change(Transaction& transaction) const {
    if (!transaction.command.id.starts_with(kReconfigureId)) return {};
    if (options_.signer && transaction.signature == crypto::Signature{} &&
        transaction.submitter == host_of(options_.self))
        transaction.signature =
            options_.signer->sign(signing_bytes(options_.domain, submission_of(transaction)));
    return Verifier(view_, *options_.checker).holds(transaction);
}

/// After an epoch began: changes of the one before are void, and what is signed with a key that no longer
/// counts would have everybody refuse the block that it is in.
void LaneReplica::drop_outdated(const LaneView& before) {
    const auto gone = mempool_.drop_if([&](const Transaction& transaction) {
        if (transaction.command.id.starts_with(kReconfigureId)) return true;
        return options_.signed_transactions &&
               before.key_of_node(transaction.submitter) != view_->key_of_node(transaction.submitter);
    });
    for (const auto& key : gone)
        for (auto& answered :
             clients_.refuse(key, {Errc::precondition_failed, "the lane's committee changed before it",
                                   "read the committee again and repeat the command"}))
            out_.answers.push_back(std::move(answered));
}

void LaneReplica::take(Submit&& event) {
    const auto client = event.client;
    auto sound = check_command(event.transaction);
    if (sound) sound = sign_change(event.transaction);
    if (!sound) return answer(client, std::unexpected(sound.error()));
    if (clients_.knows(client))
        return answer(client, fail(Errc::internal, "a client's token was given twice"));
    const auto full = [] {
        return fail(Errc::resource_exhausted, "the lane has as many commands waiting as it takes",
                    "try again later, with the same id and sequence");
    };
    if (clients_.full()) return answer(client, full());
    if (event.deadline <= now_.time)
        return answer(client, fail(Errc::deadline_exceeded, "the deadline has passed already"));
    const auto key = key_of(event.transaction.command);
    const auto payload = crypto::sha256(event.transaction.command.payload);
    switch (mempool_.add(std::move(event.transaction), Mempool::Origin::here, now_.time)) {
    case Mempool::Added::full:
        return answer(client, full());
    case Mempool::Added::differs:
        return answer(client, fail(Errc::already_exists,
                                   "another command of client " + key.first + " with sequence " +
                                       std::to_string(key.second) + " waits here",
                                   "use an id of its own for each client"));
    case Mempool::Added::ordered: {
        const auto ordered = *mempool_.ordered(key);
        clients_.wait(client, key, payload, event.deadline);
        clients_.ordered(key, ordered.payload, {ordered.height, ordered.position});
        for (auto& done : clients_.applied(applied_))
            out_.answers.push_back(std::move(done));
        return;
    }
    case Mempool::Added::fresh:
    case Mempool::Added::known:
        clients_.wait(client, key, payload, event.deadline);
    }
}

void LaneReplica::take_forward(const Forward& forward) {
    const auto origin = forward.to_all ? Mempool::Origin::waited_on : Mempool::Origin::passed_on;
    for (const auto& transaction : forward.transactions)
        if (check_command(transaction)) mempool_.add(transaction, origin, now_.time);
}

void LaneReplica::forward_commands() {
    const auto slow = mempool_.slow_at();
    if (slow && *slow <= now_.time) {
        // The leader had its time: now everybody waits for them.
        auto transactions = mempool_.take_slow(options_.block_bytes, now_.time);
        std::vector<ReplicaName> members;
        for (const auto& member : committee_.members)
            members.push_back(member.name);
        send(std::move(members), Forward{.transactions = std::move(transactions), .to_all = true});
    }
    if (!mempool_.has_unsent()) return;
    if (forwarded_at_ && now_.time < *forwarded_at_ + options_.gather) return;
    const auto led = leader();
    if (!led) return; // told once there is one
    while (mempool_.has_unsent()) {
        auto transactions = mempool_.take_unsent(options_.block_bytes);
        forwarded_at_ = now_.time;
        send({committee_.member(*led).name},
             Forward{.transactions = std::move(transactions), .to_all = false});
    }
}

/// Slots are under way and there is not enough for the next block.
bool LaneReplica::gathering() const {
    const auto under_way = engine_->next_slot() > engine_->status().decided + 1;
    return under_way && mempool_.ready_bytes() < options_.block_bytes &&
           mempool_.ready_commands() < options_.block_commands;
}

/// The more slots are under way, the longer: a lane that is busy decides fewer and fuller blocks.
TimePoint LaneReplica::gather_until() const {
    const auto under_way = engine_->next_slot() - engine_->status().decided - 1;
    return *mempool_.ready_since() + static_cast<std::int64_t>(under_way) * options_.gather;
}

void LaneReplica::propose() {
    while (engine_ && engine_->wants_proposal() && mempool_.has_ready() && !changing_at_) {
        if (gathering() && now_.time < gather_until()) return;
        const auto slot = engine_->next_slot();
        auto block = build();
        if (!(*block)->transactions.empty() &&
            (*block)->transactions.back().command.id.starts_with(kReconfigureId))
            changing_at_ = slot; // whatever this epoch proposes after it would be void
        const auto epoch = committee_.epoch;
        run_engine(ProposeBlock{std::move(block)});
        if (engine_ && committee_.epoch == epoch && engine_->next_slot() == slot)
            return; // it did not take it
    }
}

BlockRef LaneReplica::build() {
    Block block;
    block.height = engine_->next_slot();
    block.epoch = committee_.epoch;
    block.time_ms = std::max(last_time_ms_, now_.unix_ms);
    block.proposer = host_of(options_.self);
    block.transactions = mempool_.take(std::min(options_.block_bytes, kBlockBytesMax),
                                       std::min(options_.block_commands, kBlockCommandsMax));
    last_time_ms_ = block.time_ms;
    return std::make_shared<const SealedBlock>(std::move(block));
}

void LaneReplica::expire_clients() {
    auto late = clients_.expire(now_.time);
    for (auto& answered : late.answers)
        out_.answers.push_back(std::move(answered));
    for (const auto& key : late.abandoned)
        mempool_.abandon(key, now_.time);
    mempool_.expire(now_.time);
}

} // namespace dwcp::consensus
