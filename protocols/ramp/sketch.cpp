#include "protocols/ramp/sketch.hpp"

#include "protocols/ramp/counts.hpp"

#include <algorithm>
#include <cmath>

namespace dwcp::ramp {

namespace {

/// Bucket i holds (kLowest * kGamma^(i-1), kLowest * kGamma^i]; its middle, in relative terms, is off by at
/// most kRelativeError.
constexpr double kGamma = (1 + Sketch::kRelativeError) / (1 - Sketch::kRelativeError);

std::int32_t bucket_of(double value) {
    if (!(value > Sketch::kLowest)) {
        return std::isnan(value) ? Sketch::kBucketLast : 0; // what is not a number is nobody's good latency
    }
    if (value >= Sketch::kHighest) {
        return Sketch::kBucketLast;
    }
    const double exact = std::log(value / Sketch::kLowest) / std::log(kGamma);
    return std::clamp(static_cast<std::int32_t>(std::ceil(exact)), 0, Sketch::kBucketLast);
}

} // namespace

double Sketch::value_of(std::int32_t bucket) {
    const double upper = kLowest * std::pow(kGamma, std::clamp(bucket, 0, kBucketLast));
    return upper * 2 / (1 + kGamma);
}

void Sketch::add(double value, std::uint64_t times) {
    if (times == 0) {
        return;
    }
    std::uint64_t& count = buckets_[bucket_of(value)];
    count = add_counts(count, times);
    count_ = add_counts(count_, times);
}

void Sketch::merge(const Sketch& other) {
    for (const auto& [bucket, times] : other.buckets_) {
        std::uint64_t& count = buckets_[bucket];
        count = add_counts(count, times);
    }
    count_ = add_counts(count_, other.count_);
}

void Sketch::subtract(const Sketch& earlier) {
    for (const auto& [bucket, times] : earlier.buckets_) {
        const auto it = buckets_.find(bucket);
        if (it == buckets_.end()) {
            continue;
        }
        const std::uint64_t taken = std::min(times, it->second);
        count_ -= std::min(taken, count_);
        it->second -= taken;
        if (it->second == 0) {
            buckets_.erase(it);
        }
    }
}

double Sketch::quantile(double q) const {
    if (buckets_.empty()) {
        return 0;
    }
    // 0.07 * 100 is a little more than 7, and must not become rank 8.
    const double exact = std::ceil(q * static_cast<double>(count_) * (1 - 1e-12));
    const auto rank = static_cast<std::uint64_t>(std::clamp(exact, 1.0, 0x1p63));
    std::uint64_t below = 0;
    for (const auto& [bucket, times] : buckets_) {
        below = add_counts(below, times);
        if (below >= rank) {
            return value_of(bucket);
        }
    }
    return value_of(buckets_.rbegin()->first);
}

Sketch Sketch::from_buckets(std::map<std::int32_t, std::uint64_t> buckets) {
    Sketch sketch;
    for (const auto& [bucket, times] : buckets) {
        if (times != 0) {
            std::uint64_t& count = sketch.buckets_[std::clamp(bucket, 0, kBucketLast)];
            count = add_counts(count, times);
            sketch.count_ = add_counts(sketch.count_, times);
        }
    }
    return sketch;
}

} // namespace dwcp::ramp
