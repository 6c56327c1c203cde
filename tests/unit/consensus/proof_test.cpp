#include "tests/unit/consensus/proof_rig.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::consensus;
using dwcp::test::ProofRig;

namespace {

void holds(ProofRig& rig, const Proof& proof) {
    const auto verdict = verify(proof, rig.checker(), nullptr);
    if (!verdict) FAIL(verdict.error().render());
}

void fails(ProofRig& rig, const Proof& proof) {
    const auto verdict = verify(proof, rig.checker(), nullptr);
    REQUIRE(!verdict);
    CHECK((verdict.error().code == Errc::unauthenticated || verdict.error().code == Errc::invalid_argument));
    CHECK(!verdict.error().remedy.empty());
}

} // namespace

TEST_CASE("a decided transaction is proven by its block, its path and the committee's votes") {
    for (const auto engine : {EngineKind::pbft, EngineKind::probft}) {
        ProofRig rig(engine, 4);
        for (const std::size_t count : {1U, 2U, 3U, 7U, 64U, 100U}) {
            const auto decided = rig.decide("tx", count);
            for (const std::uint32_t index : {std::uint32_t{0}, static_cast<std::uint32_t>(count - 1)})
                holds(rig, rig.prove(decided, index));
        }
        const auto proof = rig.prove(rig.decide("last", 5), 3);
        const auto verdict = verify(proof, rig.checker(), &rig.domain().genesis);
        REQUIRE(verdict);
        CHECK(proof.transaction.command.id == "last3");
        CHECK(verdict->height == 7);
        CHECK(verdict->index == 3);
        CHECK(verdict->time_ms == 1'790'000'007'000);
        CHECK(verdict->committee == rig.committee());
        CHECK(verdict->signers.size() == 3);
        CHECK(verdict->signers.front() == "site-a/0");
        CHECK(verdict->genesis_known);
    }
}

TEST_CASE("a proof leads through membership changes, and through no other than those that were decided") {
    ProofRig rig(EngineKind::pbft, 3);
    rig.decide("a", 2);
    rig.reconfigure(EngineKind::probft, 4);
    const auto middle = rig.decide("b", 3);
    const Proof early = rig.prove(middle, 1);
    holds(rig, early);
    CHECK(early.epochs.size() == 1);
    rig.reconfigure(EngineKind::pbft, 7);
    const Proof late = rig.prove(rig.decide("c", 3), 1);
    holds(rig, late);
    CHECK(verify(late, rig.checker(), nullptr)->committee.n() == 7);

    Proof cut = late;
    cut.epochs.pop_back();
    fails(rig, cut);
    Proof skipped = late;
    skipped.epochs.erase(skipped.epochs.begin());
    fails(rig, skipped);
    Proof of_before = rig.prove(middle, 1); // leads beyond the epoch that decided it
    fails(rig, of_before);
    Proof repeated = late;
    repeated.epochs.push_back(repeated.epochs.back());
    fails(rig, repeated);
    Proof no_change = early;
    no_change.epochs.push_back(middle);
    fails(rig, no_change);
    Proof nothing = late;
    nothing.epochs.front().block = nullptr;
    fails(rig, nothing);
}

TEST_CASE("of several membership changes in a block a proof follows the first alone") {
    ProofRig rig(EngineKind::pbft, 4);
    const auto others = [](std::size_t n, Byte key) {
        std::vector<Member> members;
        for (std::size_t i = 0; i < n; ++i)
            members.push_back({replica_name("evil", static_cast<unsigned>(i)), PublicKey{{key, 1}}});
        return members;
    };
    const auto before = rig.committee();
    const auto decided = rig.decide({{command_of({1, EngineKind::pbft, {}, before.members}), "site-b", {}},
                                     {command_of({1, EngineKind::pbft, {}, others(4, 9)}), "site-b", {}}});
    CHECK(rig.committee().members == before.members);
    CHECK(rig.committee().epoch == 2);
    holds(rig, rig.prove(rig.decide("x", 1), 0));
    CHECK((*decided.block)->transactions.size() == 2);
}

TEST_CASE("too few votes, the same vote twice and votes of strangers prove nothing") {
    ProofRig rig(EngineKind::pbft, 7);
    rig.votes = 4; // the quorum is 5
    fails(rig, rig.prove(rig.decide("x", 3), 0));
    rig.votes = 5;
    const Proof good = rig.prove(rig.decide("x", 3), 0);
    holds(rig, good);
    Proof twice = good;
    twice.commit.votes[1] = twice.commit.votes[0];
    fails(rig, twice);
    Proof stranger = good;
    stranger.commit.votes[4].replica = 7;
    fails(rig, stranger);
    Proof disordered = good;
    std::swap(disordered.commit.votes[0], disordered.commit.votes[1]);
    fails(rig, disordered);
    Proof other_kind = good;
    other_kind.commit.kind = Kind::prepare;
    fails(rig, other_kind);
    Proof foreign_form = good;
    foreign_form.commit.recipient = ReplicaId{0};
    fails(rig, foreign_form);
}

TEST_CASE("a proof is of one cluster, one lane and one founding") {
    ProofRig rig(EngineKind::pbft, 4);
    const Proof good = rig.prove(rig.decide("x", 3), 0);
    Proof other_lane = good;
    other_lane.lane = "metadata";
    fails(rig, other_lane);
    Proof other_cluster = good;
    other_cluster.cluster = "prod";
    fails(rig, other_cluster);
    Proof other_founding = good;
    other_founding.genesis.members.push_back({"site-z/0", PublicKey{{1}}});
    fails(rig, other_founding);
    Proof later_founding = good;
    later_founding.genesis.epoch = 2;
    fails(rig, later_founding);
    Hash256 trusted = rig.domain().genesis;
    CHECK(verify(good, rig.checker(), &trusted));
    trusted.bytes[31] ^= 1;
    const auto distrusted = verify(good, rig.checker(), &trusted);
    REQUIRE(!distrusted);
    CHECK(distrusted.error().message.find(rig.domain().genesis.hex()) != std::string::npos);
}

TEST_CASE("there is no proof of a transaction that a block does not have") {
    ProofRig rig(EngineKind::pbft, 4);
    const auto decided = rig.decide("x", 3);
    const auto none = make_proof(rig.domain(), rig.committee(), {}, decided, 3);
    REQUIRE(!none);
    CHECK(none.error().code == Errc::invalid_argument);
    Proof moved = rig.prove(decided, 1);
    moved.index = 2;
    fails(rig, moved);
    Proof longer = rig.prove(decided, 1);
    longer.path.push_back({});
    fails(rig, longer);
}
