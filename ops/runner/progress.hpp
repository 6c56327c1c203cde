// What a person sees while a run works, on standard error: one live line on a terminal, else a line every few
// seconds. Used from one thread.
#pragma once

#include "ops/runner/shipment.hpp"

#include <chrono>
#include <string>

namespace dwcp::runner {

class ProgressDisplay {
  public:
    ProgressDisplay();

    /// A new phase ("shipping") with this much to do.
    void begin(std::string phase, std::size_t files, std::uint64_t bytes);
    /// Shows where the phase stands, if it is time to.
    void show(const Progress& progress);
    /// Ends the phase with its last state.
    void end(const Progress& progress);
    /// A line that stays, with the time since the start.
    void say(const std::string& text);
    /// What happens at the moment; shown in the live line.
    void set_event(std::string text) { event_ = std::move(text); }

    double phase_seconds() const;

  private:
    using Clock = std::chrono::steady_clock;
    std::string line(const Progress& progress) const;

    const bool terminal_;
    const Clock::time_point start_;
    Clock::time_point phase_start_;
    Clock::time_point next_;
    std::string phase_;
    std::string event_;
    std::size_t files_ = 0;
    std::uint64_t bytes_ = 0;
};

} // namespace dwcp::runner
