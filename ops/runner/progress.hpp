// What a person sees while a run works, on standard error: one live line on a terminal, else a line every few
// seconds.
//
// begin() starts a thread that shows the phase until end(); the other calls come from the thread that began
// it.
#pragma once

#include "ops/runner/shipment.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace dwcp::runner {

class ProgressDisplay {
  public:
    ProgressDisplay();
    ~ProgressDisplay();

    /// A phase ("shipping") with this much to do; `progress` is asked from the display's thread until end().
    void begin(std::string phase, std::size_t files, std::uint64_t bytes, std::function<Progress()> progress);
    /// A phase whose live line is whatever `line` says, asked from the display's thread until end().
    void begin(std::function<std::string()> line);
    /// Ends the phase with a line that stays. Returns how long it took.
    double end();
    /// A line that stays, with the time since the start.
    void say(const std::string& text);
    /// What happens at the moment; shown in the live line.
    void set_event(std::string text);

  private:
    using Clock = std::chrono::steady_clock;
    void show_until_stopped();
    void stop();
    void print_line(const std::string& text) const;
    std::string line() const;
    std::string files_line(const std::string& phase, std::size_t files, std::uint64_t bytes,
                           const Progress& progress) const;

    const bool terminal_;
    const Clock::time_point start_;
    std::mutex mutex_; ///< Guards what follows, and the terminal.
    std::condition_variable wake_;
    bool showing_ = false;
    Clock::time_point phase_start_;
    std::string event_;
    std::function<std::string()> line_;
    std::thread thread_;
};

} // namespace dwcp::runner
