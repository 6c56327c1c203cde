#include "bench/ramp_judge_world.hpp"

#include "protocols/base/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <numbers>

namespace dwcp::bench {

namespace {

using ramp::Check;
using ramp::Release;
using ramp::Sketch;
using ramp::Trigger;
using ramp::Work;

constexpr const char* kSystem = "manager";
constexpr std::int64_t kBeginMs = 1'800'000'000'000;
constexpr double kP50S = 0.02, kSigma = 0.5;
constexpr double kTailShare = 1 / 200.0, kTailFromS = 0.06, kTailExponent = 2.5;
constexpr double kBurstChance = 0.02, kBurstArrivals = 3, kBurstSlowdown = 1.5, kDrift = 0.2;
constexpr std::int64_t kBurstMs = 30'000;
constexpr double kBytesEach = 1e5, kCostEach = 1e4, kSizeSpread = 1.5;

double exponential(Random& random) { return -std::log(1 - random.unit()); }

double normal(Random& random) {
    return std::sqrt(2 * exponential(random)) * std::cos(2 * std::numbers::pi * random.unit());
}

std::uint64_t poisson(Random& random, double mean) {
    constexpr double kNormalFrom = 200;
    if (mean >= kNormalFrom)
        return static_cast<std::uint64_t>(std::max(0.0, mean + std::sqrt(mean) * normal(random) + 0.5));
    std::uint64_t count = 0;
    for (double at = exponential(random); at < mean; at += exponential(random))
        ++count;
    return count;
}

double draw_latency(Random& random) {
    if (random.unit() < kTailShare) return kTailFromS * std::pow(1 - random.unit(), -1 / kTailExponent);
    return kP50S * std::exp(kSigma * normal(random));
}

/// A quarter of a million latencies, drawn once, as buckets: a sample is one look into it.
const std::vector<std::int32_t>& latency_table() {
    static const std::vector<std::int32_t> table = [] {
        constexpr std::size_t kSize = 1U << 18;
        Random random(1);
        std::vector<std::int32_t> buckets;
        for (std::size_t i = 0; i < kSize; ++i) {
            Sketch one;
            one.add(draw_latency(random));
            buckets.push_back(one.buckets().begin()->first);
        }
        return buckets;
    }();
    return table;
}

double p99_of_table() {
    Sketch all;
    for (const std::int32_t bucket : latency_table())
        all.add(Sketch::value_of(bucket));
    return all.quantile(0.99);
}

Sketch draw_latencies(Random& random, std::uint64_t count, double slower) {
    const double gamma = (1 + Sketch::kRelativeError) / (1 - Sketch::kRelativeError);
    // Between two buckets, so that a drift is smooth.
    const double shift = std::log(slower) / std::log(gamma);
    const auto whole = static_cast<std::int32_t>(std::floor(shift));
    const double rest = shift - std::floor(shift);
    const auto& table = latency_table();
    std::array<std::uint64_t, Sketch::kBucketLast + 1> counts{};
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t word = random.next();
        const bool up = static_cast<double>(word >> 40) * 0x1p-24 < rest;
        const std::int32_t bucket = table[word & (table.size() - 1)] + whole + (up ? 1 : 0);
        ++counts[static_cast<std::size_t>(std::clamp(bucket, 0, Sketch::kBucketLast))];
    }
    std::map<std::int32_t, std::uint64_t> buckets;
    for (std::int32_t i = 0; i <= Sketch::kBucketLast; ++i)
        if (counts[static_cast<std::size_t>(i)] != 0)
            buckets.emplace_hint(buckets.end(), i, counts[static_cast<std::size_t>(i)]);
    return Sketch::from_buckets(std::move(buckets));
}

struct Behaviour {
    double arrivals = 0, error_rate = 0, slower = 1, cost = 1;
};

Work draw_work(Random& random, const Behaviour& behaviour) {
    Work work;
    work.requests = poisson(random, behaviour.arrivals);
    work.errors =
        std::min(work.requests, poisson(random, behaviour.error_rate * static_cast<double>(work.requests)));
    const std::uint64_t good = work.requests - work.errors;
    work.latency = draw_latencies(random, good, behaviour.slower);
    const auto sum = [&](double each) {
        const double n = static_cast<double>(good);
        const double noisy = each * (n + kSizeSpread * std::sqrt(n) * normal(random));
        return static_cast<std::uint64_t>(std::max(0.0, noisy));
    };
    work.bytes = sum(kBytesEach);
    work.cost_us = sum(kCostEach * behaviour.cost);
    return work;
}

/// One stage: the clock, the traffic so far, and what a look shows.
class Stage {
  public:
    Stage(const StageSettings& settings, const Fault& fault, const Rules& rules, std::uint64_t seed)
        : settings_(settings), fault_(fault), rules_(rules), random_(seed) {
        strictness_.scale = settings.scale;
        if (fault.is_trigger)
            fault_ms_ =
                static_cast<std::int64_t>(random_.unit() * static_cast<double>(settings.stage_ms) / 3);
        for (const char* name : {"site-a", "site-b", "site-c"}) {
            ramp::NodeReport node;
            node.node = name;
            node.total.checks = 5;
            node.total.metrics_expected = node.total.metrics_present = 40;
            node.systems[kSystem].stable = "stable-1";
            node.systems[kSystem].canary = "canary-1";
            evidence_.observation.nodes.push_back(std::move(node));
        }
        evidence_.systems = {kSystem};
        for (const Check check :
             {Check::recovery, Check::node_failure, Check::byzantine, Check::backup_restore})
            evidence_.exercises.push_back({check, true, true, 1'000, {}});
        evidence_.attestations.push_back({"runbooks", "ann", "admin", "done", kBeginMs * 2});
    }

    StageResult run() {
        StageResult result;
        std::uint32_t failing_looks = 0;
        const std::int64_t end_ms = settings_.stage_ms + settings_.wait_ms;
        for (now_ms_ = settings_.look_ms; now_ms_ <= end_ms; now_ms_ += settings_.look_ms) {
            advance();
            if (look_at_triggers(result)) return result;
            if (now_ms_ < settings_.stage_ms || result.reviewed_s) continue;
            const auto verdicts = ramp::judge_gate(rules_.gate, evidence_, strictness_);
            const ramp::Outcome outcome = ramp::overall(verdicts);
            if (outcome == ramp::Outcome::pass) {
                result.promoted = true;
                return result;
            }
            failing_looks = outcome == ramp::Outcome::fail ? failing_looks + 1 : 0;
            if (failing_looks < ramp::kFailLooks) continue;
            roll_back(result, reason_of(verdicts));
            return result;
        }
        if (!result.reviewed_s) result.why = reason_of(ramp::judge_gate(rules_.gate, evidence_, strictness_));
        return result; // people decide
    }

  private:
    static std::string reason_of(const std::vector<ramp::Verdict>& verdicts) {
        for (const auto& verdict : verdicts)
            if (verdict.outcome != ramp::Outcome::pass && verdict.outcome != ramp::Outcome::not_applicable)
                return verdict.criterion + ": " + verdict.reason;
        return {};
    }

    double since_fault_s() const { return static_cast<double>(now_ms_ - fault_ms_) / 1e3; }

    void roll_back(StageResult& result, const std::string& why) const {
        result.rolled_back_s = since_fault_s();
        if (!result.reviewed_s) result.why = why;
    }

    bool look_at_triggers(StageResult& result) const {
        for (const ramp::Alarm& alarm : ramp::look(rules_.triggers, evidence_, strictness_)) {
            const std::string why = alarm.trigger + ": " + alarm.reason;
            if (alarm.at_once) {
                roll_back(result, why);
                return true;
            }
            if (result.reviewed_s) continue;
            result.reviewed_s = since_fault_s();
            result.why = why;
        }
        const bool unanswered =
            result.reviewed_s &&
            since_fault_s() >= *result.reviewed_s + static_cast<double>(rules_.review_ms) / 1e3;
        if (unanswered) roll_back(result, {});
        return unanswered;
    }

    void advance() {
        if (now_ms_ > burst_until_ms_ && random_.unit() < kBurstChance) burst_until_ms_ = now_ms_ + kBurstMs;
        const bool burst = now_ms_ <= burst_until_ms_;
        const double turn =
            2 * std::numbers::pi * static_cast<double>(now_ms_) / static_cast<double>(settings_.stage_ms);
        const double slower = (1 + kDrift * std::sin(turn)) * (burst ? kBurstSlowdown : 1);
        const double arrivals = settings_.requests_per_s * static_cast<double>(settings_.look_ms) / 1e3 *
                                (burst ? kBurstArrivals : 1);
        const double share = settings_.canary_percent / 100;
        const Fault now = now_ms_ > fault_ms_ ? fault_ : good_canary();
        std::array<Work, 2> fresh{
            draw_work(random_, {arrivals * (1 - share), now.stable_error_rate, slower, 1}),
            draw_work(random_, {arrivals * share, now.error_rate, slower * now.slower, now.cost})};
        take(std::move(fresh), now);
        take_facts(now);
    }

    /// The first node has the latencies, all three their share of the requests.
    void take(std::array<Work, 2> fresh, const Fault& now) {
        slices_.push_back(fresh);
        const auto kept =
            static_cast<std::size_t>(static_cast<std::int64_t>(rules_.recent_ms) / settings_.look_ms);
        while (slices_.size() > std::max<std::size_t>(kept, 1))
            slices_.pop_front();
        ramp::SystemReport& first = evidence_.observation.nodes[0].systems[kSystem];
        first.canary_percent = settings_.canary_percent;
        first.recent = {};
        for (std::size_t release = 0; release < 2; ++release) {
            total_[release].add(fresh[release]);
            for (const auto& slice : slices_)
                first.recent[release].add(slice[release]);
        }
        first.total = total_;
        const std::uint64_t stable = total_[0].requests + total_[1].requests;
        const auto elsewhere =
            static_cast<std::uint64_t>(static_cast<double>(stable) * (1 - now.busiest_share) / 2);
        for (std::size_t node = 1; node < 3; ++node)
            evidence_.observation.nodes[node].systems[kSystem].total[0].requests =
                std::min(elsewhere, total_[0].requests / 2);
        first.total[0].requests -= 2 * std::min(elsewhere, total_[0].requests / 2);
        if (now.crash_loop) first.forced = "it crash-looped";
    }

    void take_facts(const Fault& now) {
        ramp::Observation& seen = evidence_.observation;
        seen.at_ms = kBeginMs + now_ms_;
        ramp::Facts& facts = seen.nodes[0].total;
        const double share = static_cast<double>(settings_.look_ms) / 300'000;
        facts.consensus_failures += poisson(random_, now.failures_in_5_min * share);
        const auto looks = static_cast<std::uint64_t>(std::max<std::int64_t>(settings_.look_ms / 1'000, 1));
        for (ramp::NodeReport& node : seen.nodes) {
            node.total.lane_looks += looks;
            node.total.lane_looks_available +=
                looks - std::min(looks, poisson(random_, now.lost_quorum * static_cast<double>(looks)));
        }
        facts.resource_use = now.resource_use;
        facts.corruptions = now.corruptions;
        facts.security_breaches = now.breaches;
        facts.critical_incidents = now.incidents;
        facts.checks_failing = now.checks_failing;
        facts.metrics_present = facts.metrics_expected - now.metrics_missing;
        history_.add(seen);
        evidence_.history = history_.glances();
        evidence_.now_ms = seen.at_ms;
        evidence_.window_ms = static_cast<std::uint64_t>(now_ms_);
        evidence_.window_complete = now_ms_ >= settings_.stage_ms;
    }

    const StageSettings settings_;
    const Fault fault_;
    const Rules& rules_;
    Random random_;
    ramp::Strictness strictness_;
    std::int64_t fault_ms_ = 0;
    std::int64_t now_ms_ = 0;
    std::int64_t burst_until_ms_ = 0;
    std::array<Work, 2> total_;
    std::deque<std::array<Work, 2>> slices_;
    ramp::History history_;
    ramp::Evidence evidence_;
};

Fault make(const std::string& name, bool is_trigger, void (*spoil)(Fault&)) {
    Fault fault = good_canary();
    fault.name = name;
    fault.is_trigger = is_trigger;
    spoil(fault);
    return fault;
}

} // namespace

Fault good_canary() { return {}; }

std::vector<Fault> faults_at_twice_the_threshold() {
    static const double p99_s = p99_of_table();
    return {
        make("trigger: error rate 2 %", true,
             [](Fault& f) {
                 f.shows_in_rehearsal = true;
                 f.error_rate = 0.02;
             }),
        make("trigger: p99 1 s", true,
             [](Fault& f) {
                 f.shows_in_rehearsal = true;
                 f.slower = 1.0 / p99_s;
             }),
        make("trigger: 6 consensus failures in 5 min", true, [](Fault& f) { f.failures_in_5_min = 6; }),
        make("trigger: corruption", true,
             [](Fault& f) {
                 f.shows_in_rehearsal = true;
                 f.corruptions = 1;
             }),
        make("trigger: security breach", true,
             [](Fault& f) {
                 f.shows_in_rehearsal = true;
                 f.breaches = 1;
             }),
        make("trigger: crash loop", true,
             [](Fault& f) {
                 f.shows_in_rehearsal = true;
                 f.crash_loop = true;
             }),
        make("review: error rate 1 %", true, [](Fault& f) { f.error_rate = 0.01; }),
        make("review: p99 400 ms", true, [](Fault& f) { f.slower = 0.4 / p99_s; }),
        make("review: resources wholly used", true, [](Fault& f) { f.resource_use = 1; }),
        make("review: 40 % slower than stable", true, [](Fault& f) { f.slower = 1.4; }),
        make("review: 0.2 % of all requests fail", true,
             [](Fault& f) { f.error_rate = f.stable_error_rate = 0.002; }),
        make("gate: error rate 0.2 %", false, [](Fault& f) { f.error_rate = 0.002; }),
        make("gate: p99 stable + 20 %", false, [](Fault& f) { f.slower = 1.2; }),
        make("gate: p50 100 ms", false, [](Fault& f) { f.slower = 0.1 / kP50S; }),
        make("gate: saves 10 % instead of 20 %", false, [](Fault& f) { f.cost = 0.9; }),
        make("gate: a byte costs twice as much", false, [](Fault& f) { f.cost = 2; }),
        make("gate: throughput 80 %", false, [](Fault& f) { f.slower = 1.25; }),
        make("gate: quorum at 99.8 % of looks", false, [](Fault& f) { f.lost_quorum = 0.002; }),
        make("gate: all load on one node", false, [](Fault& f) { f.busiest_share = 1; }),
        make("gate: availability 99.8 %", false,
             [](Fault& f) { f.error_rate = f.stable_error_rate = 0.002; }),
        make("gate: a health check fails", false, [](Fault& f) { f.checks_failing = 1; }),
        make("gate: a critical incident", false, [](Fault& f) { f.incidents = 1; }),
        make("gate: two metrics are missing", false, [](Fault& f) { f.metrics_missing = 2; }),
    };
}

Rules rules_of(const ramp::Plan& plan) {
    Rules rules{plan.triggers, {}, plan.recent_ms, plan.review_ms};
    for (const auto& [name, criteria] : plan.gates) {
        for (ramp::Criterion criterion : criteria) {
            const bool judged = std::ranges::any_of(
                rules.gate, [&](const ramp::Criterion& other) { return other.check == criterion.check; });
            if (judged) continue;
            if (criterion.check == Check::optimisation) criterion.systems.clear();
            rules.gate.push_back(std::move(criterion));
        }
    }
    return rules;
}

StageResult run_stage(const StageSettings& settings, const Fault& fault, const Rules& rules,
                      std::uint64_t seed) {
    return Stage(settings, fault, rules, seed).run();
}

} // namespace dwcp::bench
