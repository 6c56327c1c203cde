// Criteria about what was measured of requests: rates and quantiles, absolute and against stable.
#include "protocols/ramp/judging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dwcp::ramp {

namespace {

constexpr std::string_view kErrorRates = "error rates";
constexpr std::string_view kSlowShares = "shares of slower ones";
constexpr std::string_view kNotTheCanary = "stable breaks the limit as well, it is not the canary's doing";

struct Pair {
    Work canary, stable;
    bool compared = false; ///< Stable serves too; at 100 % there is nothing to compare with.
};

Pair pair_of(const Case& of, const System& system) {
    const Observation& seen = of.evidence.observation;
    return {sum(seen, system, Release::canary, false), sum(seen, system, Release::stable, false),
            serves_stable(seen, system)};
}

/// One side of a verdict: what it says, and why.
struct Finding {
    Outcome outcome = Outcome::pass;
    std::string text{};
};

void conclude(Verdict& verdict, const Finding& absolute, const Finding& compared) {
    const auto either = [&](Outcome outcome) {
        return absolute.outcome == outcome || compared.outcome == outcome;
    };
    verdict.outcome = either(Outcome::fail)           ? Outcome::fail
                      : either(Outcome::inconclusive) ? Outcome::inconclusive
                                                      : Outcome::pass;
    for (const Finding* finding : {&absolute, &compared})
        if (!finding->text.empty()) verdict.reason += "; " + finding->text;
}

/// True if there are enough samples; else says so.
bool enough(const Case& of, Verdict& verdict, std::string_view what, bool compared) {
    const std::uint64_t needed = of.samples_min();
    const bool ours = verdict.n_canary >= needed, theirs = !compared || verdict.n_stable >= needed;
    if (ours && theirs) return true;
    verdict.outcome = Outcome::no_data;
    verdict.reason =
        fmt::format("{} {} of the {}, {} are needed", count(ours ? verdict.n_stable : verdict.n_canary), what,
                    ours ? "stable release" : "canary", count(needed));
    return false;
}

/// What a rehearsal's few samples cannot exclude, and what the real clock would ask for.
std::string rehearsal_note(const Case& of, std::string_view rates, Proportion observed, double limit,
                           double high) {
    const auto needed =
        samples_to_show(std::min(observed.rate(), limit / 2), limit, of.strictness.confidence);
    return fmt::format("rehearsal: n = {} excludes only {} above {}, the real clock asks for about {}",
                       count(observed.n), rates, percent(high), count(needed.value_or(0)));
}

/// Is the rate of bad ones below the limit? `rates`: what they are a rate of, in words.
Finding judge_rate(const Case& of, std::string_view rates, Proportion observed, double limit) {
    if (limit <= 0) {
        if (observed.hits == 0) return {};
        return {Outcome::fail, "none is allowed"};
    }
    const Interval interval = rate_interval(observed, limit, of.strictness.confidence);
    if (interval.low > limit) return {Outcome::fail, "the limit is broken beyond chance"};
    if (interval.high <= limit) return {};
    if (of.rehearsal()) {
        // One more than the limit allows decides nothing among so few.
        const bool holds = static_cast<double>(observed.hits) <= limit * static_cast<double>(observed.n) + 1;
        return {holds ? Outcome::pass : Outcome::inconclusive,
                holds ? rehearsal_note(of, rates, observed, limit, interval.high)
                      : "above the limit, but that may be chance"};
    }
    const auto needed = samples_to_show(observed.rate(), limit, of.strictness.confidence);
    return {Outcome::inconclusive,
            needed ? fmt::format("{} up to {} are not excluded, about {} samples at this rate would do",
                                 rates, percent(interval.high), count(*needed))
                   : "above the limit, but that may be chance"};
}

Finding compare_rates(const Case& of, Verdict& verdict, Proportion canary, Proportion stable, double typical,
                      double margin) {
    const Interval interval = difference_interval(canary, stable, typical, of.strictness.confidence);
    verdict.effect = canary.rate() - stable.rate();
    verdict.low = interval.low;
    verdict.high = interval.high;
    verdict.reason += fmt::format("; stable {}, difference {} {}, allowed {}", percent(stable.rate()),
                                  signed_percent(*verdict.effect), percent_range(interval.low, interval.high),
                                  signed_percent(margin));
    if (interval.low > margin) return {Outcome::fail, "worse than stable beyond chance"};
    if (interval.high <= margin || of.rehearsal()) return {};
    return {Outcome::inconclusive, "not shown to be no worse than stable yet"};
}

/// How much slower than stable is allowed: relative, or what nobody would notice.
double allowed_slowdown(const Case& of, double margin, double stable_s) {
    const double floor = std::max(of.strictness.latency_floor_s, 0.0);
    return stable_s > 0 ? std::max(margin, floor / stable_s) : margin;
}

Finding compare_quantiles(const Case& of, Verdict& verdict, const Pair& pair, double q, double margin) {
    const auto interval =
        quantile_ratio(pair.canary.latency, pair.stable.latency, q, of.strictness.confidence);
    if (!interval) return {Outcome::no_data, "nothing to compare"};
    const double stable_s = pair.stable.latency.quantile(q);
    const double allowed = allowed_slowdown(of, margin, stable_s);
    verdict.effect = interval->ratio - 1;
    verdict.low = interval->low - 1;
    if (interval->high) verdict.high = *interval->high - 1;
    verdict.reason +=
        fmt::format(" against {} of stable, {} {}, n = {} and {}; allowed {}", seconds(stable_s),
                    signed_percent(*verdict.effect),
                    verdict.high ? percent_range(*verdict.low, *verdict.high)
                                 : fmt::format("[{}, without end)", signed_percent(*verdict.low)),
                    count(verdict.n_canary), count(verdict.n_stable), signed_percent(allowed));
    if (*verdict.low > allowed) return {Outcome::fail, "slower than stable beyond chance"};
    if (verdict.high && *verdict.high <= allowed) return {};
    if (of.rehearsal())
        return {Outcome::pass, "rehearsal: so few samples cannot show more than that it is not worse beyond "
                               "chance"};
    return {Outcome::inconclusive, "more samples are needed to exclude a slowdown above what is allowed"};
}

/// A limit that stable breaks as well is not the canary's doing: people decide, nothing rolls back. In a
/// rehearsal it only says that this machine is too slow for the limit.
void excuse(const Case& of, Finding& absolute, const Finding& compared, bool stable_breaks_it) {
    if (absolute.outcome == Outcome::pass || compared.outcome == Outcome::fail || !stable_breaks_it) return;
    absolute.outcome = of.rehearsal() ? Outcome::pass : Outcome::inconclusive;
    absolute.text = of.rehearsal() ? "stable is no faster on this machine, so the rehearsal only compares"
                                   : std::string(kNotTheCanary);
}

} // namespace

Verdict judge_error_rate(const Case& of, const System& system) {
    const Pair pair = pair_of(of, system);
    const Proportion canary{pair.canary.errors, pair.canary.requests};
    const Proportion stable{pair.stable.errors, pair.stable.requests};
    Verdict verdict = of.verdict("ratio");
    verdict.n_canary = canary.n;
    verdict.n_stable = stable.n;
    if (canary.n > 0) verdict.measured = canary.rate();
    if (!enough(of, verdict, "requests", pair.compared)) return verdict;
    const double limit = of.criterion.limit;
    verdict.reason =
        fmt::format("{} of {} requests failed, {}, allowed below {}", count(std::min(canary.hits, canary.n)),
                    count(canary.n), percent(canary.rate()), percent(limit));
    Finding absolute = judge_rate(of, kErrorRates, canary, limit), compared;
    if (pair.compared) {
        compared = compare_rates(of, verdict, canary, stable, limit, of.strictness.error_margin);
        const bool both = judge_rate(of, kErrorRates, stable, limit).outcome == Outcome::fail;
        if (both && absolute.outcome == Outcome::fail && compared.outcome != Outcome::fail)
            absolute = {Outcome::inconclusive, std::string(kNotTheCanary)};
    }
    conclude(verdict, absolute, compared);
    return verdict;
}

Verdict judge_availability(const Case& of, const System& system) {
    const Pair pair = pair_of(of, system);
    Work both = pair.canary;
    both.add(pair.stable);
    const Proportion failed{both.errors, both.requests};
    Verdict verdict = of.verdict("share");
    verdict.n_canary = pair.canary.requests;
    verdict.n_stable = pair.stable.requests;
    if (failed.n > 0) verdict.measured = 1 - failed.rate();
    if (failed.n < of.samples_min()) {
        verdict.reason = fmt::format("{} requests of both releases, {} are needed", count(failed.n),
                                     count(of.samples_min()));
        return verdict;
    }
    const double tolerated = 1 - of.criterion.limit;
    verdict.reason =
        fmt::format("{} of {} requests of both releases failed, {} were served, at least {} must be",
                    count(std::min(failed.hits, failed.n)), count(failed.n), percent(*verdict.measured),
                    percent(of.criterion.limit));
    Finding absolute = judge_rate(of, kErrorRates, failed, tolerated);
    const Proportion stable{pair.stable.errors, pair.stable.requests};
    if (absolute.outcome == Outcome::fail && !of.rehearsal() &&
        judge_rate(of, kErrorRates, stable, tolerated).outcome == Outcome::fail)
        absolute = {Outcome::inconclusive, std::string(kNotTheCanary)};
    conclude(verdict, absolute, {});
    return verdict;
}

Verdict judge_latency(const Case& of, const System& system, double q) {
    const Pair pair = pair_of(of, system);
    Verdict verdict = of.verdict("s");
    verdict.n_canary = pair.canary.latency.count();
    verdict.n_stable = pair.stable.latency.count();
    if (verdict.n_canary > 0) verdict.measured = pair.canary.latency.quantile(q);
    if (!enough(of, verdict, "latencies", pair.compared)) return verdict;
    const double limit = of.criterion.limit;
    verdict.reason = fmt::format("p{:g} {} must be below {}, n = {}", q * 100, seconds(*verdict.measured),
                                 seconds(limit), count(verdict.n_canary));
    Finding absolute = judge_rate(of, kSlowShares, slower_than(pair.canary.latency, limit), 1 - q);
    Finding compared;
    if (pair.compared) {
        verdict.reason += ";";
        compared = compare_quantiles(of, verdict, pair, q, of.strictness.latency_margin);
        excuse(of, absolute, compared, slower_than(pair.stable.latency, limit).rate() > 1 - q);
    }
    conclude(verdict, absolute, compared);
    return verdict;
}

Verdict judge_against_stable(const Case& of, const System& system) {
    const Pair pair = pair_of(of, system);
    Verdict verdict = of.verdict("ratio");
    verdict.n_canary = pair.canary.latency.count();
    verdict.n_stable = pair.stable.latency.count();
    if (!pair.compared) {
        verdict.outcome = Outcome::not_applicable;
        verdict.reason = "all traffic is the canary's, there is nothing to compare it with";
        return verdict;
    }
    if (!enough(of, verdict, "latencies", true)) return verdict;
    verdict.reason = fmt::format("p99 {}", seconds(pair.canary.latency.quantile(0.99)));
    const Finding compared = compare_quantiles(of, verdict, pair, 0.99, of.criterion.limit);
    verdict.measured = verdict.effect;
    conclude(verdict, {}, compared);
    return verdict;
}

} // namespace dwcp::ramp
