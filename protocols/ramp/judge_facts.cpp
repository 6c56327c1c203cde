// Criteria about the cluster, about what the ramp did, and about what people vouch for.
#include "protocols/ramp/judging.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::ramp {

namespace {

/// Missing data is never health: no_data, with who is missing.
bool all_answered(const Case& of, Verdict& verdict) {
    const Observation& seen = of.evidence.observation;
    if (!seen.nodes.empty() && seen.silent.empty()) return true;
    verdict.outcome = Outcome::no_data;
    verdict.reason = seen.nodes.empty() ? "no node has reported"
                                        : fmt::format("{} did not answer", fmt::join(seen.silent, ", "));
    return false;
}

/// How long something has been there at every look, in ms; 0 if it was not at the last.
std::int64_t lasted_ms(const Case& of, std::uint64_t Glance::*what) {
    const std::vector<Glance>& history = of.evidence.history;
    if (history.empty() || history.back().*what == 0) return 0;
    const auto good = std::find_if(history.rbegin(), history.rend(),
                                   [what](const Glance& glance) { return glance.*what == 0; });
    return history.back().at_ms - good.base()->at_ms;
}

/// Bad now: it may pass, until it has lasted too long.
void bad_for(const Case& of, Verdict& verdict, std::uint64_t Glance::*what) {
    const std::int64_t ms = lasted_ms(of, what);
    verdict.outcome = ms >= kPatienceMs ? Outcome::fail : Outcome::inconclusive;
    verdict.reason += ms >= kPatienceMs
                          ? fmt::format("; for {} now", span(static_cast<std::uint64_t>(ms)))
                          : fmt::format("; it fails the gate if it lasts {}", span(kPatienceMs));
}

std::string name_of(Check check) {
    switch (check) {
    case Check::recovery:
        return "the restart of a killed actor";
    case Check::byzantine:
        return "the injected Byzantine fault";
    case Check::node_failure:
        return "the loss and return of a node";
    case Check::backup_restore:
        return "backup and restore";
    default:
        return "the exercise";
    }
}

} // namespace

Verdict judge_health(const Case& of) {
    Verdict verdict = of.verdict("count");
    if (!all_answered(of, verdict)) return verdict;
    for (const NodeReport& node : of.evidence.observation.nodes) {
        if (node.total.checks != 0) continue;
        verdict.outcome = Outcome::no_data;
        verdict.reason = node.node + " reports no health check";
        return verdict;
    }
    const Facts facts = facts_of(of.evidence.observation);
    verdict.measured = static_cast<double>(facts.checks_failing);
    verdict.reason = fmt::format("{} of {} checks on {} nodes fail", count(facts.checks_failing),
                                 count(facts.checks), of.evidence.observation.nodes.size());
    if (!facts.failing.empty()) verdict.reason += fmt::format(": {}", fmt::join(facts.failing, ", "));
    if (facts.checks_failing == 0)
        verdict.outcome = Outcome::pass;
    else
        bad_for(of, verdict, &Glance::checks_failing);
    return verdict;
}

Verdict judge_incidents(const Case& of) {
    Verdict verdict = of.verdict("count");
    const Facts facts = facts_of(of.evidence.observation);
    verdict.measured = static_cast<double>(facts.critical_incidents);
    if (*verdict.measured > of.criterion.limit) { // a silent node cannot make it less
        verdict.outcome = Outcome::fail;
    } else if (!all_answered(of, verdict)) {
        return verdict;
    } else {
        verdict.outcome = Outcome::pass;
    }
    verdict.reason =
        fmt::format("{} critical incidents in {}, at most {:g} allowed", count(facts.critical_incidents),
                    span(of.evidence.window_ms), of.criterion.limit);
    return verdict;
}

Verdict judge_quorum(const Case& of) {
    Verdict verdict = of.verdict("share");
    if (!all_answered(of, verdict)) return verdict;
    const Facts facts = facts_of(of.evidence.observation);
    const std::uint64_t with = std::min(facts.lane_looks_available, facts.lane_looks);
    const Proportion without{facts.lane_looks - with, facts.lane_looks};
    if (facts.lane_looks < of.samples_min()) {
        verdict.reason = fmt::format("{} looks at the lanes, {} are needed", count(facts.lane_looks),
                                     count(of.samples_min()));
        return verdict;
    }
    const double limit = of.criterion.limit, tolerated = 1 - limit;
    verdict.measured = 1 - without.rate();
    verdict.reason =
        fmt::format("every lane had its quorum at {} of {} looks, {}; at least {} is asked for", count(with),
                    count(facts.lane_looks), percent(*verdict.measured), percent(limit));
    const Interval lost = rate_interval(without, tolerated, of.strictness.confidence);
    const bool shown = without.hits == 0 || lost.high <= tolerated;
    if (shown || (of.rehearsal() && *verdict.measured >= limit))
        verdict.outcome = Outcome::pass;
    else
        verdict.outcome = lost.low > tolerated ? Outcome::fail : Outcome::inconclusive;
    return verdict;
}

Verdict judge_monitoring(const Case& of) {
    Verdict verdict = of.verdict("share");
    if (!all_answered(of, verdict)) return verdict;
    std::uint64_t missing = 0;
    for (const NodeReport& node : of.evidence.observation.nodes) {
        const Facts& facts = node.total;
        if (facts.metrics_expected == 0) {
            verdict.reason = node.node + " does not say which metrics its rules need";
            return verdict;
        }
        missing += facts.metrics_expected - std::min(facts.metrics_expected, facts.metrics_present);
    }
    const Facts facts = facts_of(of.evidence.observation);
    verdict.measured = 1 - Proportion{missing, facts.metrics_expected}.rate();
    verdict.reason = fmt::format("{} of {} metrics that the rules name are missing", count(missing),
                                 count(facts.metrics_expected));
    if (missing == 0)
        verdict.outcome = Outcome::pass;
    else
        bad_for(of, verdict, &Glance::metrics_missing);
    return verdict;
}

Verdict judge_burn_in(const Case& of) {
    Verdict verdict = of.verdict("count");
    const std::uint64_t incidents = facts_of(of.evidence.observation).critical_incidents;
    verdict.measured = static_cast<double>(of.evidence.troubles + incidents);
    verdict.reason = fmt::format("{} triggers and reviews and {} critical incidents in {}",
                                 count(of.evidence.troubles), count(incidents), span(of.evidence.window_ms));
    if (of.evidence.troubles > 0 || incidents > 0) {
        verdict.outcome = Outcome::fail;
        verdict.reason += ", none is allowed";
    } else if (all_answered(of, verdict)) {
        verdict.outcome = of.evidence.window_complete ? Outcome::pass : Outcome::inconclusive;
        if (!of.evidence.window_complete) verdict.reason += "; the stage still runs";
    }
    return verdict;
}

Verdict judge_attested(const Case& of) {
    Verdict verdict = of.verdict("count");
    const std::string& subject = of.criterion.subject;
    const Attestation* latest = nullptr;
    for (const Attestation& attestation : of.evidence.attestations) {
        if (attestation.subject == subject && (!latest || attestation.until_ms >= latest->until_ms))
            latest = &attestation;
    }
    const bool valid = latest && latest->until_ms > of.evidence.now_ms;
    verdict.outcome = valid ? Outcome::pass : Outcome::no_data;
    verdict.measured = valid ? 1 : 0;
    if (!latest)
        verdict.reason = fmt::format("nobody vouched for {}", subject);
    else
        verdict.reason = fmt::format("{} ({}) vouched for {}: {}{}", latest->by, latest->role, subject,
                                     latest->reason, valid ? "" : "; that has expired");
    return verdict;
}

Verdict judge_exercise(const Case& of) {
    const Check what = of.criterion.check;
    Verdict verdict = of.verdict("s");
    const ExerciseResult* last = nullptr;
    for (const ExerciseResult& result : of.evidence.exercises)
        if (result.what == what) last = &result;
    if (!last || !last->done) {
        verdict.reason = name_of(what) + (last ? " is still going on" : " was not tried yet");
        return verdict;
    }
    const double took_s = static_cast<double>(last->took_ms) / 1e3;
    const bool in_time = of.criterion.limit <= 0 || took_s <= of.criterion.limit;
    verdict.measured = took_s;
    verdict.outcome = last->ok && in_time ? Outcome::pass : Outcome::fail;
    verdict.reason = fmt::format("{} {} after {}{}{}", name_of(what), last->ok ? "succeeded" : "failed",
                                 span(last->took_ms), last->detail.empty() ? "" : ": ", last->detail);
    if (last->ok && !in_time)
        verdict.reason += fmt::format("; within {} is asked for", seconds(of.criterion.limit));
    return verdict;
}

} // namespace dwcp::ramp
