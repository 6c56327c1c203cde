// What every engine owes to those who see one certificate alone: above the end of an epoch nothing is
// committed, since everything there is void.
#pragma once

#include "tests/unit/consensus/engine_rig.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace dwcp::consensus::test {

inline BlockRef epoch_end(const EngineRig& rig, Height slot) {
    Block block = **rig.block(slot, "change");
    Reconfigure change;
    change.from_epoch = rig.committee.epoch;
    change.members = rig.committee.members;
    Transaction& transaction = block.transactions.front();
    transaction.command = command_of(change);
    transaction.submitter = host_of(rig.committee.member(0).name);
    transaction.signature =
        QuickSigner(rig.committee.member(0).key).sign(signing_bytes(rig.domain, submission_of(transaction)));
    return std::make_shared<const SealedBlock>(std::move(block));
}

/// The leader of view 0 has a change of the committee in slot 1 and another block in slot 2 under way.
inline void check_nothing_is_committed_above_the_end_of_an_epoch(EngineRig& rig, bool end_is_late) {
    std::set<Height> committed;
    rig.passes = [&](auto, auto, const Message& message) {
        const auto* said = std::get_if<Signed>(&message.body);
        if (!said) return true;
        if (said->statement.kind == Kind::commit) committed.insert(said->statement.slot);
        return !end_is_late || said->statement.slot != 1;
    };
    rig.start();
    rig.give(0, ProposeBlock{epoch_end(rig, 1)});
    rig.give(0, ProposeBlock{rig.block(2, "above")});
    rig.run(milliseconds(300));
    CHECK(committed == (end_is_late ? std::set<Height>{} : std::set<Height>{1}));
    CHECK(rig.nodes[1]->decided.contains(1) == !end_is_late);
    CHECK_FALSE(rig.nodes[1]->decided.contains(2));
}

} // namespace dwcp::consensus::test
