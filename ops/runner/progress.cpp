#include "ops/runner/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace dwcp::runner {
namespace {

constexpr std::chrono::milliseconds kTerminalPause{100};
constexpr std::chrono::milliseconds kLinePause{3'000};
constexpr double kEtaAfterSeconds = 1; ///< Before that an estimate is noise.
constexpr double kMB = 1e6;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Cut to the terminal's width: a live line that wraps could not be overwritten.
std::string fitted(std::string text) {
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && text.size() >= size.ws_col)
        text.resize(size.ws_col - 1U);
    return text;
}

double part(double done, double all) { return all > 0 ? std::min(1.0, done / all) : 1.0; }

} // namespace

ProgressDisplay::ProgressDisplay()
    : terminal_(isatty(STDERR_FILENO) == 1), start_(Clock::now()), phase_start_(start_) {}

ProgressDisplay::~ProgressDisplay() { stop(); }

void ProgressDisplay::begin(std::string phase, std::size_t files, std::uint64_t bytes,
                            std::function<Progress()> progress) {
    begin([this, phase = std::move(phase), files, bytes, progress = std::move(progress)] {
        return files_line(phase, files, bytes, progress());
    });
}

void ProgressDisplay::begin(std::function<std::string()> line) {
    stop();
    line_ = std::move(line);
    phase_start_ = Clock::now();
    showing_ = true;
    thread_ = std::thread([this] { show_until_stopped(); });
}

double ProgressDisplay::end() {
    stop();
    const double seconds = seconds_since(phase_start_);
    event_.clear();
    say(line());
    return seconds;
}

void ProgressDisplay::say(const std::string& text) {
    const std::lock_guard lock(mutex_);
    print_line(text);
}

void ProgressDisplay::set_event(std::string text) {
    const std::lock_guard lock(mutex_);
    event_ = std::move(text);
}

void ProgressDisplay::stop() {
    {
        const std::lock_guard lock(mutex_);
        showing_ = false;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void ProgressDisplay::show_until_stopped() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, terminal_ ? kTerminalPause : kLinePause, [this] { return !showing_; })) {
        if (!terminal_)
            print_line(line());
        else
            fmt::print(stderr, "\r\x1b[K{}", fitted(line()));
        std::fflush(stderr);
    }
    if (terminal_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressDisplay::print_line(const std::string& text) const {
    fmt::print(stderr, "{}{:7.1f} s  {}\n", terminal_ ? "\r\x1b[K" : "", seconds_since(start_), text);
}

std::string ProgressDisplay::files_line(const std::string& phase, std::size_t files, std::uint64_t bytes,
                                        const Progress& progress) const {
    const double seconds = std::max(seconds_since(phase_start_), 0.001);
    const auto done = static_cast<double>(progress.bytes);
    const auto all = static_cast<double>(bytes);
    std::string text = fmt::format("{} {}/{} files  {:.1f}/{:.1f} MB  {:.1f} MB/s", phase, progress.files,
                                   files, done / kMB, all / kMB, done / kMB / seconds);
    // Small files cost per file, large ones per byte: the mean of both is a fair guess of what is done.
    const double finished =
        (part(done, all) + part(static_cast<double>(progress.files), static_cast<double>(files))) / 2;
    if (progress.files < files && seconds > kEtaAfterSeconds && finished > 0)
        text += fmt::format("  ETA {:.0f} s", seconds * (1 - finished) / finished);
    return text;
}

std::string ProgressDisplay::line() const { return event_.empty() ? line_() : line_() + "  | " + event_; }

} // namespace dwcp::runner
