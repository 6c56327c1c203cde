#include "protocols/consensus/message.hpp"
#include "protocols/crypto/hash.hpp"
#include "tests/unit/consensus/committee_rig.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace {

using namespace dwcp;
using namespace dwcp::consensus;

} // namespace

TEST_CASE("the numbers of a committee are safe for every size to a hundred") {
    for (std::size_t n = 1; n <= 100; ++n) {
        INFO("n = " << n);
        Committee committee;
        committee.members.resize(n);
        const auto f = committee.f();
        CHECK(3 * f < n);
        CHECK(n <= 3 * f + 3);
        // Two quorums share an honest replica, and the honest ones alone make a quorum.
        CHECK(2 * committee.quorum() >= n + f + 1);
        CHECK(committee.quorum() <= n - f);
        CHECK(committee.validity() == f + 1);
        CHECK(committee.validity() <= n - f);
        // The same of ProBFT's deterministic quorum, which is the least such number.
        CHECK(2 * committee.deterministic_quorum() >= n + f + 1);
        CHECK(2 * (committee.deterministic_quorum() - 1) < n + f + 1);
        CHECK(committee.deterministic_quorum() <= n - f);
    }
}

TEST_CASE("the quorums of known committees are those of the papers") {
    struct Row {
        std::size_t n, f, quorum, validity, deterministic;
    };
    for (const auto& [n, f, quorum, validity, deterministic] :
         {Row{1, 0, 1, 1, 1}, Row{3, 0, 3, 1, 2}, Row{4, 1, 3, 2, 3}, Row{7, 2, 5, 3, 5}, Row{10, 3, 7, 4, 7},
          Row{50, 16, 34, 17, 34}, Row{100, 33, 67, 34, 67}}) {
        INFO("n = " << n);
        Committee committee;
        committee.members.resize(n);
        CHECK(committee.f() == f);
        CHECK(committee.quorum() == quorum);
        CHECK(committee.validity() == validity);
        CHECK(committee.deterministic_quorum() == deterministic);
    }
}

TEST_CASE("samples of small committees are clamped and those of large ones are ceilings") {
    struct Row {
        std::size_t n;
        std::uint32_t l, o;
        std::size_t quorum, sample;
    };
    for (const auto& [n, l, o, quorum, sample] :
         {Row{1, 2000, 1700, 1, 1}, Row{4, 2000, 1700, 3, 4}, Row{7, 2000, 1700, 5, 7},
          Row{7, 1000, 1700, 3, 6}, Row{50, 2000, 1700, 15, 26}, Row{100, 2000, 1700, 20, 34},
          Row{100, 2000, 1500, 20, 30}, Row{400, 2000, 1700, 40, 68},
          Row{1024, 100'000, 100'000, 683, 1024}}) {
        INFO("n = " << n << ", l = " << l << ", o = " << o);
        Committee committee;
        committee.members.resize(n);
        committee.samples = {l, o};
        CHECK(sample_sizes(committee).quorum == quorum);
        CHECK(sample_sizes(committee).sample == sample);
    }
}

TEST_CASE("a committee that cannot be is refused with what is wrong") {
    const auto good = test::committee_of(4, EngineKind::pbft);
    CHECK(check(good));
    const auto refused = [&](auto change, const std::string& because) {
        auto bad = good;
        change(bad);
        const auto result = check(bad);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::invalid_argument);
        CHECK_THAT(result.error().message, Catch::Contains(because));
    };
    refused([](Committee& c) { c.members.clear(); }, "no members");
    refused([](Committee& c) { c.members = test::committee_of(1025, EngineKind::pbft).members; }, "1025");
    refused([](Committee& c) { c.members[2].name = c.members[1].name; }, "twice");
    refused([](Committee& c) { c.members[3].key = {}; }, "no key");
    refused([](Committee& c) { c.epoch = 0; }, "begin at 1");
    refused([](Committee& c) { c.first = 0; }, "begin at 1");
    refused([](Committee& c) { c.engine = static_cast<EngineKind>(9); }, "engine");
    refused([](Committee& c) { c.samples.l_permille = 999; }, "l and o");
    refused([](Committee& c) { c.samples.o_permille = 100'001; }, "l and o");
    const char* const names[] = {"",      "site-a",    "/1",         "site-a/",       "site-a/01", "Site/1",
                                 "a b/1", "site-a/1x", "site-a/1/2", "site-a/123456", "a\nb/1"};
    for (const char* name : names) {
        INFO(name);
        refused([&](Committee& c) { c.members[0].name = name; }, "not a replica's name");
    }
    refused([](Committee& c) { c.members[0].name = std::string(64, 'a') + "/1"; }, "not a replica's name");
}

TEST_CASE("a replica is named after its host and found by its name") {
    CHECK(replica_name("site-a", 3) == "site-a/3");
    CHECK(host_of("site-a/3") == "site-a");
    CHECK(is_replica_name(replica_name(std::string(63, 'a'), 99'999)));
    const auto committee = test::committee_of(4, EngineKind::pbft);
    CHECK(committee.find("site-2/1") == ReplicaId{2});
    CHECK_FALSE(committee.find("site-2/2"));
    CHECK(committee.leader(0) == 0);
    CHECK(committee.leader(7) == 3);
}

TEST_CASE("engines have names and no others") {
    for (const auto kind : {EngineKind::pbft, EngineKind::probft, EngineKind::tpbft, EngineKind::bullshark})
        CHECK(engine_from(to_string(kind)) == kind);
    CHECK_FALSE(engine_from("raft"));
    CHECK_FALSE(engine_from("unknown"));
    CHECK(to_string(static_cast<EngineKind>(0)) == "unknown");
    CHECK(to_string(static_cast<EngineKind>(5)) == "unknown");
}

TEST_CASE("a committee says what it survives, and warns where that is nothing") {
    CHECK(test::committee_of(7, EngineKind::pbft).describe() == "n = 7, survives f = 2 Byzantine, quorum 5");
    CHECK_THAT(test::committee_of(3, EngineKind::pbft).describe(), Catch::Contains("WARNING"));
    CHECK(Committee{}.describe() == "no members");
}

TEST_CASE("every field of a committee is in its digest") {
    const auto good = test::committee_of(4, EngineKind::pbft);
    std::set<Hash256> digests{good.digest()};
    const std::function<void(Committee&)> changes[] = {
        [](Committee& c) { c.epoch = 2; },
        [](Committee& c) { c.first = 2; },
        [](Committee& c) { c.engine = EngineKind::probft; },
        [](Committee& c) { c.samples.l_permille += 1; },
        [](Committee& c) { c.samples.o_permille += 1; },
        [](Committee& c) { c.members.pop_back(); },
        [](Committee& c) { std::swap(c.members[0], c.members[1]); },
        [](Committee& c) { c.members[1].name += "0"; },
        [](Committee& c) { c.members[1].key.bytes[31] ^= 1; }};
    for (const auto& change : changes) {
        auto other = good;
        change(other);
        CHECK(digests.insert(other.digest()).second);
    }
}

TEST_CASE("every field of a statement and of its domain is in what is signed") {
    const Domain domain{"cluster", "lane", test::hash_of("genesis")};
    const Statement statement{.kind = Kind::prepare,
                              .engine = EngineKind::pbft,
                              .epoch = 1,
                              .view = 2,
                              .slot = 3,
                              .signer = 4,
                              .digest = test::hash_of("block"),
                              .annex = {}};
    std::set<Bytes> seen{signing_bytes(domain, statement)};
    const std::function<void(Domain&, Statement&)> changes[] = {
        [](Domain& d, Statement&) { d.cluster = "clusterl"; }, [](Domain& d, Statement&) { d.lane = "ane"; },
        // Where one text ends and the next begins is signed as well.
        [](Domain& d, Statement&) { d.cluster = "clusterl", d.lane = "ane"; },
        [](Domain& d, Statement&) { d.genesis.bytes[0] ^= 1; },
        [](Domain&, Statement& s) { s.kind = Kind::commit; },
        [](Domain&, Statement& s) { s.engine = EngineKind::tpbft; },
        [](Domain&, Statement& s) { s.epoch = 2; }, [](Domain&, Statement& s) { s.epoch = 1ULL << 63; },
        [](Domain&, Statement& s) { s.view = 3; }, [](Domain&, Statement& s) { s.view = 1ULL << 63; },
        [](Domain&, Statement& s) { s.slot = 4; }, [](Domain&, Statement& s) { s.slot = 1ULL << 63; },
        [](Domain&, Statement& s) { s.signer = 5; }, [](Domain&, Statement& s) { s.signer = 0x0400; },
        [](Domain&, Statement& s) { s.digest.bytes[31] ^= 1; },
        [](Domain&, Statement& s) { s.annex.bytes[31] ^= 1; }};
    for (const auto& change : changes) {
        auto other_domain = domain;
        auto other = statement;
        change(other_domain, other);
        CHECK(seen.insert(signing_bytes(other_domain, other)).second);
    }
}

TEST_CASE("what is signed keeps its layout") {
    // Changing it would void every signature on disk and between versions.
    const Statement statement{.kind = Kind::commit,
                              .engine = EngineKind::probft,
                              .epoch = 1,
                              .view = 2,
                              .slot = 3,
                              .signer = 0x0504,
                              .digest = test::hash_of("block"),
                              .annex = {}};
    const auto bytes = signing_bytes({"c", "lane", {}}, statement);
    const std::string zero(64, '0');
    CHECK(to_hex(bytes) == "1a00000000000000" + to_hex(as_bytes("dwcp.consensus.statement.1")) +
                               "010000000000000063" + "04000000000000006c616e65" + zero + "0302" +
                               "0100000000000000" + "0200000000000000" + "0300000000000000" + "0405" +
                               test::hash_of("block").hex() + zero);
}
