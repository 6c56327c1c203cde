#include "protocols/breaker/retry.hpp"

#include <algorithm>

namespace dwcp::breaker {

namespace {

constexpr std::uint64_t kOneRetry = 100;
/// Requests whose share of retries can be saved up: a burst of retries after a calm time stays bounded.
constexpr std::uint64_t kBudgetRequests = 1000;

} // namespace

Duration Backoff::delay(std::uint32_t retry, Random& random) const {
    Duration base = min;
    for (std::uint32_t i = 0; i < retry && base < max; ++i)
        base = base > max / 2 ? max : base * 2;
    base = std::max(min, std::min(base, max));
    return base / 2 +
           Duration(static_cast<Duration::rep>(random.unit() * static_cast<double>((base / 2).count())));
}

std::string_view to_string(NoRetry why) {
    switch (why) {
    case NoRetry::tries:
        return "tries";
    case NoRetry::budget:
        return "budget";
    case NoRetry::deadline:
        return "deadline";
    }
    return "unknown";
}

RetryBudget::RetryBudget(std::uint32_t pct, std::uint32_t min_per_s)
    : pct_(pct), min_per_s_(min_per_s), floor_(min_per_s_ * kOneRetry) {}

void RetryBudget::refill(TimePoint now) {
    if (!refilled_at_) refilled_at_ = now;
    if (now < *refilled_at_ + std::chrono::seconds(1)) return;
    refilled_at_ = now;
    floor_ = min_per_s_ * kOneRetry;
}

void RetryBudget::deposit(TimePoint now) {
    refill(now);
    earned_ = std::min(earned_ + pct_, pct_ * kBudgetRequests);
}

bool RetryBudget::withdraw(TimePoint now) {
    refill(now);
    std::uint64_t& from = earned_ >= kOneRetry ? earned_ : floor_;
    if (from < kOneRetry) return false;
    from -= kOneRetry;
    return true;
}

RetryPolicy::RetryPolicy(const RetryOptions& options, std::uint64_t seed)
    : options_(options), budget_(options.budget_pct, options.budget_min_per_s), random_(seed) {}

std::expected<Duration, NoRetry> RetryPolicy::next(std::uint32_t tries, TimePoint now, TimePoint deadline,
                                                   Duration retry_after) {
    if (options_.tries_max > 0 && tries >= options_.tries_max) return std::unexpected(NoRetry::tries);
    const Duration delay = std::max(retry_after, options_.backoff.delay(tries > 0 ? tries - 1 : 0, random_));
    if (now >= deadline || deadline - now <= delay) return std::unexpected(NoRetry::deadline);
    if (!budget_.withdraw(now)) return std::unexpected(NoRetry::budget);
    return delay;
}

} // namespace dwcp::breaker
