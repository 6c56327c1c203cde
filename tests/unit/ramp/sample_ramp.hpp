// Records, directives and reports with every field set, and the largest ones.
#pragma once

#include "protocols/ramp/wire.hpp"

namespace dwcp::ramp::testing {

inline Directive sample_directive() {
    return {
        .term = 3,
        .seq = 17,
        .weights = {{.system = "manager", .percent = 12.5, .nodes = {"site-a", "site-b"}, .shadow = false},
                    {.system = "selector", .percent = 100, .nodes = {"site-c"}, .shadow = true}},
        .recent_ms = 60'000,
        .lease_ms = 10'000,
        .promoted = true,
        .kill_switch = true,
        .reason = "because"};
}

inline Verdict sample_verdict(std::size_t text_bytes = 10) {
    return {.criterion = std::string(std::min(text_bytes, kNameBytesMax), 'c'),
            .check = Check::latency_against_stable,
            .outcome = Outcome::inconclusive,
            .limit = 0.1,
            .measured = 0.2,
            .unit = "ratio",
            .n_canary = 1'000,
            .n_stable = 9'000,
            .effect = -0.5,
            .low = {},
            .high = 0.75,
            .reason = std::string(text_bytes, 'r'),
            .overridden = true};
}

inline Record sample_record() {
    Record record;
    record.seq = 42;
    record.term = 3;
    record.at_ms = 1'700'000'000'123;
    record.kind = Record::Kind::rollback_begun;
    record.step = 2;
    record.stage = 1;
    record.node = "site-a";
    record.plan_toml = "name = \"x\"\n";
    record.day_ms = 5'000;
    record.directive = sample_directive();
    record.verdicts = {sample_verdict(), sample_verdict(100)};
    record.alarm = Alarm{.trigger = "error rate > 1 %",
                         .at_once = false,
                         .limit = 0.01,
                         .measured = 0.02,
                         .n = 12,
                         .system = "manager",
                         .reason = "many"};
    record.exercise = ExerciseResult{
        .what = Check::recovery, .done = true, .ok = true, .took_ms = 77, .detail = "came back"};
    record.attestation =
        Attestation{.subject = "runbooks", .by = "op", .role = "admin", .reason = "read", .until_ms = 99};
    record.by = {.name = "op", .role = "admin", .reason = "why"};
    record.reason = "a reason";
    record.on = true;
    return record;
}

/// A report of `systems` systems whose four sketches have all buckets there are.
inline NodeReport large_report(std::size_t systems, std::uint64_t count) {
    NodeReport report;
    report.node = std::string(63, 'n');
    report.incarnation = 7;
    report.seq = 9;
    report.window_ms = 86'400'000;
    Work work{.requests = 1, .errors = 2, .latency = {}, .bytes = 3, .cost_us = 4};
    for (std::int32_t bucket = 0; bucket <= Sketch::kBucketLast; ++bucket)
        work.latency.add(Sketch::value_of(bucket), count);
    for (std::size_t i = 0; i < systems; ++i) {
        SystemReport of;
        of.stable = "one-stream-1";
        of.canary = "multi-stream-1";
        of.canary_percent = 25;
        of.total = of.recent = {work, work};
        of.shadow = {.requests = 11, .errors = 1, .latency = {}, .bytes = 5, .cost_us = 6};
        of.canary_in_flight = 5;
        of.canary_last_ms = 1'700'000'000'000;
        of.forced = "it crashes";
        of.unsettled = "5 requests of the canary are under way";
        report.systems["system-" + std::to_string(i)] = of;
    }
    report.total.lane_looks = 100;
    report.total.failing = {"store", "peer site-b"};
    report.total.resource_use = 0.75;
    report.recent = report.total;
    return report;
}

} // namespace dwcp::ramp::testing
