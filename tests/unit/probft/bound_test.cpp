#include "bench/probft_committees.hpp"
#include "protocols/probft/bound.hpp"
#include "tests/unit/probft/rig.hpp"

#include <catch2/catch.hpp>

#include <cmath>

namespace {

using namespace dwcp;
using namespace dwcp::probft;
using consensus::Committee;
using consensus::EngineKind;
using consensus::SampleParameters;
using consensus::SampleSizes;

Bound of(std::size_t n, std::size_t faults, SampleParameters parameters = {}) {
    return bound_of(n, faults, sizes_of(n, faults, parameters));
}

Committee committee_of(std::size_t n, SampleParameters samples = {}) {
    Committee out;
    out.engine = EngineKind::probft;
    out.samples = samples;
    out.members.resize(n);
    return out;
}

} // namespace

TEST_CASE("quorums and samples are those that verifiers compute", "[probft][bound]") {
    for (std::size_t n = 1; n <= 400; n += n < 40 ? 1 : 17)
        for (const SampleParameters parameters :
             {SampleParameters{}, SampleParameters{1000, 1000}, SampleParameters{1234, 1567}}) {
            const auto committee = committee_of(n, parameters);
            const auto mine = sizes_of(n, committee.f(), parameters);
            const auto theirs = consensus::sample_sizes(committee);
            INFO("n = " << n);
            CHECK(mine.quorum == theirs.quorum);
            CHECK(mine.sample == theirs.sample);
        }
}

TEST_CASE("n = 7 is deterministically safe and alive: 5 of everybody", "[probft][bound]") {
    const auto bound = of(7, 2);
    CHECK(bound.sizes.quorum == 5);
    CHECK(bound.sizes.sample == 7);
    CHECK(bound.deterministic);
    CHECK(bound.disagreement() == 0);
    CHECK(bound.in_view == 0);
    CHECK(bound.no_decision == 0);
    CHECK(bound.describe().find("agreement is certain") != std::string::npos);
    for (const std::size_t n : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
        CHECK(check_parameters(committee_of(n)));
}

TEST_CASE("tails of small cases are those counted by hand", "[probft][bound]") {
    // n = 3, one fault, samples of 2, a quorum of 1: p = 2/3. Two correct voters: none reaches a replica in
    // 1/9.
    const auto bound = bound_of(3, 1, {.quorum = 1, .sample = 2});
    CHECK(bound.no_prepare == Approx(1.0 / 9));
    // Quorum 2 of the same: both reach it in 4/9.
    CHECK(bound_of(3, 1, {.quorum = 2, .sample = 2}).no_prepare == Approx(5.0 / 9));
    // Nobody is told apart: each half of one correct and one faulty voter, quorum 1 and everybody in each
    // sample.
    const auto unsafe = bound_of(3, 1, {.quorum = 1, .sample = 3});
    CHECK(unsafe.in_view == Approx(1));
    CHECK(unsafe.in_view_estimate == Approx(1));
}

TEST_CASE("views that are played come out as computed, and as published", "[probft][bound]") {
    // Share of the correct that decide, chance of disagreement unseen (of deciders that prepared), messages
    // of PBFT's: another simulation of the same attack (l = 2, o = 1.7; o = 1.5 once).
    const double published[][3] = {
        {1, 0, 1.07}, {.97, .64, .54}, {.95, .59, .35}, {.62, .0003, .31}, {.99, .73, .17}};
    const auto committees = bench::probft_committees();
    REQUIRE(committees.size() == std::size(published));
    for (std::size_t at = 0; at < committees.size(); ++at) {
        const auto played = bench::play(committees[at], 300, 1);
        const auto& bound = played.bound;
        INFO(bench::conditions(played));
        CHECK(played.deciding == Approx(published[at][0]).margin(.02));
        CHECK(played.disagree_unseen_prepared == Approx(published[at][1]).margin(.1));
        CHECK(played.messages / played.messages_pbft == Approx(published[at][2]).margin(.02));
        CHECK(played.disagree_seen == 0);
        CHECK(1 - bound.no_decision == Approx(played.deciding).margin(.02));
        CHECK(bound.in_view_estimate == Approx(played.disagree_unseen).margin(.12));
        CHECK(bound.in_view >= bound.in_view_estimate);
        CHECK(bound.later >= bound.in_view);
        CHECK(bound.chernoff_no_prepare >= bound.no_prepare);
        CHECK(bound.deterministic == (bound.n == 7));
    }
}

TEST_CASE("parameters that are unsafe or dead are refused, with what would do", "[probft][bound]") {
    const auto unsafe = check_parameters(committee_of(100), kBoundMax, 20);
    REQUIRE_FALSE(unsafe);
    CHECK(unsafe.error().code == Errc::precondition_failed);
    CHECK(unsafe.error().message.find("unsafe") != std::string::npos);
    CHECK(unsafe.error().remedy.find("l = 6700") != std::string::npos);
    // With f = 33 nobody gets 20 votes where 33 are silent.
    const auto dead = check_parameters(committee_of(100, {2000, 1400}));
    REQUIRE_FALSE(dead);
    CHECK(dead.error().message.find("dead") != std::string::npos);
    // What is suggested does, and everybody's committee may be of any size.
    const auto sure = check_parameters(committee_of(100, {6700, 1500}));
    REQUIRE(sure);
    CHECK(sure->deterministic);
    CHECK(sure->no_decision == 0);
}

TEST_CASE("fewer assumed faults make samples safe enough", "[probft][bound]") {
    const auto many = of(400, 80);
    const auto few = of(400, 8, {4000, 1400});
    CHECK(few.disagreement() < many.disagreement());
    const SampleParameters parameters{4000, 1400};
    for (std::size_t faults = 1; faults < 60; ++faults) {
        const auto here = bound_of(400, faults, sizes_of(400, 133, parameters));
        const auto there = bound_of(400, faults + 1, sizes_of(400, 133, parameters));
        CHECK(here.in_view <= there.in_view * (1 + 1e-9));
        CHECK(here.no_prepare <= there.no_prepare * (1 + 1e-9));
    }
}

TEST_CASE("the factory refuses what the bound refuses, unless a simulation asks", "[probft][bound]") {
    probft::test::Committees rig(7, {.samples = {1000, 1700}}); // q = 3, s = 6
    auto options = rig.options(0);
    const auto refused = make_probft(options, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::precondition_failed);
    options.probft_any_parameters = true;
    const auto made = make_probft(options, {});
    REQUIRE(made);
    CHECK((*made)->status().note.find("disagreement") != std::string::npos);
}
