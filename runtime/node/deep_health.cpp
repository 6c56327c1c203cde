#include "runtime/node/deep_health.hpp"

#include "runtime/base/worker_pool.hpp"

#include <algorithm>
#include <chrono>
#include <variant>

namespace dwcp::node {
namespace {

/// A look and all attempts that it leads to have deadlines that add up to less; beyond, something hangs.
constexpr Duration kStaleAfter = std::chrono::seconds(60);
/// Between two looks at a part that was just begun anew.
constexpr Duration kSettlePoll = std::chrono::milliseconds(100);

TimePoint now() { return std::chrono::steady_clock::now(); }

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

metrics::Counter attempts(const std::string& part, const char* outcome) {
    return metrics::counter("dwcp_recovery_attempts_total",
                            "Attempts to recover a part that failed its deep check, by what came of them.",
                            {{"part", part}, {"outcome", outcome}});
}

metrics::Gauge given_up(const std::string& part) {
    return metrics::gauge("dwcp_recovery_given_up",
                          "1: the part does not work and its recovery was given up, people have to look.",
                          {{"part", part}});
}

metrics::Histogram recovery_duration() {
    return metrics::histogram("dwcp_recovery_duration_seconds",
                              "Time from a recovery's begin until the part worked again or was given up.",
                              metrics::duration_bounds());
}

} // namespace

DeepHealth::DeepHealth(DeepHealthSources sources, EventRing& events, std::uint64_t seed)
    : sources_(std::move(sources)), events_(events), recovery_(sources_.recovery, seed),
      looking_since_(now()) {
    recovery_duration();
    thread_ = std::thread([this] { run(); });
}

DeepHealth::~DeepHealth() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

bool DeepHealth::ending() const {
    const std::lock_guard lock(mutex_);
    return ending_;
}

void DeepHealth::run() {
    name_this_thread("deep-health");
    TimePoint next_look = now();
    while (!ending()) {
        if (now() >= next_look) {
            look();
            next_look = now() + sources_.every();
        }
        perform(recovery_.due(now()));
        publish();
        std::unique_lock lock(mutex_);
        const auto until = std::min(next_look, recovery_.next_due().value_or(next_look));
        wake_.wait_until(lock, until, [this] { return ending_; });
    }
    perform(recovery_.cancel(now()));
}

void DeepHealth::look() {
    const auto begin = now();
    {
        const std::lock_guard lock(mutex_);
        looking_since_ = begin;
    }
    auto found = sources_.look();
    metrics::histogram("dwcp_deep_health_look_duration_seconds",
                       "Time that one deep look at all parts of the node took.", metrics::duration_bounds())
        .observe(seconds_of(now() - begin));
    for (const auto& finding : found) {
        if (!finding.recoverable) continue;
        for (const char* outcome : {"recovered", "failed"})
            attempts(finding.part, outcome); // there from the start, at 0
        if (finding.condition != health::Condition::failed) given_up(finding.part).set(0);
        perform(recovery_.found(finding.part, finding.condition, finding.detail, now()));
    }
    std::erase_if(found, [](const DeepFinding& finding) { return !finding.shown; });
    const std::lock_guard lock(mutex_);
    found_ = std::move(found);
    looked_ = now();
}

void DeepHealth::perform(const std::vector<health::RecoveryAction>& actions) {
    for (const auto& action : actions)
        std::visit([this](const auto& one) { perform_one(one); }, action);
}

void DeepHealth::perform_one(const health::RecoveryBegun& begun) {
    events_.record("recovery_begun", begun.part, {{"reason", begun.reason}});
}

void DeepHealth::perform_one(const health::Attempt& attempt) {
    publish();
    const Result<void> done =
        ending() ? fail(Errc::cancelled, "the node ends") : sources_.recover(attempt.part);
    DeepFinding after{.part = attempt.part, .condition = health::Condition::failed};
    if (done)
        after = settled(attempt.part);
    else
        after.detail = done.error().message;
    const bool failed = after.condition == health::Condition::failed;
    attempts(attempt.part, failed ? "failed" : "recovered").add();
    if (ending()) return; // its recovery is cancelled at once
    perform(recovery_.attempted(attempt.part, after.condition, after.detail, now()));
}

/// Looks again until the part is well, or has had its time.
DeepFinding DeepHealth::settled(const std::string& part) {
    const auto deadline = now() + sources_.settle;
    for (;;) {
        auto finding = sources_.look_at(part);
        std::unique_lock lock(mutex_);
        if (finding.condition == health::Condition::ok || ending_ || now() >= deadline) {
            if (finding.condition == health::Condition::ok) {
                for (auto& known : found_) // what `health` shows need not wait for the next look
                    if (known.part == part) known = finding;
            }
            return finding;
        }
        wake_.wait_for(lock, kSettlePoll, [this] { return ending_; });
    }
}

void DeepHealth::perform_one(const health::RecoveryEnded& ended) {
    const std::string event = ended.end == health::RecoveryEnd::recovered
                                  ? "recovery_ended"
                                  : "recovery_" + std::string(to_string(ended.end));
    events_.record(event, ended.part,
                   {{"outcome", std::string(to_string(ended.end))},
                    {"attempts", std::to_string(ended.attempts)},
                    {"took_ms", std::to_string(std::chrono::duration_cast<milliseconds>(ended.took).count())},
                    {"reason", ended.reason}});
    if (ended.end == health::RecoveryEnd::cancelled) return;
    recovery_duration().observe(seconds_of(ended.took));
    given_up(ended.part).set(ended.end == health::RecoveryEnd::exhausted);
}

void DeepHealth::publish() {
    auto recoveries = recovery_.all();
    const std::lock_guard lock(mutex_);
    recoveries_ = std::move(recoveries);
}

DeepHealth::Report DeepHealth::report() const {
    const std::lock_guard lock(mutex_);
    Report report;
    report.checks = found_;
    const bool looked = looked_ != TimePoint{};
    const auto age = now() - (looked ? looked_ : looking_since_);
    report.age_s = seconds_of(age);
    report.stale = age > kStaleAfter + sources_.every();
    report.recoveries = recoveries_;
    return report;
}

} // namespace dwcp::node
