// Criteria about sums: what the canary costs and moves against stable, and how even the load is.
#include "protocols/ramp/counts.hpp"
#include "protocols/ramp/judging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dwcp::ramp {

namespace {

/// A request's share in a sum varies about as much as its size: the coefficient of variation that is assumed,
/// that of a mix of small and large objects.
constexpr double kSpread = 2;

/// canary / stable, and what as few requests leave of it.
struct Ratio {
    double value = 1, low = 0, high = HUGE_VAL;
};

/// Squared deviation / squared mean of the latencies.
double relative_variance(const Sketch& sketch) {
    double n = 0, sum = 0, squares = 0;
    for (const auto& [bucket, times] : sketch.buckets()) {
        const double value = Sketch::value_of(bucket), weight = static_cast<double>(times);
        n += weight;
        sum += weight * value;
        squares += weight * value * value;
    }
    return n > 0 && sum > 0 ? std::max(0.0, squares * n / (sum * sum) - 1) : 0;
}

double total_of(const Sketch& sketch) {
    double sum = 0;
    for (const auto& [bucket, times] : sketch.buckets())
        sum += Sketch::value_of(bucket) * static_cast<double>(times);
    return sum;
}

Ratio ratio_of(double canary, double stable, double variance, double confidence) {
    // Two-sided bound of a sub-Gaussian logarithm; wider than a normal one.
    const double doubt = 1 - std::clamp(confidence, 0.5, 1 - 1e-12);
    const double reach = std::exp(std::sqrt(2 * std::log(2 / doubt) * variance));
    const double value = canary / stable;
    return {value, value / reach, value * reach};
}

struct Sides {
    Work canary, stable;
};

/// nullopt, and the verdict says why, if the two cannot be compared.
std::optional<Sides> sides_of(const Case& of, const System& system, Verdict& verdict) {
    const Observation& seen = of.evidence.observation;
    Sides sides{sum(seen, system, Release::canary, false), sum(seen, system, Release::stable, false)};
    verdict.n_canary = sides.canary.latency.count();
    verdict.n_stable = sides.stable.latency.count();
    if (!serves_stable(seen, system)) {
        verdict.outcome = Outcome::not_applicable;
        verdict.reason = "all traffic is the canary's, there is nothing to compare it with";
        return std::nullopt;
    }
    const std::uint64_t least = std::min(verdict.n_canary, verdict.n_stable);
    if (least < of.samples_min()) {
        verdict.reason =
            fmt::format("{} requests of the canary and {} of stable, {} of each are needed",
                        count(verdict.n_canary), count(verdict.n_stable), count(of.samples_min()));
        return std::nullopt;
    }
    if (sides.canary.bytes == 0 || sides.stable.bytes == 0) {
        verdict.reason = "no payload was counted";
        return std::nullopt;
    }
    return sides;
}

std::optional<Ratio> cost_ratio(const Case& of, const System& system, Verdict& verdict) {
    const auto sides = sides_of(of, system, verdict);
    if (!sides) return std::nullopt;
    if (sides->stable.cost_us == 0 || sides->canary.cost_us == 0) {
        verdict.reason = "no cost was counted";
        return std::nullopt;
    }
    const auto per_byte = [](const Work& work) {
        return static_cast<double>(work.cost_us) / static_cast<double>(work.bytes);
    };
    const double variance =
        kSpread * kSpread *
        (1 / static_cast<double>(verdict.n_canary) + 1 / static_cast<double>(verdict.n_stable));
    return ratio_of(per_byte(sides->canary), per_byte(sides->stable), variance, of.strictness.confidence);
}

void show(Verdict& verdict, const Ratio& ratio) {
    verdict.effect = ratio.value - 1;
    verdict.low = ratio.low - 1;
    verdict.high = ratio.high - 1;
}

void conclude(Verdict& verdict, bool holds, bool broken) {
    verdict.outcome = holds ? Outcome::pass : broken ? Outcome::fail : Outcome::inconclusive;
    if (!holds) verdict.reason += broken ? "; missed beyond chance" : "; missed, but that may be chance";
}

/// A comparison with stable: in a rehearsal it need only not be shown to be worse.
void compare(const Case& of, Verdict& verdict, bool holds, bool broken) {
    if (holds || broken || !of.rehearsal()) return conclude(verdict, holds, broken);
    verdict.outcome = Outcome::pass;
    verdict.reason += "; rehearsal: missed, but so few samples leave it to chance";
}

std::string samples(const Verdict& verdict) {
    return fmt::format("n = {} and {}", count(verdict.n_canary), count(verdict.n_stable));
}

} // namespace

Verdict judge_optimisation(const Case& of, const System& system) {
    Verdict verdict = of.verdict("ratio");
    const auto ratio = cost_ratio(of, system, verdict);
    if (!ratio) return verdict;
    show(verdict, *ratio);
    const double limit = of.criterion.limit;
    verdict.measured = 1 - ratio->value;
    verdict.reason = fmt::format("{} of stable's cost a byte saved {}, {}; more than {} is asked for",
                                 percent(*verdict.measured), percent_range(1 - ratio->high, 1 - ratio->low),
                                 samples(verdict), percent(limit));
    conclude(verdict, *verdict.measured > limit, 1 - ratio->low < limit);
    return verdict;
}

Verdict judge_cost(const Case& of, const System& system) {
    Verdict verdict = of.verdict("ratio");
    const auto ratio = cost_ratio(of, system, verdict);
    if (!ratio) return verdict;
    show(verdict, *ratio);
    const double limit = of.criterion.limit;
    verdict.measured = ratio->value;
    verdict.reason = fmt::format(
        "a byte costs {} of what it costs stable [{}, {}], {}; at most {} is allowed", percent(ratio->value),
        percent(ratio->low), percent(ratio->high), samples(verdict), percent(limit));
    compare(of, verdict, ratio->value <= limit, ratio->low > limit);
    return verdict;
}

Verdict judge_throughput(const Case& of, const System& system) {
    Verdict verdict = of.verdict("ratio");
    const auto sides = sides_of(of, system, verdict);
    if (!sides) return verdict;
    const auto speed = [](const Work& work) {
        return static_cast<double>(work.bytes) / total_of(work.latency);
    };
    const auto variance = [](const Work& work) {
        return (kSpread * kSpread + relative_variance(work.latency)) /
               static_cast<double>(work.latency.count());
    };
    const Ratio ratio = ratio_of(speed(sides->canary), speed(sides->stable),
                                 variance(sides->canary) + variance(sides->stable), of.strictness.confidence);
    show(verdict, ratio);
    const double limit = of.criterion.limit;
    verdict.measured = ratio.value;
    verdict.reason = fmt::format("{} of stable's bytes a second [{}, {}], {}; at least {} is asked for",
                                 percent(ratio.value), percent(ratio.low), percent(ratio.high),
                                 samples(verdict), percent(limit));
    compare(of, verdict, ratio.value >= limit, ratio.high < limit);
    return verdict;
}

Verdict judge_load_balance(const Case& of, const System& system) {
    Verdict verdict = of.verdict("ratio");
    std::uint64_t total = 0, busiest = 0;
    std::size_t nodes = 0;
    std::string busiest_node;
    Work canary = sum(of.evidence.observation, system, Release::canary, false);
    for (const NodeReport& node : of.evidence.observation.nodes) {
        const auto it = node.systems.find(system);
        if (it == node.systems.end()) continue;
        ++nodes;
        Work both = it->second.total[0];
        both.add(it->second.total[1]);
        total = add_counts(total, both.requests);
        if (both.requests >= busiest) busiest_node = node.node;
        busiest = std::max(busiest, both.requests);
    }
    verdict.n_canary = canary.requests;
    verdict.n_stable = total - std::min(total, canary.requests);
    if (!of.evidence.observation.silent.empty()) {
        verdict.reason = fmt::format("{} is silent", of.evidence.observation.silent.front());
        return verdict;
    }
    if (nodes == 1) {
        verdict.outcome = Outcome::not_applicable;
        verdict.reason = "one node alone has nothing to balance";
        return verdict;
    }
    if (total < of.samples_min()) {
        verdict.reason =
            fmt::format("{} requests on all nodes, {} are needed", count(total), count(of.samples_min()));
        return verdict;
    }
    const double fair = 1 / static_cast<double>(nodes), limit = of.criterion.limit;
    const Proportion share{busiest, total};
    verdict.measured = share.rate() / fair;
    verdict.reason =
        fmt::format("{} took {} of {} requests, {:.2f} times its fair share, less than {:.2f} is "
                    "allowed",
                    busiest_node, percent(share.rate()), count(total), *verdict.measured, limit);
    conclude(verdict,
             *verdict.measured<limit, rate_interval(share, fair, of.strictness.confidence).low> limit * fair);
    return verdict;
}

} // namespace dwcp::ramp
