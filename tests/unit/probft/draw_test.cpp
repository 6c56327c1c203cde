#include "protocols/crypto/memo.hpp"
#include "protocols/crypto/sampling.hpp"
#include "protocols/probft/probft.hpp"
#include "tests/unit/consensus/committee_rig.hpp"

#include <catch2/catch.hpp>

#include <deque>

namespace {

using namespace dwcp;
using namespace dwcp::consensus;

/// Four engines with real keys; every message through the real verifier.
struct RealKeys {
    RealKeys() : rig(4, EngineKind::probft) {
        for (ReplicaId id = 0; id < 4; ++id) {
            EngineOptions options;
            options.domain = rig.domain;
            options.committee = rig.committee;
            options.self = id;
            options.signer = rig.signers[id].get();
            engines.push_back(*probft::make_probft(options, {}));
            step(id, EngineStart{});
        }
    }
    void step(ReplicaId id, EngineEvent event) {
        auto effects = engines[id]->step(std::move(event), {});
        for (const auto& message : effects.broadcasts)
            for (ReplicaId to = 0; to < 4; ++to)
                if (to != id) post.emplace_back(to, message);
        for (const auto& [to, message] : effects.sends)
            post.emplace_back(to, message);
        for (auto& decision : effects.decided)
            decided[id] = std::move(decision);
    }
    void run() {
        while (!post.empty()) {
            const auto [to, message] = post.front();
            post.pop_front();
            auto verified = rig.verifier().verify(*message, rig.name(to));
            REQUIRE(verified);
            step(to, EngineReceived{*std::move(verified)});
        }
    }

    test::CommitteeRig rig;
    std::vector<std::unique_ptr<Engine>> engines;
    std::deque<std::pair<ReplicaId, MessageRef>> post;
    std::map<ReplicaId, Decision> decided;
};

} // namespace

TEST_CASE("a committee with real keys and draws decides, and proves it from scratch", "[probft]") {
    RealKeys real;
    Block block;
    block.height = 1;
    block.epoch = 1;
    block.proposer = "site-0";
    const auto sealed = std::make_shared<const SealedBlock>(block);
    real.step(0, ProposeBlock{sealed});
    std::vector<MessageRef> votes;
    while (real.decided.size() < 4 && !real.post.empty()) {
        const auto [to, message] = real.post.front();
        const auto* said = std::get_if<Signed>(&message->body);
        if (said && std::holds_alternative<VoteFor>(said->body)) {
            // A vote whose draw was touched in a single bit is dropped, whoever sends it.
            auto forged = *message;
            auto& vote = std::get<VoteFor>(std::get<Signed>(forged.body).body);
            (*vote.proof)[votes.size() * 7 % vote.proof->size()] ^=
                static_cast<Byte>(1U << (votes.size() % 8));
            CHECK_FALSE(real.rig.verifier().verify(forged, real.rig.name(to)));
            votes.push_back(message);
        }
        real.post.pop_front();
        auto verified = real.rig.verifier().verify(*message, real.rig.name(to));
        REQUIRE(verified);
        real.step(to, EngineReceived{*std::move(verified)});
    }
    CHECK(votes.size() > 12);
    REQUIRE(real.decided.size() == 4);
    for (const auto& [id, decision] : real.decided) {
        CHECK(decision.proof.recipient == id);
        CHECK(real.rig.verifier().proves(decision.proof, sealed->digest(), 1));
        auto moved = decision.proof; // to another's hands: all drew everybody at n = 4, but not without votes
        moved.votes.pop_back();
        moved.votes.pop_back();
        CHECK_FALSE(real.rig.verifier().proves(moved, sealed->digest(), 1));
    }
}

TEST_CASE("key and place of a vote make its sample, to the bit", "[probft]") {
    crypto::initialise();
    crypto::Seed seed{};
    for (std::size_t at = 0; at < seed.size(); ++at)
        seed[at] = static_cast<Byte>(at);
    const auto key = crypto::SigningKey::from_seed(seed);
    const Domain domain{.cluster = "vector", .lane = "control", .genesis = {}};
    const Statement vote{.kind = Kind::prepare,
                         .engine = EngineKind::probft,
                         .epoch = 1,
                         .view = 2,
                         .slot = 3,
                         .signer = 4,
                         .digest = {},
                         .annex = {}};
    const auto alpha = vrf_alpha(domain, vote);
    const auto drawn = crypto::vrf_prove(key, alpha);
    CHECK(crypto::vrf_verify(key.public_key(), alpha, drawn.proof) == drawn.output);
    CHECK(crypto::sha256(alpha).hex() == "3a9a4ff549080a7c4cb3a2a4e1a095fe55b76196e713b3161dbc67660074a9ef");
    CHECK(to_hex(drawn.output).substr(0, 32) == "ccbd83110ba946c849d0a8d7542481a7");
    CHECK(crypto::expand_sample(drawn.output, 100, 8) ==
          std::vector<std::uint16_t>{10, 15, 38, 52, 58, 63, 81, 90});
    // Every part of the place counts, the value voted for does not: nobody draws again for another value.
    auto other = vote;
    other.digest = crypto::sha256(as_bytes("value"));
    CHECK(vrf_alpha(domain, other) == alpha);
    for (const int part : {0, 1, 2, 3, 4}) {
        auto moved = vote;
        if (part == 0) moved.kind = Kind::commit;
        if (part == 1) moved.epoch = 9;
        if (part == 2) moved.view = 9;
        if (part == 3) moved.slot = 9;
        if (part == 4) moved.signer = 9;
        CHECK(vrf_alpha(domain, moved) != alpha);
    }
}
