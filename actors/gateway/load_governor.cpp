#include "actors/gateway/load_governor.hpp"

#include <fmt/format.h>

#include <chrono>

namespace dwcp::gateway {
namespace {

using health::Level;

/// Evidence comes by the request; looking at all of it more often than this changes nothing.
constexpr Duration kEvaluateEvery = std::chrono::milliseconds(100);
/// An answer that fits a few packets is not stretched by who takes it.
constexpr std::uint64_t kSmallAnswerBytes = 64U << 10;

TimePoint now() { return std::chrono::steady_clock::now(); }

metrics::Counter shed(health::Priority priority, health::Work work) {
    return metrics::counter(
        "dwcp_http_shed_total",
        "Requests refused because the node serves badly, by priority and what they ask.",
        {{"priority", std::string(to_string(priority))}, {"work", std::string(to_string(work))}});
}

void show(Level level) {
    metrics::gauge("dwcp_degradation_level",
                   "How badly clients are served: 0 normal, 1 degraded, 2 severely degraded, 3 emergency.")
        .set(static_cast<double>(level));
}

void show_burn(const char* objective, const char* window, double burn) {
    metrics::gauge(
        "dwcp_error_budget_burn_ratio",
        "How many times faster than allowed the error budget is spent; short: over health.window_s, "
        "long: over 60 times that.",
        {{"objective", objective}, {"window", window}})
        .set(burn);
}

} // namespace

std::optional<health::Served> served_as(const http::Request& request, int status, std::uint64_t answer_bytes,
                                        Duration took, Duration latency) {
    if (request.work == health::Work::none) return std::nullopt;
    const bool cut_by_client = status < 200 || status == 408 || status == 499;
    if (cut_by_client || status == 429 || status == 501) return std::nullopt;
    const bool own_deadline = status == 504 && request.urgency.deadline != health::kNoDeadline;
    if (own_deadline && took < latency) return std::nullopt;
    if (status >= 500) return health::Served::not_at_all;
    const bool measured = request.content_length.value_or(1) == 0 && answer_bytes <= kSmallAnswerBytes;
    return measured && took > latency ? health::Served::slowly : health::Served::well;
}

LoadGovernor::LoadGovernor(GovernorOptions options, EventRing& events)
    : options_(std::move(options)), events_(events), degradation_(options_.objectives()),
      since_ms_(unix_now_ms()) {
    for (const auto priority : health::kPriorities)
        for (const auto work : {health::Work::read, health::Work::write, health::Work::going_on})
            shed(priority, work); // there from the start, at 0
    show(Level::normal);
    hook_ = metrics::on_expose([this] { expose(); });
}

/// With the mutex held.
void LoadGovernor::evaluate(TimePoint at) {
    if (at - evaluated_ < kEvaluateEvery) return;
    evaluated_ = at;
    degradation_.change_objectives(options_.objectives());
    const auto change = degradation_.evaluate(at);
    if (!change) return;
    since_ms_ = unix_now_ms();
    show(change->to);
    events_.record("degradation_changed", options_.node,
                   {{"from", std::string(to_string(change->from))},
                    {"to", std::string(to_string(change->to))},
                    {"reason", change->reason}});
}

Result<void> LoadGovernor::admit(health::Work work, health::Priority priority) {
    const std::lock_guard lock(mutex_);
    evaluate(now());
    const auto level = degradation_.level();
    if (shedding_.admits(level, work, priority)) return {};
    shed(priority, work).add();
    return fail(Errc::unavailable,
                fmt::format("the node is {} and refuses {} requests of priority {}: {}", to_string(level),
                            to_string(work), to_string(priority), degradation_.reason()),
                fmt::format("come again in {} s or ask another node; X-DWCP-Priority says what matters",
                            kShedRetryAfterSeconds));
}

void LoadGovernor::ended(const http::Request& request, int status, std::uint64_t answer_bytes,
                         Duration took) {
    if (options_.draining()) return;
    const std::lock_guard lock(mutex_);
    const auto at = now();
    const auto latency = degradation_.objectives().latency;
    if (const auto served = served_as(request, status, answer_bytes, took, latency))
        degradation_.record(*served, at);
    evaluate(at);
}

Level LoadGovernor::level() {
    const std::lock_guard lock(mutex_);
    evaluate(now());
    return degradation_.level();
}

nlohmann::json LoadGovernor::view() {
    const std::lock_guard lock(mutex_);
    const auto at = now();
    evaluate(at);
    const auto counts = degradation_.counts(at);
    const auto burn = degradation_.burn(at);
    const auto hour = degradation_.long_burn(at);
    return {{"level", to_string(degradation_.level())},
            {"number", static_cast<int>(degradation_.level())},
            {"since_ms", since_ms_},
            {"reason", degradation_.reason()},
            {"requests", counts.requests},
            {"failed", counts.failed},
            {"slow", counts.slow},
            {"burn",
             {{"availability", burn.availability},
              {"availability_long", hour.availability},
              {"latency", burn.latency},
              {"latency_long", hour.latency}}}};
}

void LoadGovernor::expose() {
    const std::lock_guard lock(mutex_);
    const auto at = now();
    evaluate(at);
    const auto burn = degradation_.burn(at);
    const auto hour = degradation_.long_burn(at);
    show_burn("availability", "short", burn.availability);
    show_burn("availability", "long", hour.availability);
    show_burn("latency", "short", burn.latency);
    show_burn("latency", "long", hour.latency);
}

} // namespace dwcp::gateway
