#include "runtime/release/window_recorder.hpp"

#include <algorithm>

namespace dwcp::release {

void WindowRecorder::reset(TimePoint, Duration recent) {
    const std::lock_guard lock(mutex_);
    recent_ = std::max<Duration>(recent, std::chrono::milliseconds(kSlices));
    earlier_ = {};
    slices_.clear();
}

ramp::Work& WindowRecorder::current(TimePoint now) {
    const Duration slice = recent_ / kSlices;
    if (slices_.empty() || now - slices_.back().begin >= slice) {
        while (!slices_.empty() && now - slices_.front().begin >= recent_ + slice) {
            earlier_.add(slices_.front().work);
            slices_.pop_front();
        }
        slices_.push_back({now, {}});
    }
    return slices_.back().work;
}

void WindowRecorder::finished(TimePoint now, Duration took, std::uint64_t bytes, std::uint64_t cost_us) {
    const std::lock_guard lock(mutex_);
    ramp::Work& work = current(now);
    ++work.requests;
    work.latency.add(std::chrono::duration<double>(took).count());
    work.bytes += bytes;
    work.cost_us += cost_us;
}

void WindowRecorder::failed(TimePoint now) {
    const std::lock_guard lock(mutex_);
    ramp::Work& work = current(now);
    ++work.requests;
    ++work.errors;
}

ramp::Work WindowRecorder::total() const {
    const std::lock_guard lock(mutex_);
    ramp::Work sum = earlier_;
    for (const auto& slice : slices_)
        sum.add(slice.work);
    return sum;
}

ramp::Work WindowRecorder::recent(TimePoint now) const {
    const std::lock_guard lock(mutex_);
    ramp::Work sum;
    for (const auto& slice : slices_) {
        if (now - slice.begin < recent_ + recent_ / kSlices) sum.add(slice.work);
    }
    return sum;
}

} // namespace dwcp::release
