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
    std::uint64_t done_bytes() const { return done_bytes_; }

  private:
    using Clock = std::chrono::steady_clock;
    void draw(Clock::time_point now);

    std::ostream& err_;
    const bool shown_;
    const std::string label_;
    const std::optional<std::uint64_t> total_bytes_;
    const Clock::time_point began_ = Clock::now();
    Clock::time_point drawn_{};
    std::uint64_t done_bytes_ = 0;
};

/// "key  45 %  1.2 GiB of 2.7 GiB  310.0 MiB/s  5 s left"
std::string progress_text(const std::string& label, std::uint64_t done_bytes,
                          std::optional<std::uint64_t> total_bytes, std::chrono::milliseconds elapsed);

} // namespace dwcp::shell
