// A histogram of positive values with a bounded relative error: logarithmic buckets, 1 % wide (as DDSketch,
// Masson, Rim and Lee, VLDB 2019). Mergeable and small: what nodes send instead of samples.
//
// Life cycle: plain value; not thread-safe.
#pragma once

#include <cstdint>
#include <map>

namespace dwcp::ramp {

class Sketch {
  public:
    static constexpr double kRelativeError = 0.01;
    /// Values outside are counted at the ends: 1 µs to 10,000 s, if they are seconds.
    static constexpr double kLowest = 1e-6;
    static constexpr double kHighest = 1e4;
    /// Buckets are numbered 0 (up to kLowest) to this one: log(1e10) / log(1.01 / 0.99), rounded up. A sketch
    /// can never be larger than this.
    static constexpr std::int32_t kBucketLast = 1152;

    /// What is not a number counts at the upper end.
    void add(double value, std::uint64_t times = 1);
    void merge(const Sketch& other);
    /// Takes away what an earlier state of the same sketch held.
    void subtract(const Sketch& earlier);

    std::uint64_t count() const { return count_; }
    /// The value with rank ceil(q * count), within kRelativeError; 0 if empty. `q` in (0, 1].
    double quantile(double q) const;
    /// Bucket number -> count, ascending; what is encoded.
    const std::map<std::int32_t, std::uint64_t>& buckets() const { return buckets_; }
    /// Bucket numbers out of range count at the ends, empty buckets are left out.
    static Sketch from_buckets(std::map<std::int32_t, std::uint64_t> buckets);
    static double value_of(std::int32_t bucket);

    bool operator==(const Sketch&) const = default;

  private:
    std::map<std::int32_t, std::uint64_t> buckets_;
    std::uint64_t count_ = 0;
};

} // namespace dwcp::ramp
