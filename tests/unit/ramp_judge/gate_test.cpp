// Criteria at the real clock: each case is a sentence about an outcome.
#include "tests/unit/ramp_judge/evidence.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace dwcp;
using namespace dwcp::ramp;
using namespace dwcp::ramp::test;

namespace {

constexpr Traffic kStable{.requests = 540'000, .errors = 54}; // 0.01 %
constexpr Traffic kCanary{.requests = 60'000, .errors = 6};

Verdict judged(Check check, double limit, const Evidence& evidence, std::uint64_t samples_min = 100) {
    const Verdict verdict = judge(criterion(check, limit, samples_min), evidence, real_clock());
    UNSCOPED_INFO(to_string(verdict.outcome) << ": " << verdict.reason);
    return verdict;
}

Traffic canary_with(std::uint64_t errors) {
    Traffic canary = kCanary;
    canary.errors = errors;
    return canary;
}

Traffic slower(Traffic traffic, double times) {
    traffic.p50_s *= times;
    return traffic;
}

bool mentions(const Verdict& verdict, const std::string& words) {
    return verdict.reason.find(words) != std::string::npos;
}

} // namespace

TEST_CASE("a canary that fails as rarely as stable, and far below the limit, passes") {
    const Verdict verdict = judged(Check::error_rate, 0.001, evidence(kCanary, kStable));
    CHECK(verdict.outcome == Outcome::pass);
    CHECK(verdict.n_canary == 60'000);
    CHECK(verdict.n_stable == 540'000);
    CHECK(verdict.measured == Approx(0.0001));
    CHECK(verdict.effect == Approx(0).margin(1e-9));
    CHECK(*verdict.low < 0);
    CHECK(*verdict.high > 0);
    CHECK(*verdict.high < real_clock().error_margin);
    CHECK(verdict.unit == "ratio");
    CHECK(verdict.reason ==
          "manager: 6 of 60,000 requests failed, 0.01 %, allowed below 0.1 %; stable 0.01 %, "
          "difference 0 % [-0.013, +0.031] %, allowed +0.05 %");
}

TEST_CASE("an error rate above the limit beyond chance fails, even if the difference is small") {
    CHECK(judged(Check::error_rate, 0.001, evidence(canary_with(150), kStable)).outcome == Outcome::fail);
}

TEST_CASE("an error rate above the limit that may be chance is inconclusive") {
    const Verdict verdict = judged(Check::error_rate, 0.001, evidence(canary_with(65), kStable));
    CHECK(verdict.outcome == Outcome::inconclusive);
    CHECK(mentions(verdict, "above the limit, but that may be chance"));
}

TEST_CASE("a rate below the limit that so few samples cannot show is inconclusive, and says how many would") {
    const Traffic few{.requests = 2'000}, many{.requests = 18'000};
    const Verdict verdict = judged(Check::error_rate, 0.001, evidence(few, many));
    CHECK(verdict.outcome == Outcome::inconclusive);
    CHECK(mentions(verdict,
                   "error rates up to 0.27 % are not excluded, about 5,912 samples at this rate would "
                   "do; not shown to be no worse than stable yet"));
}

TEST_CASE("a canary within the limit but worse than stable beyond chance fails") {
    const Traffic clean{.requests = 5'400'000, .errors = 0}, worse{.requests = 600'000, .errors = 480};
    const Verdict verdict = judged(Check::error_rate, 0.002, evidence(worse, clean));
    CHECK(verdict.outcome == Outcome::fail);
    CHECK(mentions(verdict, "worse than stable beyond chance"));
}

TEST_CASE("fewer samples than asked for are no data, of either release, however good they look") {
    CHECK(judged(Check::error_rate, 0.001, evidence(kCanary, kStable), 60'001).outcome == Outcome::no_data);
    Traffic idle = kStable;
    idle.requests = 99;
    idle.errors = 0;
    CHECK(judged(Check::error_rate, 0.001, evidence(kCanary, idle)).outcome == Outcome::no_data);
    CHECK(judged(Check::latency_p99, 0.2, evidence(kCanary, idle)).outcome == Outcome::no_data);
    CHECK(judged(Check::latency_against_stable, 0.1, evidence(kCanary, idle)).outcome == Outcome::no_data);
    CHECK(judged(Check::error_rate, 0.001, evidence({}, kStable), 0).outcome == Outcome::no_data);
    CHECK(judged(Check::cost, 1, evidence({}, kStable), 0).outcome == Outcome::no_data);
}

TEST_CASE("at 100 percent there is no stable traffic: the absolute limit alone counts") {
    Evidence all = evidence(kCanary, {});
    set_percent(all, 100);
    CHECK(judged(Check::error_rate, 0.001, all).outcome == Outcome::pass);
    CHECK(judged(Check::latency_p99, 0.2, all).outcome == Outcome::pass);
    CHECK(judged(Check::latency_against_stable, 0.1, all).outcome == Outcome::not_applicable);
    CHECK(judged(Check::optimisation, 0.2, all).outcome == Outcome::not_applicable);
}

TEST_CASE("a system without a canary is not applicable, and a cluster that is silent is no data") {
    Evidence without = evidence(kCanary, kStable);
    for (NodeReport& node : without.observation.nodes)
        node.systems["manager"].canary.clear();
    CHECK(judged(Check::error_rate, 0.001, without).outcome == Outcome::not_applicable);
    Criterion of_allocator = criterion(Check::optimisation, 0.2);
    of_allocator.systems = {"allocator"};
    const Verdict verdict = judge(of_allocator, evidence(kCanary, kStable), real_clock());
    CHECK(verdict.outcome == Outcome::not_applicable);
    CHECK(verdict.reason == "allocator has no canary on any node that answered");
    Evidence silent = evidence(kCanary, kStable);
    silent.observation.nodes.clear();
    for (std::uint8_t check = 0; check <= static_cast<std::uint8_t>(kCheckLast); ++check) {
        INFO(to_string(Check{check}));
        CHECK(judged(Check{check}, 0.001, silent).outcome == Outcome::no_data);
    }
}

TEST_CASE("of several systems the worst decides, and is named") {
    Evidence two = evidence(kCanary, kStable);
    two.systems = {"manager", "selector"};
    SystemReport& selector = two.observation.nodes[1].systems["selector"];
    selector.canary = "newest-1";
    selector.total = {work(kStable), work(canary_with(600))};
    const Verdict verdict = judged(Check::error_rate, 0.001, two);
    CHECK(verdict.outcome == Outcome::fail);
    CHECK(verdict.reason.starts_with("selector: "));
}

TEST_CASE("what a shadow canary made of mirrored requests is judged like answered ones") {
    Evidence shadow = evidence({}, kStable);
    shadow.observation.nodes[0].systems["manager"].shadow = work(canary_with(600));
    CHECK(judged(Check::error_rate, 0.001, shadow).outcome == Outcome::fail);
}

TEST_CASE("latencies far below the limit pass, with p50 and p99 each judged by the share that is slower") {
    CHECK(judged(Check::latency_p50, 0.05, evidence(kCanary, kStable)).outcome == Outcome::pass);
    const Verdict verdict = judged(Check::latency_p99, 0.2, evidence(kCanary, kStable));
    CHECK(verdict.outcome == Outcome::pass);
    CHECK(verdict.measured == Approx(0.064).epsilon(0.03));
    CHECK(verdict.unit == "s");
}

TEST_CASE("a canary whose p99 breaks the limit fails") {
    CHECK(judged(Check::latency_p99, 0.05, evidence(slower(kCanary, 1.05), slower(kStable, 0.5))).outcome ==
          Outcome::fail);
}

TEST_CASE("a limit that stable breaks as well is not the canary's doing: people decide") {
    const Verdict verdict = judged(Check::latency_p99, 0.05, evidence(kCanary, kStable));
    CHECK(verdict.outcome == Outcome::inconclusive);
    CHECK(mentions(verdict, "stable breaks the limit as well"));
    Traffic bad_stable = kStable;
    bad_stable.errors = 2'700; // 0.5 % of both releases alike
    CHECK(judged(Check::availability, 0.999, evidence(canary_with(300), bad_stable)).outcome ==
          Outcome::inconclusive);
}

TEST_CASE("a p99 within ten percent of stable passes, twice as much fails, and both say by how much") {
    const Verdict same =
        judged(Check::latency_against_stable, 0.1, evidence(slower(kCanary, 1.025), kStable));
    CHECK(same.outcome == Outcome::pass);
    CHECK(mentions(same, "of stable, +"));
    CHECK(mentions(same, "n = 59,994 and 539,946; allowed +10 %"));
    CHECK(*same.effect == Approx(0.025).margin(0.025));
    const Verdict twice = judged(Check::latency_against_stable, 0.1, evidence(slower(kCanary, 1.2), kStable));
    CHECK(twice.outcome == Outcome::fail);
    CHECK(*twice.low > 0.1);
}

TEST_CASE("a p99 that a few hundred samples cannot tell from stable's is inconclusive") {
    const Traffic few{.requests = 800}, many{.requests = 7'200};
    const Verdict verdict = judged(Check::latency_against_stable, 0.1, evidence(few, many));
    CHECK(verdict.outcome == Outcome::inconclusive);
    CHECK(mentions(verdict, "more samples are needed"));
}

TEST_CASE("a slowdown below the absolute floor is nobody's concern, however large it is in percent") {
    Traffic fast = kStable, canary = kCanary;
    fast.p50_s = 0.0002; // p99 0.64 ms against 0.96 ms
    canary.p50_s = 0.0003;
    CHECK(judged(Check::latency_against_stable, 0.1, evidence(canary, fast)).outcome == Outcome::pass);
}

TEST_CASE("availability counts both releases") {
    CHECK(judged(Check::availability, 0.999, evidence(kCanary, kStable)).outcome == Outcome::pass);
    const Verdict verdict = judged(Check::availability, 0.999, evidence(canary_with(3'000), kStable));
    CHECK(verdict.outcome == Outcome::fail);
    CHECK(verdict.measured == Approx(1 - 3'054 / 600'000.0));
}

TEST_CASE("saved cost, cost and throughput are compared a byte at a time") {
    Traffic cheap = kCanary, dear = kCanary;
    cheap.cost_us_each *= 0.7;
    dear.cost_us_each *= 1.3;
    CHECK(judged(Check::optimisation, 0.2, evidence(cheap, kStable)).outcome == Outcome::pass);
    CHECK(judged(Check::optimisation, 0.2, evidence(cheap, kStable)).measured == Approx(0.3).epsilon(0.01));
    CHECK(judged(Check::optimisation, 0.4, evidence(cheap, kStable)).outcome == Outcome::fail);
    CHECK(judged(Check::optimisation, 0.305, evidence(cheap, kStable)).outcome == Outcome::inconclusive);
    CHECK(judged(Check::cost, 1, evidence(cheap, kStable)).outcome == Outcome::pass);
    CHECK(judged(Check::cost, 1, evidence(dear, kStable)).outcome == Outcome::fail);
    CHECK(judged(Check::throughput, 0.9, evidence(kCanary, kStable)).outcome == Outcome::pass);
    CHECK(judged(Check::throughput, 0.9, evidence(slower(kCanary, 2), kStable)).outcome == Outcome::fail);
}

TEST_CASE("sums of nothing are no data, not a division by zero") {
    Traffic free = kStable, empty = kStable;
    free.cost_us_each = 0;
    empty.bytes_each = 0;
    CHECK(judged(Check::optimisation, 0.2, evidence(kCanary, free)).outcome == Outcome::no_data);
    CHECK(judged(Check::cost, 1, evidence(kCanary, empty)).outcome == Outcome::no_data);
    CHECK(judged(Check::throughput, 0.9, evidence(kCanary, empty)).outcome == Outcome::no_data);
}

TEST_CASE("load is balanced while the busiest node has less than its allowed multiple") {
    Evidence even = evidence({.requests = 1'000}, {.requests = 9'000});
    for (NodeReport& node : even.observation.nodes)
        node.systems["manager"].total[0].requests = 9'000;
    CHECK(judged(Check::load_balance, 2, even).outcome == Outcome::pass);
    even.observation.nodes[1].systems["manager"].total[0].requests = 900'000;
    const Verdict verdict = judged(Check::load_balance, 2, even);
    CHECK(verdict.outcome == Outcome::fail);
    CHECK(mentions(verdict, "site-b took 97.9 % of"));
    even.observation.nodes.resize(1);
    CHECK(judged(Check::load_balance, 2, even).outcome == Outcome::not_applicable);
}

TEST_CASE("finality is the p99 of an engine's canary, and not applicable without one") {
    CHECK(judged(Check::finality, 1, evidence(kCanary, kStable)).outcome == Outcome::not_applicable);
    Evidence lanes = evidence(kCanary, kStable);
    SystemReport& report = lanes.observation.nodes[0].systems["probft"];
    report.canary = "probft-1";
    report.total = {work(kStable), work(kCanary)};
    CHECK(judged(Check::finality, 1, lanes).outcome == Outcome::pass);
}

TEST_CASE("health passes with every check, waits for one that fails, and fails when it goes on failing") {
    Evidence seen = evidence(kCanary, kStable);
    CHECK(judged(Check::health, 0, seen).outcome == Outcome::pass);
    seen.observation.nodes[2].total.checks_failing = 1;
    seen.observation.nodes[2].total.failing = {"store_write"};
    set_history(seen, 10'000, {.checks_failing = 1});
    Verdict verdict = judged(Check::health, 0, seen);
    CHECK(verdict.outcome == Outcome::inconclusive);
    CHECK(mentions(verdict, "1 of 15 checks on 3 nodes fail: store_write"));
    set_history(seen, kPatienceMs, {.checks_failing = 1});
    CHECK(judged(Check::health, 0, seen).outcome == Outcome::fail);
    seen.history[30].checks_failing = 0; // it was well in between
    CHECK(judged(Check::health, 0, seen).outcome == Outcome::inconclusive);
}

TEST_CASE("a silent node and a node without checks are no health") {
    Evidence seen = evidence(kCanary, kStable);
    seen.observation.silent = {"site-d"};
    const Verdict verdict = judged(Check::health, 0, seen);
    CHECK(verdict.outcome == Outcome::no_data);
    CHECK(verdict.reason == "site-d did not answer");
    CHECK(judged(Check::critical_incidents, 0, seen).outcome == Outcome::no_data);
    CHECK(judged(Check::quorum, 0.999, seen).outcome == Outcome::no_data);
    CHECK(judged(Check::monitoring, 0, seen).outcome == Outcome::no_data);
    CHECK(judged(Check::load_balance, 2, seen).outcome == Outcome::no_data);
    CHECK(judged(Check::burn_in, 0, seen).outcome == Outcome::no_data);
    seen = evidence(kCanary, kStable);
    seen.observation.nodes[0].total.checks = 0;
    CHECK(judged(Check::health, 0, seen).outcome == Outcome::no_data);
}

TEST_CASE("critical incidents are counted, and a silent node cannot undo them") {
    Evidence seen = evidence(kCanary, kStable);
    CHECK(judged(Check::critical_incidents, 0, seen).outcome == Outcome::pass);
    seen.observation.nodes[1].total.critical_incidents = 1;
    seen.observation.silent = {"site-d"};
    CHECK(judged(Check::critical_incidents, 0, seen).outcome == Outcome::fail);
    seen.observation.silent.clear();
    CHECK(judged(Check::critical_incidents, 1, seen).outcome == Outcome::pass);
}

TEST_CASE("quorum holds while enough looks found it") {
    Evidence seen = evidence(kCanary, kStable);
    CHECK(judged(Check::quorum, 0.999, seen).outcome == Outcome::pass);
    seen.observation.nodes[0].total.lane_looks_available -= 100;
    CHECK(judged(Check::quorum, 0.999, seen).outcome == Outcome::fail);
    seen.observation.nodes[0].total.lane_looks_available += 95;
    CHECK(judged(Check::quorum, 0.999, seen).outcome == Outcome::inconclusive);
    for (NodeReport& node : seen.observation.nodes)
        node.total.lane_looks = node.total.lane_looks_available = 0;
    CHECK(judged(Check::quorum, 0.999, seen, 0).outcome == Outcome::no_data);
}

TEST_CASE("monitoring is complete when every node exposes what its rules name") {
    Evidence seen = evidence(kCanary, kStable);
    CHECK(judged(Check::monitoring, 0, seen).outcome == Outcome::pass);
    seen.observation.nodes[1].total.metrics_present = 38;
    const Verdict verdict = judged(Check::monitoring, 0, seen);
    CHECK(verdict.outcome == Outcome::inconclusive);
    CHECK(mentions(verdict, "2 of 120 metrics"));
    set_history(seen, kPatienceMs, {.metrics_missing = 2});
    CHECK(judged(Check::monitoring, 0, seen).outcome == Outcome::fail);
    seen.observation.nodes[1].total.metrics_expected = 0;
    CHECK(judged(Check::monitoring, 0, seen).outcome == Outcome::no_data);
}

TEST_CASE("burn-in passes at its end, without any trouble, and not before") {
    Evidence seen = evidence(kCanary, kStable);
    CHECK(judged(Check::burn_in, 0, seen).outcome == Outcome::pass);
    seen.window_complete = false;
    CHECK(judged(Check::burn_in, 0, seen).outcome == Outcome::inconclusive);
    seen.troubles = 1;
    CHECK(judged(Check::burn_in, 0, seen).outcome == Outcome::fail);
}

TEST_CASE("an attestation counts until it expires, and only for its subject") {
    Evidence seen = evidence(kCanary, kStable);
    Criterion runbooks = criterion(Check::attested, 0);
    runbooks.subject = "runbooks";
    const auto outcome = [&] { return judge(runbooks, seen, real_clock()).outcome; };
    CHECK(outcome() == Outcome::no_data);
    seen.attestations = {{"backups", "ann", "admin", "done", kNow + 1}};
    CHECK(outcome() == Outcome::no_data);
    seen.attestations.push_back({"runbooks", "ann", "admin", "walked through", kNow + 1});
    CHECK(outcome() == Outcome::pass);
    CHECK(judge(runbooks, seen, real_clock()).reason == "ann (admin) vouched for runbooks: walked through");
    seen.now_ms = kNow + 1;
    CHECK(outcome() == Outcome::no_data);
}

TEST_CASE("an exercise passes when it ended well and in time; the latest counts") {
    for (const Check check : {Check::recovery, Check::node_failure, Check::backup_restore}) {
        Evidence seen = evidence(kCanary, kStable);
        CHECK(judged(check, 0, seen).outcome == Outcome::no_data);
        seen.exercises.push_back({.what = check, .done = false, .ok = false, .took_ms = 0, .detail = ""});
        CHECK(judged(check, 0, seen).outcome == Outcome::no_data);
        seen.exercises.push_back({check, true, false, 1'500, "manager/0 stayed away"});
        const Verdict failed = judged(check, 0, seen);
        CHECK(failed.outcome == Outcome::fail);
        CHECK(mentions(failed, "failed after 1.5 s: manager/0 stayed away"));
        seen.exercises.push_back({check, true, true, 1'500, ""});
        CHECK(judged(check, 0, seen).outcome == Outcome::pass);
        CHECK(judged(check, 2, seen).outcome == Outcome::pass);
        CHECK(judged(check, 1, seen).outcome == Outcome::fail);
    }
}

TEST_CASE("Byzantine tolerance is about engines: not applicable until one has a canary") {
    Evidence seen = evidence(kCanary, kStable);
    CHECK(judged(Check::byzantine, 0, seen).outcome == Outcome::not_applicable);
    seen.observation.nodes[0].systems["tpbft"].canary = "tpbft-1";
    CHECK(judged(Check::byzantine, 0, seen).outcome == Outcome::no_data);
    seen.exercises.push_back({Check::byzantine, true, true, 900, "equivocation was proven"});
    CHECK(judged(Check::byzantine, 0, seen).outcome == Outcome::pass);
}

TEST_CASE("a gate passes if all that applies passes, and a gate of which nothing applies does not") {
    const auto gate = [](std::initializer_list<Outcome> outcomes) {
        std::vector<Verdict> verdicts;
        for (const Outcome outcome : outcomes) {
            Verdict verdict;
            verdict.outcome = outcome;
            verdicts.push_back(verdict);
        }
        return overall(verdicts);
    };
    using enum Outcome;
    CHECK(gate({pass, not_applicable, pass}) == pass);
    CHECK(gate({pass, inconclusive}) == inconclusive);
    CHECK(gate({inconclusive, no_data}) == no_data);
    CHECK(gate({no_data, fail, pass}) == fail);
    CHECK(gate({not_applicable}) == no_data);
    CHECK(gate({}) == no_data);
}

TEST_CASE("every criterion of a gate is judged, in order") {
    const std::vector<Criterion> wanted{criterion(Check::health, 0), criterion(Check::error_rate, 0.001)};
    const auto verdicts = judge_gate(wanted, evidence(kCanary, kStable), real_clock());
    REQUIRE(verdicts.size() == 2);
    CHECK(verdicts[0].check == Check::health);
    CHECK(verdicts[1].check == Check::error_rate);
    CHECK(overall(verdicts) == Outcome::pass);
}

TEST_CASE("the same evidence gives the same verdict") {
    const Evidence seen = evidence(slower(kCanary, 1.1), kStable);
    const Verdict first = judged(Check::latency_against_stable, 0.1, seen);
    const Verdict second = judged(Check::latency_against_stable, 0.1, seen);
    CHECK(first.reason == second.reason);
    CHECK(first.high == second.high);
}
