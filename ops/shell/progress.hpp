// A line on a terminal that says how far a transfer is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

namespace dwcp::shell {

class Progress {
  public:
    /// Silent unless `shown`. `total_bytes` unknown: no percentage.
    Progress(std::ostream& err, bool shown, std::string label, std::optional<std::uint64_t> total_bytes);
    /// Clears the line.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void add(std::uint64_t bytes);
    /// What was there before this transfer began: part of what is done, not of the rate.
    void skip(std::uint64_t bytes);
    /// As somebody else says.
    void set(std::uint64_t done_bytes, std::optional<std::uint64_t> total_bytes);
    std::uint64_t done_bytes() const { return done_bytes_; }

  private:
    using Clock = std::chrono::steady_clock;
    void redraw();

    std::ostream& err_;
    const bool shown_;
    const std::string label_;
    std::optional<std::uint64_t> total_bytes_;
    const Clock::time_point began_ = Clock::now();
    Clock::time_point drawn_{};
    std::uint64_t done_bytes_ = 0;
    std::uint64_t skipped_bytes_ = 0;
};

/// "key  45 %  1.2 GiB of 2.7 GiB  310.0 MiB/s  5 s left"; the rate without what was skipped.
std::string progress_text(const std::string& label, std::uint64_t done_bytes,
                          std::optional<std::uint64_t> total_bytes, std::chrono::milliseconds elapsed,
                          std::uint64_t skipped_bytes = 0);

} // namespace dwcp::shell
