#include "bench/ramp_judge.hpp"

#include "bench/ramp_judge_world.hpp"
#include "protocols/ramp/statistics.hpp"
#include "runtime/release/plan_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace dwcp::bench {

namespace {

constexpr std::uint64_t kRehearsalDayMs = 5'000; // ops/run's
constexpr double kConfidence = 0.99;             // of the bound beside a rate

struct Counts {
    std::size_t good = 0, faulty = 0; ///< Stages of the good canary, and of each fault.
};

struct World {
    std::string name; ///< "" or "/rehearsal"
    StageSettings stage;
    Rules rules;
    Counts runs;
};

World make_world(const ramp::Plan& plan, bool rehearsal, const Counts& runs) {
    World world{.name = "", .stage = {}, .rules = rules_of(plan), .runs = runs};
    if (!rehearsal) return world;
    const ramp::Plan scaled = plan.scaled(kRehearsalDayMs);
    world.name = "/rehearsal";
    world.rules = rules_of(scaled);
    world.stage = {.requests_per_s = 400,
                   .canary_percent = 10,
                   .stage_ms = static_cast<std::int64_t>(scaled.stage_ms(ramp::Stage())),
                   .wait_ms = static_cast<std::int64_t>(scaled.wait_ms()),
                   .look_ms = 500,
                   .scale = static_cast<double>(kRehearsalDayMs) / ramp::kRealDayMs};
    return world;
}

/// Stages 1 to `runs` of a fault, on all cores; the order of the results does not depend on them.
std::vector<StageResult> run_stages(const World& world, const Fault& fault, std::size_t runs) {
    std::vector<StageResult> results(runs);
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < runs; i = next++)
            results[i] = run_stage(world.stage, fault, world.rules, i + 1);
    };
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
        threads.emplace_back(work);
    work();
    threads.clear();
    return results;
}

nlohmann::json conditions_of(const World& world, std::size_t runs) {
    const StageSettings& stage = world.stage;
    return {
        {"runs", runs},
        {"requests_per_s", stage.requests_per_s},
        {"canary_percent", stage.canary_percent},
        {"canary_requests_a_stage",
         stage.requests_per_s * stage.canary_percent / 100 * static_cast<double>(stage.stage_ms) / 1e3},
        {"stage_s", static_cast<double>(stage.stage_ms) / 1e3},
        {"look_s", static_cast<double>(stage.look_ms) / 1e3},
        {"scale", stage.scale},
        {"traffic", "simulated: Poisson with bursts, log-normal with Pareto tail, drift of both releases"}};
}

void add_rate(const RampReport& report, const std::string& name, std::size_t hits, std::size_t runs,
              const nlohmann::json& conditions) {
    const ramp::Proportion share{hits, runs};
    report.add(name, "rate_pct", share.rate() * 100, "%", conditions);
    report.add(name, "rate_below_pct", ramp::rate_interval(share, 0.01, kConfidence).high * 100, "%",
               conditions);
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

void measure_good(const World& world, const RampReport& report) {
    const auto results = run_stages(world, good_canary(), world.runs.good);
    const auto share = [&](auto&& is) {
        return static_cast<std::size_t>(std::ranges::count_if(results, is));
    };
    const std::size_t runs = results.size();
    const auto conditions = conditions_of(world, runs);
    const std::string name = "judge/false-abort" + world.name;
    add_rate(report, name, share([](const StageResult& r) { return r.rolled_back_s.has_value(); }), runs,
             conditions);
    report.add(name, "false_review_pct",
               100.0 * double(share([](const StageResult& r) { return r.reviewed_s.has_value(); })) /
                   double(runs),
               "%", conditions);
    report.add(name, "promoted_pct",
               100.0 * double(share([](const StageResult& r) { return r.promoted; })) / double(runs), "%",
               conditions);
}

/// Caught in time: what a trigger is for begins a review or rolls back, what a gate is for is not promoted.
void measure_faults(const World& world, const RampReport& report) {
    const std::string name = "judge/miss/x2" + world.name;
    std::size_t missed_of_all = 0, stages = 0;
    std::vector<double> detected_s, rolled_back_s;
    for (const Fault& fault : faults_at_twice_the_threshold()) {
        if (world.stage.scale < 1 && !fault.shows_in_rehearsal) continue;
        std::size_t missed = 0;
        std::vector<double> fault_detected_s;
        for (const StageResult& result : run_stages(world, fault, world.runs.faulty)) {
            const auto seen_s = result.reviewed_s ? result.reviewed_s : result.rolled_back_s;
            missed += result.promoted || (fault.is_trigger && world.stage.scale == 1 && !seen_s);
            if (seen_s && fault.is_trigger) fault_detected_s.push_back(*seen_s);
            if (result.rolled_back_s && fault.is_trigger) rolled_back_s.push_back(*result.rolled_back_s);
        }
        auto conditions = conditions_of(world, world.runs.faulty);
        conditions["fault"] = fault.name;
        report.add(name, "rate_pct", 100.0 * double(missed) / double(world.runs.faulty), "%", conditions);
        if (!fault_detected_s.empty())
            report.add(name, "time_to_detect_p50_s", median(fault_detected_s), "s", conditions);
        detected_s.insert(detected_s.end(), fault_detected_s.begin(), fault_detected_s.end());
        missed_of_all += missed;
        stages += world.runs.faulty;
    }
    const auto conditions = conditions_of(world, stages);
    add_rate(report, name, missed_of_all, stages, conditions);
    if (!detected_s.empty()) report.add(name, "time_to_detect_p50_s", median(detected_s), "s", conditions);
    if (!rolled_back_s.empty())
        report.add(name, "time_to_rollback_p50_s", median(rolled_back_s), "s", conditions);
}

} // namespace

void measure_judge(const SuiteSettings& settings, const RampWanted& wanted, const RampReport& report) {
    const auto text = release::read_plan_text("node_configs/rollout.toml");
    const auto plan = text ? release::parse_plan(*text, "node_configs/rollout.toml")
                           : Result<ramp::Plan>(std::unexpected(text.error()));
    if (!plan) throw std::runtime_error(plan.error().render());
    const Counts runs = settings.quick ? Counts{400, 50} : Counts{2'000, 200};
    for (const bool rehearsal : {false, true}) {
        const World world = make_world(*plan, rehearsal, runs);
        if (wanted("judge/false-abort" + world.name)) measure_good(world, report);
        if (wanted("judge/miss/x2" + world.name)) measure_faults(world, report);
    }
}

} // namespace dwcp::bench
