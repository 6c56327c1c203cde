#include "ops/shell/progress.hpp"

#include "ops/shell/units.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::shell {
namespace {

constexpr std::chrono::milliseconds kRedrawAfter{100};
constexpr const char* kClearLine = "\r\x1b[K";

} // namespace

std::string progress_text(const std::string& label, std::uint64_t done_bytes,
                          std::optional<std::uint64_t> total_bytes, std::chrono::milliseconds elapsed,
                          std::uint64_t skipped_bytes) {
    const double seconds = std::max(static_cast<double>(elapsed.count()) / 1000, 0.001);
    const double bytes_per_s =
        static_cast<double>(done_bytes - std::min(skipped_bytes, done_bytes)) / seconds;
    const std::string rate = human_bytes(static_cast<std::uint64_t>(bytes_per_s)) + "/s";
    if (!total_bytes) return fmt::format("{}  {}  {}", printable(label), human_bytes(done_bytes), rate);
    const std::uint64_t left_bytes = *total_bytes - std::min(done_bytes, *total_bytes);
    const double share =
        *total_bytes == 0 ? 1 : static_cast<double>(done_bytes) / static_cast<double>(*total_bytes);
    const std::string left =
        bytes_per_s < 1
            ? ""
            : human_span(static_cast<std::int64_t>(static_cast<double>(left_bytes) / bytes_per_s) * 1000);
    return fmt::format("{}  {:.0f} %  {} of {}  {}{}", printable(label), 100 * share, human_bytes(done_bytes),
                       human_bytes(*total_bytes), rate, left.empty() ? "" : "  " + left + " left");
}

Progress::Progress(std::ostream& err, bool shown, std::string label, std::optional<std::uint64_t> total_bytes)
    : err_(err), shown_(shown), label_(std::move(label)), total_bytes_(total_bytes) {}

Progress::~Progress() {
    if (shown_) err_ << kClearLine << std::flush;
}

void Progress::add(std::uint64_t bytes) {
    done_bytes_ += bytes;
    redraw();
}

void Progress::skip(std::uint64_t bytes) {
    skipped_bytes_ += bytes;
    add(bytes);
}

void Progress::set(std::uint64_t done_bytes, std::optional<std::uint64_t> total_bytes) {
    done_bytes_ = done_bytes;
    total_bytes_ = total_bytes;
    redraw();
}

void Progress::redraw() {
    const auto now = Clock::now();
    if (!shown_ || now - drawn_ < kRedrawAfter) return;
    drawn_ = now;
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - began_);
    err_ << kClearLine << progress_text(label_, done_bytes_, total_bytes_, elapsed, skipped_bytes_)
         << std::flush;
}

} // namespace dwcp::shell
