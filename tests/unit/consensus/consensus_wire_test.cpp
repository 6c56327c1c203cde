#include "protocols/base/random.hpp"
#include "protocols/wire/consensus.hpp"
#include "tests/unit/consensus/sample_messages.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <functional>

namespace {

using namespace dwcp;
using namespace dwcp::consensus;
using namespace dwcp::wire;
using test::CommitteeRig;

Message from_member(decltype(Message::body) body) { return {"site-1/1", std::move(body)}; }

Errc refusal(const Message& message) {
    const auto decoded = decode_consensus_message(encode(message));
    REQUIRE_FALSE(decoded);
    CHECK_FALSE(decoded.error().message.empty());
    CHECK_FALSE(decoded.error().remedy.empty());
    return decoded.error().code;
}

bool decodes(const Message& message) { return decode_consensus_message(encode(message)).has_value(); }

/// A block of `count` commands that take `bytes` together, or a little less.
Block block_of_bytes(std::size_t count, std::size_t bytes) {
    Block block = Block::empty(1, 1);
    Transaction transaction = test::transaction_number(1);
    transaction.command.payload = {1};
    const auto fixed = transaction.bytes() - 1;
    transaction.command.payload.resize(bytes / count - fixed);
    block.transactions.assign(count, transaction);
    return block;
}

Message proposal_of_block(const Block& block) {
    return from_member(Content{std::make_shared<const SealedBlock>(block)});
}

} // namespace

TEST_CASE("every consensus message survives its encoding, of every engine") {
    for (const auto engine : {EngineKind::pbft, EngineKind::probft, EngineKind::tpbft}) {
        const CommitteeRig rig(4, engine);
        std::size_t kinds = 0;
        for (const auto& message : test::every_message(rig)) {
            INFO("engine " << to_string(engine) << ", message " << ++kinds);
            const auto bytes = encode(message);
            CHECK(bytes.size() <= kConsensusMessageBytes);
            const auto decoded = decode_consensus_message(bytes);
            REQUIRE(decoded);
            CHECK(test::same(*decoded, message));
            CHECK(encode(*decoded) == bytes);
        }
        CHECK(kinds == 18);
    }
}

TEST_CASE("every record of a lane survives its encoding") {
    const CommitteeRig rig(4, EngineKind::probft);
    const auto block = test::block_of(rig.committee, 3, {test::transaction_number(1)});
    auto signed_block = **block;
    signed_block.transactions[0].signature.fill(3);
    CHECK(decode_block(encode(**block)) == **block);
    CHECK(decode_block(encode(signed_block)) == signed_block);
    CHECK(decode_block(encode(Block::empty(2, 7))) == Block::empty(2, 7));
    const auto decided = test::decided(rig, block);
    const auto read = decode_decided_block(encode(decided));
    REQUIRE(read);
    CHECK(test::same({*read}, {decided}));
    CHECK(decode_certificate(encode(decided.proof)) == decided.proof);
    CHECK(decode_certificate(encode(Certificate{})) == Certificate{});
    CHECK(decode_committee(encode(rig.committee)) == rig.committee);
    CHECK(decode_evidence(encode(test::sample_evidence(rig))) == test::sample_evidence(rig));
    const Reconfigure change{3, EngineKind::tpbft, {2500, 1800}, rig.committee.members};
    CHECK(decode_reconfigure(encode(change)) == change);
    CHECK(decode_view_change(encode(test::sample_view_change(rig))) == test::sample_view_change(rig));
    CHECK(decode_new_view(encode(test::sample_new_view(rig, 2))) == test::sample_new_view(rig, 2));
}

TEST_CASE("the largest committee is encoded, and its certificate fits a message") {
    Committee committee;
    committee.first = 2;
    committee.epoch = 3;
    Certificate certificate;
    certificate.kind = Kind::commit;
    certificate.engine = EngineKind::probft;
    for (unsigned i = 0; i < kReplicasMax; ++i) {
        Member member{replica_name(std::string(63, 'a'), i), {}};
        member.key.bytes.fill(1);
        committee.members.push_back(member);
        Vote vote{.replica = static_cast<ReplicaId>(i), .signature = {}, .proof = crypto::VrfProof{}};
        certificate.votes.push_back(vote);
    }
    CHECK(decode_committee(encode(committee)) == committee);
    CHECK(decode_certificate(encode(certificate)) == certificate);
    const auto full = std::make_shared<const SealedBlock>(block_of_bytes(40, kBlockBytesMax));
    const auto message = from_member(Blocks{{{full, certificate}}, 1, 1});
    CHECK(encode(message).size() <= kConsensusMessageBytes);
    CHECK(decodes(message));
    certificate.votes.push_back(certificate.votes.back());
    CHECK(decode_certificate(encode(certificate)).error().code == Errc::corrupted);
    committee.members.push_back({"one-more/1", committee.members[0].key});
    CHECK(decode_committee(encode(committee)).error().code == Errc::corrupted);
}

TEST_CASE("a block is decoded to its limits and not beyond") {
    CHECK(decodes(proposal_of_block(block_of_bytes(40, kBlockBytesMax))));
    CHECK(decodes(proposal_of_block(block_of_bytes(kBlockCommandsMax, kBlockBytesMax))));
    auto too_many = block_of_bytes(kBlockCommandsMax, kBlockBytesMax);
    too_many.transactions.push_back(too_many.transactions.back());
    CHECK(refusal(proposal_of_block(too_many)) == Errc::invalid_argument);
    auto too_large = block_of_bytes(40, kBlockBytesMax);
    too_large.transactions.push_back(too_large.transactions.back());
    CHECK(refusal(proposal_of_block(too_large)) == Errc::invalid_argument);
    CHECK(refusal(from_member(Forward{too_large.transactions, false})) == Errc::invalid_argument);
}

TEST_CASE("commands and names that may not be are refused") {
    const auto with = [](const std::function<void(Block&)>& change) {
        auto block = block_of_bytes(2, 1000);
        change(block);
        return proposal_of_block(block);
    };
    CHECK(decodes(with([](Block&) {})));
    CHECK(decodes(with([](Block& b) { b.transactions[1].command.id = std::string(64, 'i'); })));
    CHECK(decodes(with([](Block& b) { b.transactions[1].command.payload.resize(kCommandBytes); })));
    const std::function<void(Block&)> changes[] = {
        [](Block& b) { b.transactions[1].command.id.clear(); },
        [](Block& b) { b.transactions[1].command.id = std::string(65, 'i'); },
        [](Block& b) { b.transactions[1].command.payload.clear(); },
        [](Block& b) { b.transactions[1].command.payload.resize(kCommandBytes + 1); },
        [](Block& b) { b.transactions[1].submitter = std::string(64, 's'); },
        [](Block& b) { b.transactions[1].submitter = "a\nb"; },
        [](Block& b) { b.proposer = "a b"; },
        [](Block& b) { b.proposer = std::string(64, 'p'); }};
    for (const auto& change : changes)
        CHECK(refusal(with(change)) == Errc::invalid_argument);
    for (const char* name : {"", "site-a", "site-a/", "A/1", "site-a/1\n"}) {
        INFO(name);
        CHECK(refusal({name, FetchBlocks{}}) == Errc::invalid_argument);
    }
}

TEST_CASE("lists longer than the window or a message's share are refused") {
    ViewChange change;
    change.prepared.resize(kWindow);
    CHECK(decode_view_change(encode(change)) == change);
    change.prepared.resize(kWindow + 1);
    CHECK(decode_view_change(encode(change)).error().code == Errc::corrupted);
    NewView new_view;
    new_view.proposals.resize(kWindow);
    CHECK(decode_new_view(encode(new_view)) == new_view);
    new_view.proposals.resize(kWindow + 1);
    CHECK(decode_new_view(encode(new_view)).error().code == Errc::corrupted);
    new_view.proposals.clear();
    new_view.changes.resize(kReplicasMax);
    CHECK(decode_new_view(encode(new_view)) == new_view);
    new_view.changes.resize(kReplicasMax + 1);
    CHECK(decode_new_view(encode(new_view)).error().code == Errc::corrupted);

    SnapshotPart part;
    part.pairs.assign(kSnapshotPairsMax, {"k", {1}});
    CHECK(decodes(from_member(part)));
    part.pairs.push_back({"k", {1}});
    CHECK(refusal(from_member(part)) == Errc::invalid_argument);
    part.pairs = {{std::string(kStateKeyBytesMax, 'k'), Bytes(kStateValueBytesMax, 1)}};
    CHECK(decodes(from_member(part)));
    part.pairs = {{std::string(kStateKeyBytesMax + 1, 'k'), {}}};
    CHECK(refusal(from_member(part)) == Errc::invalid_argument);
    part.pairs = {{"k", Bytes(kStateValueBytesMax + 1, 1)}};
    CHECK(refusal(from_member(part)) == Errc::invalid_argument);
    part.pairs.clear();
    part.after = std::string(kStateKeyBytesMax + 1, 'k');
    CHECK(refusal(from_member(part)) == Errc::invalid_argument);

    Blocks blocks;
    blocks.blocks.assign(kBlocksMax, {std::make_shared<const SealedBlock>(Block::empty(1, 1)), {}});
    CHECK(decodes(from_member(blocks)));
    blocks.blocks.push_back(blocks.blocks.back());
    CHECK(refusal(from_member(blocks)) == Errc::invalid_argument);
}

namespace {

/// A full window of a committee of n, in which each member shows the votes of another quorum for each slot.
NewView full_new_view(std::size_t n, EngineKind engine, std::size_t slots) {
    Committee committee = test::committee_of(n, engine);
    const auto quorum = committee.quorum();
    NewView new_view;
    for (std::size_t id = 0; id < quorum; ++id) {
        SignedViewChange signed_change{static_cast<ReplicaId>(id), {}, {}};
        signed_change.signature.fill(static_cast<Byte>(id));
        for (std::size_t slot = 1; slot <= slots; ++slot) {
            Certificate certificate;
            certificate.engine = engine;
            certificate.epoch = 1;
            certificate.slot = slot;
            certificate.digest.bytes.fill(static_cast<Byte>(slot));
            certificate.leader_signature.emplace();
            if (engine == EngineKind::probft) certificate.recipient = static_cast<ReplicaId>(id);
            std::vector<ReplicaId> voters;
            for (std::size_t i = 0; i < quorum; ++i)
                voters.push_back(static_cast<ReplicaId>((id + slot + i) % n));
            std::sort(voters.begin(), voters.end());
            for (const auto voter : voters) {
                Vote vote{.replica = voter, .signature = {}, .proof = {}};
                vote.signature.fill(static_cast<Byte>(voter ^ slot));
                if (engine == EngineKind::probft) vote.proof.emplace().fill(static_cast<Byte>(voter));
                certificate.votes.push_back(vote);
            }
            signed_change.change.prepared.push_back(std::move(certificate));
        }
        new_view.changes.push_back(std::move(signed_change));
    }
    return new_view;
}

} // namespace

TEST_CASE("a new view of a full window fits a message, since each vote is sent once") {
    for (const auto engine : {EngineKind::pbft, EngineKind::probft}) {
        const auto new_view = full_new_view(50, engine, kWindow);
        const auto bytes = encode(new_view);
        INFO(bytes.size() << " bytes");
        CHECK(bytes.size() <= kConsensusMessageBytes - 65'536); // the rest is the envelope's
        const auto decoded = decode_new_view(bytes);
        REQUIRE(decoded);
        CHECK((*decoded == new_view)); // not printed
        CHECK(digest_of(*decoded) == digest_of(new_view));
    }
    CHECK(encode(full_new_view(100, EngineKind::pbft, kWindow / 2)).size() <=
          kConsensusMessageBytes - 65'536);
}

TEST_CASE("a new view that would grow beyond its limit in memory is refused") {
    const auto refused = decode_new_view(encode(full_new_view(100, EngineKind::pbft, 60)));
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Catch::Contains("too many votes"));
    CHECK(decode_new_view(encode(full_new_view(100, EngineKind::pbft, 58))));
}

TEST_CASE("a new view keeps whatever votes its certificates have, in their order") {
    const CommitteeRig rig(4);
    auto new_view = test::sample_new_view(rig, 2);
    auto& prepared = new_view.changes[0].change.prepared;
    std::swap(prepared[0].votes[0], prepared[0].votes[1]);
    prepared[1].votes.push_back(prepared[1].votes[0]);
    // One replica's vote, signed in more ways than a reader takes for one certificate.
    auto& many = new_view.changes[1].change.prepared[0].votes;
    many.resize(kReplicasMax, many[0]);
    for (std::size_t i = 0; i < many.size(); ++i)
        many[i].signature[0] = static_cast<Byte>(i), many[i].signature[1] = static_cast<Byte>(i >> 8);
    CHECK(decode_new_view(encode(new_view)) == new_view);
}

TEST_CASE("kinds and engines that nobody knows are refused") {
    const CommitteeRig rig(4);
    auto certificate = rig.certificate(Kind::commit, test::hash_of("block"), 1, 0, {0, 1, 2});
    const auto refused = [](const Certificate& bad) {
        const auto decoded = decode_certificate(encode(bad));
        return !decoded && decoded.error().code == Errc::corrupted;
    };
    for (const unsigned kind : {0U, 9U, 255U}) {
        auto bad = certificate;
        bad.kind = static_cast<Kind>(kind);
        CHECK(refused(bad));
    }
    for (const unsigned engine : {0U, 5U, 255U}) {
        auto bad = certificate;
        bad.engine = static_cast<EngineKind>(engine);
        CHECK(refused(bad));
    }
}

TEST_CASE("a message over its limit is refused before it is looked at") {
    const auto decoded = decode_consensus_message(Bytes(kConsensusMessageBytes + 1, 0));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().code == Errc::too_large);
    CHECK(decode_block(Bytes(kConsensusMessageBytes + 8, 0)).error().code == Errc::corrupted);
}

TEST_CASE("a consensus message that is cut short anywhere never decodes to itself and crashes nothing") {
    const CommitteeRig rig(4, EngineKind::probft);
    for (const auto& message : test::every_message(rig)) {
        const auto bytes = encode(message);
        const auto step = bytes.size() > 4096 ? 97U : 1U;
        for (std::size_t cut = 0; cut < bytes.size(); cut += step) {
            const auto decoded = decode_consensus_message(ByteView(bytes).first(cut));
            if (decoded && test::same(*decoded, message)) FAIL("cut at " << cut << " of " << bytes.size());
        }
    }
}

TEST_CASE("random and damaged bytes crash no decoder, and what decodes is stable") {
    Random random(test::seed());
    const CommitteeRig rig(4, EngineKind::probft);
    std::vector<Bytes> corpus;
    for (const auto& message : test::every_message(rig))
        corpus.push_back(encode(message));
    std::size_t decoded_count = 0;
    const auto look = [&](ByteView bytes) {
        if (const auto decoded = decode_consensus_message(bytes)) {
            ++decoded_count;
            const auto again = encode(*decoded);
            if (again.size() > kConsensusMessageBytes) return;
            const auto twice = decode_consensus_message(again);
            REQUIRE(twice);
            REQUIRE(encode(*twice) == again);
        }
        static_cast<void>(decode_block(bytes));
        static_cast<void>(decode_committee(bytes));
        static_cast<void>(decode_new_view(bytes));
    };
    for (int i = 0; i < 2000; ++i) {
        auto bytes = corpus[random.below(corpus.size())];
        for (auto flips = 1 + random.below(4); flips > 0; --flips)
            bytes[random.below(bytes.size())] ^= static_cast<Byte>(1U << random.below(8));
        look(bytes);
        Bytes noise(random.below(300));
        for (auto& byte : noise)
            byte = static_cast<Byte>(random.next());
        look(noise);
    }
    CHECK(decoded_count > 100); // The damage is often in a digest, which any bytes may be.
}
