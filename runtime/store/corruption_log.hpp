// Damage found in the store: each damaged key is counted and logged once until it is repaired. Thread-safe.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/metrics/metrics.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace dwcp::store {

class CorruptionLog {
  public:
    explicit CorruptionLog(std::string directory) : directory_(std::move(directory)) {}

    /// Counts and logs `family`/`key` if it is new, and makes the Errc::corrupted to return. `what` says how
    /// it was seen.
    Error record(std::string_view family, std::string_view key, std::string_view what);
    /// The key was written anew: the next damage under it is news again.
    void forget(std::string_view family, std::string_view key);
    std::uint64_t count() const { return count_.load(); }

  private:
    const std::string directory_;
    std::mutex mutex_;
    std::set<std::string> seen_;
    std::atomic<bool> any_ = false; ///< Keeps forget() off the lock while nothing is damaged.
    std::atomic<std::uint64_t> count_ = 0;
    metrics::Counter total_ =
        metrics::counter("dwcp_store_corruptions_total", "Stored values whose checksum did not match.");
};

/// A key for people: printable ASCII stays, other bytes become \xNN, long keys are cut.
std::string printable_key(std::string_view key);

} // namespace dwcp::store
