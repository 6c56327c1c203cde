#include "protocols/consensus/verifier.hpp"
#include "protocols/crypto/sampling.hpp"
#include "protocols/wire/consensus.hpp"
#include "tests/unit/consensus/sample_messages.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace {

using namespace dwcp;
using namespace dwcp::consensus;
using test::CommitteeRig;
using test::hash_of;

void refused(const Result<void>& result, const std::string& because, Errc code = Errc::unauthenticated) {
    INFO("expected: " << because);
    REQUIRE_FALSE(result);
    INFO(result.error().message);
    CHECK(result.error().code == code);
    CHECK_THAT(result.error().message, Catch::Contains(because));
}

Result<void> verified(const CommitteeRig& rig, Message message, ReplicaId me = 0) {
    const auto result = rig.verifier().verify(std::move(message), rig.name(me));
    if (!result) return std::unexpected(result.error());
    return {};
}

Signed& signed_in(Message& message) { return std::get<Signed>(message.body); }

/// Members whose commit sample for (slot, view 0) holds `recipient`.
std::vector<ReplicaId> who_drew(const CommitteeRig& rig, Height slot, ReplicaId recipient, bool drew = true) {
    std::vector<ReplicaId> out;
    for (ReplicaId id = 0; id < rig.committee.n(); ++id) {
        const auto vote = rig.statement(Kind::commit, id, {}, slot);
        const auto output = rig.signers[id]->vrf_prove(vrf_alpha(rig.domain, vote)).output;
        const auto sample =
            crypto::expand_sample(output, rig.committee.n(), sample_sizes(rig.committee).sample);
        if (std::binary_search(sample.begin(), sample.end(), recipient) == drew) out.push_back(id);
    }
    return out;
}

DecidedBlock decided_by(const CommitteeRig& rig, const Committee& committee, const BlockRef& block,
                        const std::vector<std::unique_ptr<Signer>>& signers) {
    Certificate proof;
    proof.kind = Kind::commit;
    proof.engine = committee.engine;
    proof.epoch = committee.epoch;
    proof.slot = (*block)->height;
    proof.digest = block->digest();
    for (const auto id : CommitteeRig::first(committee.quorum())) {
        Vote vote{.replica = id, .signature = {}, .proof = {}};
        vote.signature = signers[id]->sign(signing_bytes(rig.domain, statement_of(proof, vote)));
        proof.votes.push_back(vote);
    }
    return {block, proof};
}

} // namespace

TEST_CASE("what honest replicas say is verified, in every engine") {
    for (const auto engine : {EngineKind::pbft, EngineKind::probft, EngineKind::tpbft}) {
        const CommitteeRig rig(4, engine);
        std::size_t at = 0;
        for (auto& message : test::every_message(rig)) {
            INFO("engine " << to_string(engine) << ", message " << ++at);
            const auto result = rig.verifier().verify(message, rig.name(0));
            INFO((result ? "" : result.error().message));
            REQUIRE(result);
            CHECK(test::same(**result, message));
        }
    }
}

TEST_CASE("a signed message counts for nobody else and only whole") {
    for (const auto engine : {EngineKind::pbft, EngineKind::probft}) {
        const CommitteeRig rig(4, engine);
        std::size_t at = 0;
        for (const auto& good : test::signed_messages(rig)) {
            INFO("engine " << to_string(engine) << ", message " << ++at);
            auto other_sender = good;
            other_sender.from = rig.name(signed_in(other_sender).statement.signer == 0 ? 1 : 0);
            refused(verified(rig, other_sender), "another has signed");
            auto stranger = good;
            stranger.from = "stranger/1";
            refused(verified(rig, stranger), "another has signed");
            // Each field of the statement, and the signature.
            const std::function<void(Signed&)> changes[] = {
                [](Signed& s) { s.signature[5] ^= 1; },
                [](Signed& s) { s.statement.view += 1; },
                [](Signed& s) { s.statement.slot += 1; },
                [](Signed& s) { s.statement.digest.bytes[0] ^= 1; },
                [](Signed& s) { s.statement.annex.bytes[0] ^= 1; },
                [](Signed& s) { s.statement.engine = EngineKind::tpbft; },
                [](Signed& s) {
                    s.statement.kind = s.statement.kind == Kind::wish ? Kind::checkpoint : Kind::wish;
                },
                [](Signed& s) { s.statement.kind = Kind::command; }};
            for (const auto& change : changes) {
                auto bad = good;
                change(signed_in(bad));
                CHECK_FALSE(verified(rig, bad));
            }
            auto other_member = good;
            signed_in(other_member).statement.signer ^= 1;
            other_member.from = rig.name(signed_in(other_member).statement.signer);
            refused(verified(rig, other_member), "signature");
            auto nobody = good;
            signed_in(nobody).statement.signer = 4;
            refused(verified(rig, nobody), "another has signed");
            auto later = good;
            signed_in(later).statement.epoch = 2;
            refused(verified(rig, later), "epoch 2 is not known", Errc::precondition_failed);
        }
    }
}

TEST_CASE("nothing that was signed in another cluster, lane or founding holds") {
    const CommitteeRig rig(4);
    const CommitteeRig cluster(4, EngineKind::pbft, "other");
    const CommitteeRig lane(4, EngineKind::pbft, "test", "metadata");
    CommitteeRig genesis(4);
    genesis.domain.genesis = hash_of("another founding");
    for (const CommitteeRig* foreign : {&cluster, &lane, static_cast<const CommitteeRig*>(&genesis)}) {
        for (const auto& message : test::signed_messages(*foreign))
            CHECK_FALSE(verified(rig, message));
        CHECK_FALSE(rig.verifier().holds(
            foreign->certificate(Kind::commit, hash_of("block"), 1, 0, CommitteeRig::first(3))));
        CHECK_FALSE(rig.verifier().holds(test::sample_evidence(*foreign)));
    }
    // The engine as well: the same members, the same epoch.
    const CommitteeRig tpbft(4, EngineKind::tpbft);
    auto moved = tpbft.certificate(Kind::commit, hash_of("block"), 1, 0, CommitteeRig::first(3));
    refused(rig.verifier().holds(moved), "another engine");
    moved.engine = EngineKind::pbft;
    refused(rig.verifier().holds(moved), "does not hold");
}

TEST_CASE("a body must be what was signed") {
    const CommitteeRig rig(4);
    const auto block = test::block_of(rig.committee, 3, {test::transaction_number(1)});
    const auto other = test::block_of(rig.committee, 3, {test::transaction_number(2)});
    const auto propose = rig.statement(Kind::propose, 1, block->digest(), 3, 1);
    refused(verified(rig, rig.message(propose, Propose{other})), "other than it signed");
    const auto high = rig.statement(Kind::propose, 1, block->digest(), 4, 1);
    refused(verified(rig, rig.message(high, Propose{block})), "other than it signed");
    auto of_epoch = **block;
    of_epoch.epoch = 2;
    const auto foreign = std::make_shared<const SealedBlock>(of_epoch);
    refused(verified(rig,
                     rig.message(rig.statement(Kind::propose, 1, foreign->digest(), 3, 1), Propose{foreign})),
            "other than it signed");
    // A statement of one kind with the body of another.
    refused(verified(rig, rig.message(propose, VoteFor{})), "does not fit");
    refused(verified(rig, rig.message(propose, CheckpointVote{})), "does not fit");
    refused(verified(rig, rig.message(propose, Wish{})), "wish");
    refused(verified(rig, rig.message(propose, ViewChange{})), "does not fit");
    refused(verified(rig, rig.message(propose, NewView{})), "does not fit");
    const auto wish = rig.statement(Kind::wish, 1, {}, 0, 5);
    refused(verified(rig, rig.message(wish, Propose{block})), "other than it signed");
    // Another view change than the signed one.
    const auto change = test::sample_view_change(rig);
    auto shorter = change;
    shorter.prepared.pop_back();
    refused(verified(rig, rig.message(rig.statement(Kind::view_change, 3, digest_of(change), 0, 2), shorter)),
            "signed another view change");
}

TEST_CASE("a certificate is of distinct members in order, each with a vote that holds") {
    const CommitteeRig rig(7);
    const auto good = rig.certificate(Kind::commit, hash_of("block"), 5, 2, CommitteeRig::first(5));
    CHECK(rig.verifier().holds(good));
    const auto bad = [&](const std::function<void(Certificate&)>& change, const std::string& because) {
        auto certificate = good;
        change(certificate);
        refused(rig.verifier().holds(certificate), because);
    };
    bad([](Certificate& c) { c.votes[1] = c.votes[0]; }, "twice");
    bad([](Certificate& c) { c.votes.push_back(c.votes.back()); }, "twice");
    bad([](Certificate& c) { std::swap(c.votes[1], c.votes[2]); }, "out of order");
    bad([](Certificate& c) { c.votes.back().replica = 7; }, "no member");
    bad([](Certificate& c) { c.votes.back().replica = 6; }, "does not hold");
    bad([](Certificate& c) { c.votes[3].signature[0] ^= 1; }, "site-3/1");
    bad([](Certificate& c) { c.digest = hash_of("other"); }, "does not hold");
    bad([](Certificate& c) { c.slot = 6; }, "does not hold");
    bad([](Certificate& c) { c.view = 3; }, "does not hold");
    bad([](Certificate& c) { c.kind = Kind::prepare; }, "does not hold");
    bad([](Certificate& c) { c.kind = Kind::wish; }, "no kind");
    bad([](Certificate& c) { c.recipient = 1; }, "names a recipient");
    bad([](Certificate& c) { c.votes[0].proof.emplace(); }, "VRF proof");
    bad([](Certificate& c) { c.leader_signature.emplace(); }, "leader's signature");
    auto later = good;
    later.epoch = 2;
    refused(rig.verifier().holds(later), "not known", Errc::precondition_failed);
}

TEST_CASE("votes of one epoch make no certificate of another") {
    CommitteeRig rig(4);
    // The same members and keys in a second epoch.
    auto second = rig.committee;
    second.epoch = 2;
    second.first = 65;
    rig.view->committees.emplace(2, second);
    auto certificate = rig.certificate(Kind::commit, hash_of("block"), 70, 0, CommitteeRig::first(3));
    certificate.epoch = 2;
    refused(rig.verifier().holds(certificate), "does not hold");
    refused(rig.verifier().proves(certificate, hash_of("block"), 70), "does not hold");
    // What the first epoch's members sign about a height of the second decides nothing either.
    certificate.epoch = 1;
    CHECK(rig.verifier().holds(certificate));
    refused(rig.verifier().proves(certificate, hash_of("block"), 70), "not of epoch 1");
    certificate = rig.certificate(Kind::commit, hash_of("block"), 64, 0, CommitteeRig::first(3));
    CHECK(rig.verifier().proves(certificate, hash_of("block"), 64));
}

TEST_CASE("the leader's proposal counts as its prepare once") {
    const CommitteeRig rig(4);
    const auto digest = hash_of("block");
    auto certificate = rig.certificate(Kind::prepare, digest, 5, 1, {0, 2, 3});
    certificate.leader_signature = rig.sign(rig.statement(Kind::propose, 1, digest, 5, 1));
    CHECK(rig.verifier().holds(certificate));
    auto twice = rig.certificate(Kind::prepare, digest, 5, 1, {1, 2, 3});
    CHECK(rig.verifier().holds(twice));
    twice.leader_signature = certificate.leader_signature;
    refused(rig.verifier().holds(twice), "twice");
    auto follower = certificate;
    follower.leader_signature = rig.sign(rig.statement(Kind::propose, 2, digest, 5, 1));
    refused(rig.verifier().holds(follower), "leader's signature");
    auto other = certificate;
    other.leader_signature = rig.sign(rig.statement(Kind::propose, 1, hash_of("other"), 5, 1));
    refused(rig.verifier().holds(other), "leader's signature");
}

TEST_CASE("a decision takes a quorum of commits for this block at this height") {
    const CommitteeRig rig(7);
    const auto digest = hash_of("block");
    const auto certificate = rig.certificate(Kind::commit, digest, 5, 2, {1, 2, 3, 5, 6});
    CHECK(rig.verifier().proves(certificate, digest, 5));
    refused(rig.verifier().proves(certificate, hash_of("other"), 5), "something else");
    refused(rig.verifier().proves(certificate, digest, 6), "something else");
    refused(
        rig.verifier().proves(rig.certificate(Kind::commit, digest, 5, 2, CommitteeRig::first(4)), digest, 5),
        "4 votes of 5");
    refused(rig.verifier().proves(rig.certificate(Kind::prepare, digest, 5, 2, CommitteeRig::first(5)),
                                  digest, 5),
            "something else");
    refused(rig.verifier().proves({}, {}, 0), "something else");
}

TEST_CASE("a checkpoint takes a quorum, in every engine") {
    for (const auto engine : {EngineKind::pbft, EngineKind::probft}) {
        const CommitteeRig rig(7, engine);
        const auto state = hash_of("state");
        CHECK(rig.verifier().proves_checkpoint(
            rig.certificate(Kind::checkpoint, state, 64, 0, CommitteeRig::first(5))));
        refused(rig.verifier().proves_checkpoint(
                    rig.certificate(Kind::checkpoint, state, 64, 0, CommitteeRig::first(4))),
                "4 votes of 5");
        refused(rig.verifier().proves_checkpoint(
                    rig.certificate(Kind::commit, state, 64, 0, CommitteeRig::first(5))),
                "something else");
        // A view says nothing about a state; one that was signed all the same is no checkpoint.
        refused(rig.verifier().proves_checkpoint(
                    rig.certificate(Kind::checkpoint, state, 64, 1, CommitteeRig::first(5))),
                "does not hold");
    }
}

TEST_CASE("ProBFT's votes count only for whom they drew") {
    // 20 members: a quorum of 9 = ceil(2 sqrt 20), a sample of 16.
    const CommitteeRig rig(20, EngineKind::probft);
    REQUIRE(sample_sizes(rig.committee).quorum == 9);
    REQUIRE(sample_sizes(rig.committee).sample == 16);
    const auto digest = hash_of("block");
    const ReplicaId me = 3;
    auto drew = who_drew(rig, 5, me);
    const auto missed = who_drew(rig, 5, me, false);
    REQUIRE(drew.size() >= 10);
    REQUIRE_FALSE(missed.empty());

    CHECK(verified(rig, rig.vote(rig.statement(Kind::commit, drew[0], digest, 5)), me));
    const auto unwanted = rig.vote(rig.statement(Kind::commit, missed[0], digest, 5));
    refused(verified(rig, unwanted, me), "did not draw site-3/1");
    // An observer draws nobody's vote.
    const auto observed = rig.verifier().verify(unwanted, "observer/1");
    REQUIRE_FALSE(observed);

    drew.resize(9);
    const auto certificate = rig.certificate(Kind::commit, digest, 5, 0, drew, me);
    CHECK(rig.verifier().proves(certificate, digest, 5));
    auto few = certificate;
    few.votes.pop_back();
    refused(rig.verifier().proves(few, digest, 5), "8 votes of 9");
    auto with_uninvited = drew;
    with_uninvited.back() = missed[0];
    std::sort(with_uninvited.begin(), with_uninvited.end());
    refused(rig.verifier().holds(rig.certificate(Kind::commit, digest, 5, 0, with_uninvited, me)),
            "did not draw the recipient");
    auto for_nobody = certificate;
    for_nobody.recipient = 20;
    refused(rig.verifier().holds(for_nobody), "no member");
    for_nobody.recipient.reset();
    refused(rig.verifier().holds(for_nobody), "lacks its recipient");
    auto without_leader = certificate;
    without_leader.leader_signature.reset();
    refused(rig.verifier().holds(without_leader), "lacks the leader's signature");
    auto without_proof = certificate;
    without_proof.votes[2].proof.reset();
    refused(rig.verifier().holds(without_proof), "lacks a VRF proof");
}

TEST_CASE("ProBFT's votes carry the proof and the proposal that they are about") {
    const CommitteeRig rig(4, EngineKind::probft);
    const auto digest = hash_of("block");
    const auto good = rig.vote(rig.statement(Kind::prepare, 2, digest, 5));
    CHECK(verified(rig, good));
    const auto resigned = [&](const std::function<void(Statement&, VoteFor&)>& change) {
        auto message = good;
        auto& [statement, signature, body] = signed_in(message);
        change(statement, std::get<VoteFor>(body));
        signature = rig.sign(statement);
        return verified(rig, message);
    };
    refused(resigned([](Statement&, VoteFor& v) { v.proof.reset(); }), "lacks its VRF proof");
    refused(resigned([](Statement&, VoteFor& v) { v.leader_signature.reset(); }), "lacks its VRF proof or");
    refused(resigned([&](Statement&, VoteFor& v) {
                v.leader_signature = rig.sign(rig.statement(Kind::propose, 0, hash_of("other"), 5));
            }),
            "the leader did not propose");
    refused(resigned([](Statement& s, VoteFor&) { s.annex.bytes[0] ^= 1; }), "did not draw");
    // The proof of another slot, phase, view or replica, signed for as if it were the one of this vote.
    const auto with_proof_of = [&](const Statement& other) {
        return resigned([&](Statement& s, VoteFor& v) {
            v.proof = rig.prove(other);
            s.annex = proof_digest(*v.proof);
        });
    };
    CHECK(with_proof_of(rig.statement(Kind::prepare, 2, digest, 5)));
    refused(with_proof_of(rig.statement(Kind::prepare, 2, digest, 6)), "did not draw");
    refused(with_proof_of(rig.statement(Kind::commit, 2, digest, 5)), "did not draw");
    refused(with_proof_of(rig.statement(Kind::prepare, 2, digest, 5, 1)), "did not draw");
    refused(with_proof_of(rig.statement(Kind::prepare, 1, digest, 5)), "did not draw");
}

TEST_CASE("what a draw is for is all in its input, and the block is not") {
    const Domain domain{"cluster", "lane", hash_of("genesis")};
    const CommitteeRig rig(4, EngineKind::probft);
    const auto vote = rig.statement(Kind::prepare, 2, hash_of("block"), 5, 1);
    const auto alpha = vrf_alpha(domain, vote);
    auto other = vote;
    other.digest = hash_of("other"); // or a leader could try blocks until the samples suit it
    CHECK(vrf_alpha(domain, other) == alpha);
    const std::function<void(Domain&, Statement&)> changes[] = {
        [](Domain& d, Statement&) { d.cluster = "c"; },
        [](Domain& d, Statement&) { d.lane = "l"; },
        [](Domain& d, Statement&) { d.genesis = {}; },
        [](Domain&, Statement& s) { s.epoch = 2; },
        [](Domain&, Statement& s) { s.slot = 6; },
        [](Domain&, Statement& s) { s.view = 2; },
        [](Domain&, Statement& s) { s.kind = Kind::commit; },
        [](Domain&, Statement& s) { s.signer = 3; }};
    for (const auto& change : changes) {
        auto other_domain = domain;
        auto changed = vote;
        change(other_domain, changed);
        CHECK(vrf_alpha(other_domain, changed) != alpha);
    }
}

TEST_CASE("a view change shows only certificates that hold, of this epoch and of earlier views") {
    const CommitteeRig rig(4);
    const auto result_of = [&](const std::function<void(ViewChange&)>& change) {
        auto body = test::sample_view_change(rig);
        change(body);
        return verified(rig, rig.message(rig.statement(Kind::view_change, 3, digest_of(body), 0, 2), body));
    };
    CHECK(result_of([](ViewChange&) {}));
    CHECK(result_of([](ViewChange& c) { c.prepared.clear(); }));
    CHECK(result_of([](ViewChange& c) { c = {}; }));
    refused(result_of([](ViewChange& c) { c.stable = 63; }), "another slot");
    refused(result_of([](ViewChange& c) { c.stable_proof.votes.pop_back(); }), "2 votes of 3");
    refused(result_of([](ViewChange& c) { c.prepared[0].votes[0].signature[0] ^= 1; }), "does not hold");
    refused(result_of([](ViewChange& c) { std::swap(c.prepared[0], c.prepared[1]); }), "out of order");
    refused(result_of([](ViewChange& c) { c.prepared[1] = c.prepared[0]; }), "out of order");
    refused(result_of([](ViewChange& c) { c.prepared[0].slot = 64; }), "out of order");
    refused(result_of([](ViewChange& c) { c.prepared[2].slot = 64 + kWindow + 1; }), "no window");
    refused(result_of([](ViewChange& c) { c.prepared[0].votes.clear(); }), "belongs elsewhere");
    refused(result_of([](ViewChange& c) { c.prepared[0].epoch = 2; }), "belongs elsewhere");
    refused(result_of([](ViewChange& c) { c.prepared[0].kind = Kind::checkpoint; }), "belongs elsewhere");
    const auto of_view = rig.certificate(Kind::prepare, hash_of("block"), 65, 2, {0, 1, 3});
    refused(result_of([&](ViewChange& c) { c.prepared = {of_view}; }), "belongs elsewhere");
}

TEST_CASE("every field of a view change and of a new view is in its digest") {
    const CommitteeRig rig(4, EngineKind::probft);
    const auto change = test::sample_view_change(rig);
    std::set<Hash256> digests{digest_of(change)};
    const std::function<void(Certificate&)> of_certificate[] = {
        [](Certificate& c) { c.kind = Kind::commit; },
        [](Certificate& c) { c.engine = EngineKind::tpbft; },
        [](Certificate& c) { c.epoch += 1; },
        [](Certificate& c) { c.view += 1; },
        [](Certificate& c) { c.slot += 1; },
        [](Certificate& c) { c.digest.bytes[31] ^= 1; },
        [](Certificate& c) { c.recipient = 3; },
        [](Certificate& c) { c.recipient.reset(); },
        [](Certificate& c) { c.leader_signature->back() ^= 1; },
        [](Certificate& c) { c.leader_signature.reset(); },
        [](Certificate& c) { c.votes.pop_back(); },
        [](Certificate& c) { c.votes[1].replica += 4; },
        [](Certificate& c) { c.votes[1].signature.back() ^= 1; },
        [](Certificate& c) { c.votes[1].proof->back() ^= 1; },
        [](Certificate& c) { c.votes[1].proof.reset(); }};
    for (const auto& alter : of_certificate) {
        auto other = change;
        alter(other.prepared[1]);
        CHECK(digests.insert(digest_of(other)).second);
    }
    const std::function<void(ViewChange&)> of_change[] = {
        [](ViewChange& c) { c.stable += 1; }, [](ViewChange& c) { c.prepared.pop_back(); },
        [](ViewChange& c) { std::swap(c.prepared[0], c.prepared[1]); },
        [](ViewChange& c) { c.stable_proof = {}; }, [](ViewChange& c) { c.stable_proof.votes.pop_back(); }};
    for (const auto& alter : of_change) {
        auto other = change;
        alter(other);
        CHECK(digests.insert(digest_of(other)).second);
    }
    const auto new_view = test::sample_new_view(rig, 2);
    digests = {digest_of(new_view)};
    const std::function<void(NewView&)> of_new_view[] = {
        [](NewView& n) { n.changes.pop_back(); },
        [](NewView& n) { n.changes[0].replica += 4; },
        [](NewView& n) { n.changes[0].change.stable += 1; },
        [](NewView& n) { n.changes[0].signature.back() ^= 1; },
        [](NewView& n) { n.proposals.pop_back(); },
        [](NewView& n) { n.proposals[0].slot += 1; },
        [](NewView& n) { n.proposals[0].digest.bytes[31] ^= 1; },
        [](NewView& n) { n.proposals[0].signature.back() ^= 1; }};
    for (const auto& alter : of_new_view) {
        auto other = new_view;
        alter(other);
        CHECK(digests.insert(digest_of(other)).second);
    }
}

TEST_CASE("a checkpoint signs height, chain, state and committee") {
    const auto a = hash_of("a");
    const auto b = hash_of("b");
    const auto c = hash_of("c");
    std::set<Hash256> digests{checkpoint_digest(64, a, b, c)};
    CHECK(digests.insert(checkpoint_digest(65, a, b, c)).second);
    CHECK(digests.insert(checkpoint_digest(64, b, b, c)).second);
    CHECK(digests.insert(checkpoint_digest(64, a, a, c)).second);
    CHECK(digests.insert(checkpoint_digest(64, a, b, b)).second);
    CHECK(digests.insert(checkpoint_digest(64, b, a, c)).second);
}

TEST_CASE("a new view shows view changes that their replicas signed, and the leader's own proposals") {
    const CommitteeRig rig(4);
    const auto result_of = [&](const std::function<void(NewView&)>& change) {
        auto body = test::sample_new_view(rig, 2);
        change(body);
        return verified(rig, rig.message(rig.statement(Kind::new_view, 2, digest_of(body), 0, 2), body));
    };
    CHECK(result_of([](NewView&) {}));
    refused(result_of([](NewView& n) { n.changes[1] = n.changes[0]; }), "twice");
    refused(result_of([](NewView& n) { std::swap(n.changes[0], n.changes[1]); }), "out of order");
    refused(result_of([](NewView& n) { n.changes[1].signature[0] ^= 1; }), "did not sign");
    refused(result_of([](NewView& n) { n.changes[2].replica = 3; }), "did not sign");
    refused(result_of([](NewView& n) { n.changes[2].replica = 9; }), "did not sign");
    refused(result_of([](NewView& n) { n.changes[1].change.prepared.pop_back(); }), "did not sign");
    refused(result_of([](NewView& n) { n.proposals[1].signature[0] ^= 1; }), "proposes what it did not sign");
    refused(result_of([](NewView& n) { n.proposals[1].digest = {}; }), "proposes what it did not sign");
    refused(result_of([](NewView& n) { n.proposals.erase(n.proposals.begin() + 1); }), "gaps");
    // A view change with a broken certificate, properly signed.
    refused(result_of([&](NewView& n) {
                auto& [replica, change, signature] = n.changes[1];
                change.prepared[0].votes[0].signature[0] ^= 1;
                signature = rig.sign(rig.statement(Kind::view_change, replica, digest_of(change), 0, 2));
            }),
            "does not hold");
    // One of another view.
    refused(result_of([&](NewView& n) {
                auto& [replica, change, signature] = n.changes[1];
                signature = rig.sign(rig.statement(Kind::view_change, replica, digest_of(change), 0, 1));
            }),
            "did not sign");
}

TEST_CASE("evidence is two statements that contradict each other, by one replica") {
    const CommitteeRig rig(4);
    const auto good = test::sample_evidence(rig);
    CHECK(rig.verifier().holds(good));
    const auto against = [&](Statement first, Statement second) {
        return rig.verifier().holds(Evidence{first, rig.sign(first), second, rig.sign(second)});
    };
    refused(against(good.first, good.first), "convicts nobody");
    auto other = good.second;
    other.view = 2;
    refused(against(good.first, other), "convicts nobody");
    other = good.second;
    other.slot = 10;
    refused(against(good.first, other), "convicts nobody");
    other = good.second;
    other.signer = 2;
    refused(against(good.first, other), "convicts nobody");
    other = good.second;
    other.kind = Kind::prepare;
    refused(against(good.first, other), "convicts nobody");
    auto forged = good;
    forged.second_signature = good.first_signature;
    refused(rig.verifier().holds(forged), "not signed by whom it accuses");
    forged = good;
    forged.first_signature[0] ^= 1;
    refused(rig.verifier().holds(forged), "not signed by whom it accuses");
    forged = good;
    forged.first.epoch = forged.second.epoch = 7;
    refused(rig.verifier().holds(forged), "not known", Errc::precondition_failed);
}

TEST_CASE("in a lane of signed commands each carries its submitter's signature") {
    CommitteeRig rig(4);
    rig.view->signed_transactions = true;
    rig.view->key_of_node = [](const NodeName& node) -> std::optional<PublicKey> {
        for (unsigned i = 0; i < 4; ++i) {
            if (node == test::host_number(i)) return test::key_number(i)->public_key();
        }
        return std::nullopt;
    };
    const auto signed_by = [&](unsigned submitter, unsigned signer) {
        auto transaction = test::transaction_number(1);
        transaction.submitter = test::host_number(submitter);
        transaction.signature =
            rig.signers[signer]->sign(signing_bytes(rig.domain, submission_of(transaction)));
        return transaction;
    };
    const auto propose = [&](const Transaction& transaction) {
        const auto block = test::block_of(rig.committee, 3, {transaction});
        return rig.message(rig.statement(Kind::propose, 1, block->digest(), 3, 1), Propose{block});
    };
    const auto forward = [&](const Transaction& transaction) {
        return Message{rig.name(1), Forward{{transaction}, false}};
    };
    const auto content = [&](const Transaction& transaction) {
        return Message{rig.name(1), Content{test::block_of(rig.committee, 3, {transaction})}};
    };
    const auto good = signed_by(2, 2);
    auto changed = good;
    changed.command.payload.push_back('!');
    auto again = good;
    again.command.sequence += 1;
    auto unknown = good;
    unknown.submitter = "site-99";
    for (const auto& wrap :
         std::vector<std::function<Message(const Transaction&)>>{propose, forward, content}) {
        CHECK(verified(rig, wrap(good)));
        refused(verified(rig, wrap(signed_by(2, 3))), "signature of site-2");
        refused(verified(rig, wrap(test::transaction_number(1))), "signature of site-1");
        refused(verified(rig, wrap(changed)), "signature of site-2");
        refused(verified(rig, wrap(again)), "signature of site-2");
        refused(verified(rig, wrap(unknown)), "unknown here");
    }
    rig.view->signed_transactions = false;
    CHECK(verified(rig, forward(test::transaction_number(1))));
}

TEST_CASE("a change of the committee carries its submitter's signature in every lane") {
    CommitteeRig rig(4);
    Transaction change;
    change.command = command_of({1, EngineKind::pbft, {}, test::committee_of(3, EngineKind::pbft).members});
    change.submitter = test::host_number(2);
    const auto proposed = [&] {
        const auto block = test::block_of(rig.committee, 3, {test::transaction_number(1), change});
        return verified(rig,
                        rig.message(rig.statement(Kind::propose, 1, block->digest(), 3, 1), Propose{block}));
    };
    refused(proposed(), "unknown here"); // a view that knows no keys takes none
    rig.view->key_of_node = [](const NodeName& node) -> std::optional<PublicKey> {
        if (node != test::host_number(2)) return std::nullopt;
        return test::key_number(2)->public_key();
    };
    refused(proposed(), "signature of site-2");
    change.signature = rig.signers[1]->sign(signing_bytes(rig.domain, submission_of(change)));
    refused(proposed(), "signature of site-2"); // its leader's word is not enough
    change.signature = rig.signers[2]->sign(signing_bytes(rig.domain, submission_of(change)));
    CHECK(proposed());
}

TEST_CASE("a hello proves what it says that the receiver signed") {
    const CommitteeRig rig(4);
    const auto mine = rig.statement(Kind::prepare, 0, hash_of("block"), 3, 1);
    const auto hello = [&](std::optional<Statement> statement, std::optional<crypto::Signature> signature) {
        Hello body;
        body.epoch = 1;
        body.last_from_you = statement;
        body.last_from_you_signature = signature;
        return Message{rig.name(1), body};
    };
    CHECK(verified(rig, hello(mine, rig.sign(mine)), 0));
    refused(verified(rig, hello(mine, rig.sign(mine)), 2), "signed what I did not");
    refused(verified(rig, hello(mine, {}), 0), "without its proof");
    refused(verified(rig, hello({}, rig.sign(mine)), 0), "without its proof");
    auto forged = mine;
    forged.slot = 99;
    refused(verified(rig, hello(forged, rig.sign(mine)), 0), "signed what I did not");
    // Of an epoch that is not known here, what is left still tells that there is one.
    auto later = mine;
    later.epoch = 5;
    const auto result = rig.verifier().verify(hello(later, rig.sign(later)), rig.name(0));
    REQUIRE(result);
    CHECK_FALSE(std::get<Hello>((*result)->body).last_from_you);
    CHECK(std::get<Hello>((*result)->body).epoch == 1);
}

TEST_CASE("decided blocks and snapshots hold as far as their epochs are known") {
    const CommitteeRig rig(4);
    const auto block = test::block_of(rig.committee, 3);
    auto good = test::decided(rig, block);
    const auto blocks = [&](const DecidedBlock& decided) {
        return verified(rig, {rig.name(1), Blocks{{decided}, 9, 1}});
    };
    CHECK(blocks(good));
    auto few = good;
    few.proof.votes.pop_back();
    refused(blocks(few), "2 votes of 3");
    auto other = good;
    other.block = test::block_of(rig.committee, 3, {test::transaction_number(1)});
    refused(blocks(other), "something else");
    auto later = good;
    later.proof.epoch = 2;
    refused(blocks(later), "another epoch");
    auto header = **good.block;
    header.epoch = 2;
    later.block = std::make_shared<const SealedBlock>(header);
    CHECK(blocks(later)); // follow_chain() judges it

    auto parts = test::told_messages(rig);
    auto& message = parts[8];
    REQUIRE(std::holds_alternative<SnapshotPart>(message.body));
    CHECK(verified(rig, message));
    auto bad = message;
    std::get<SnapshotPart>(bad.body).height = 65;
    refused(verified(rig, bad), "another height");
    bad = message;
    std::get<SnapshotPart>(bad.body).proof.votes.pop_back();
    refused(verified(rig, bad), "2 votes of 3");
    bad = message;
    std::get<SnapshotPart>(bad.body).epochs[0].proof.votes.pop_back();
    refused(verified(rig, bad), "2 votes of 3");
}

TEST_CASE("a chain is followed across two epochs, each block by the committee that decides it") {
    const CommitteeRig rig(4);
    // The second epoch: members 2 to 8.
    const Reconfigure change{1, EngineKind::pbft, {}, test::committee_of(7, EngineKind::pbft, 2).members};
    Transaction transaction;
    transaction.command = command_of(change);
    const auto last = test::block_of(rig.committee, 3, {transaction});
    const auto second = *next_committee(rig.committee, **last);
    std::vector<std::unique_ptr<Signer>> new_signers;
    for (unsigned i = 2; i < 9; ++i)
        new_signers.push_back(make_signer(test::key_number(i)));

    std::vector<DecidedBlock> chain = {
        test::decided(rig, test::block_of(rig.committee, 1, {test::transaction_number(1)})),
        test::decided(rig, test::block_of(rig.committee, 2)),
        test::decided(rig, last),
        decided_by(rig, second, test::block_of(second, 4, {test::transaction_number(2)}), new_signers),
        decided_by(rig, second, test::block_of(second, 5), new_signers),
    };
    const auto follow = [&](std::vector<DecidedBlock> blocks, Committee committee) {
        return follow_chain(*rig.view, *rig.checker, blocks, committee);
    };
    auto committee = rig.committee;
    CHECK(follow_chain(*rig.view, *rig.checker, chain, committee));
    CHECK(committee == second);
    CHECK(committee.first == 4);
    CHECK(follow({chain[3], chain[4]}, second));
    CHECK(follow({}, second));

    // The old members go on as if nothing had changed.
    auto old_epoch = chain;
    old_epoch[3] = test::decided(rig, test::block_of(rig.committee, 4));
    refused(follow(old_epoch, rig.committee), "not of epoch 2");
    // They claim to be the new epoch.
    auto usurped = chain;
    std::vector<std::unique_ptr<Signer>> old_signers;
    for (unsigned i = 0; i < 7; ++i)
        old_signers.push_back(make_signer(test::key_number(i % 4)));
    usurped[3] = decided_by(rig, second, test::block_of(second, 4), old_signers);
    refused(follow(usurped, rig.committee), "does not hold");
    // The new ones decide before their time.
    refused(follow({chain[0], chain[3]}, rig.committee), "after block 1 comes block 4");
    refused(follow({chain[3]}, rig.committee), "not of epoch 1");
    refused(follow({chain[1]}, second), "not of epoch 2");
    auto gap = chain;
    gap.erase(gap.begin() + 1);
    refused(follow(gap, rig.committee), "after block 1 comes block 3");
    auto repeated = chain;
    repeated[1] = repeated[0];
    refused(follow(repeated, rig.committee), "after block 1 comes block 1");
    // Without the block that changed the committee nobody believes the next.
    auto without = chain;
    without[2] = test::decided(rig, test::block_of(rig.committee, 3));
    refused(follow(without, rig.committee), "not of epoch 1");
    auto unproven = chain;
    unproven[4].proof.votes.pop_back();
    refused(follow(unproven, rig.committee), "4 votes of 5");
}

TEST_CASE("what was verified once is not verified again") {
    const CommitteeRig rig(7);
    const auto certificate = rig.certificate(Kind::commit, hash_of("block"), 5, 2, CommitteeRig::first(5));
    CHECK(rig.verifier().holds(certificate));
    const auto before = rig.memo->counters();
    CHECK(before.verified == 5);
    CHECK(rig.verifier().holds(certificate));
    CHECK(rig.memo->counters().verified == 5);
    CHECK(rig.memo->counters().hits == before.hits + 5);
}
