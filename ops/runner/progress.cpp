#include "ops/runner/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace dwcp::runner {
namespace {

constexpr auto kTerminalPause = std::chrono::milliseconds(100);
constexpr auto kLinePause = std::chrono::seconds(3);
constexpr double kMB = 1e6;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

ProgressDisplay::ProgressDisplay()
    : terminal_(isatty(STDERR_FILENO) == 1), start_(Clock::now()), phase_start_(start_), next_(start_) {}

void ProgressDisplay::begin(std::string phase, std::size_t files, std::uint64_t bytes) {
    phase_ = std::move(phase);
    files_ = files;
    bytes_ = bytes;
    phase_start_ = next_ = Clock::now();
}

double ProgressDisplay::phase_seconds() const { return seconds_since(phase_start_); }

std::string ProgressDisplay::line(const Progress& progress) const {
    const double seconds = std::max(phase_seconds(), 0.001);
    const auto done = static_cast<double>(progress.bytes);
    const double left = std::max(0.0, static_cast<double>(bytes_) - done);
    std::string text =
        fmt::format("{:<8} {}/{} files  {:.1f}/{:.1f} MB  {:.1f} MB/s", phase_, progress.files, files_,
                    done / kMB, static_cast<double>(bytes_) / kMB, done / kMB / seconds);
    if (done > 0 && progress.files < files_) text += fmt::format("  ETA {:.0f} s", left / (done / seconds));
    if (!event_.empty()) text += "  | " + event_;
    return text;
}

void ProgressDisplay::show(const Progress& progress) {
    if (Clock::now() < next_) return;
    next_ = Clock::now() +
            (terminal_ ? std::chrono::milliseconds(kTerminalPause) : std::chrono::milliseconds(kLinePause));
    if (terminal_)
        fmt::print(stderr, "\r\x1b[K{}", line(progress));
    else
        fmt::print(stderr, "{:7.1f} s  {}\n", seconds_since(start_), line(progress));
    std::fflush(stderr);
}

void ProgressDisplay::end(const Progress& progress) {
    event_.clear();
    say(line(progress));
    phase_.clear();
}

void ProgressDisplay::say(const std::string& text) {
    fmt::print(stderr, "{}{:7.1f} s  {}\n", terminal_ ? "\r\x1b[K" : "", seconds_since(start_), text);
    if (terminal_) next_ = Clock::now(); // it took the live line's place
}

} // namespace dwcp::runner
