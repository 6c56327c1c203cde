#include "actors/ramp/facts_window.hpp"

#include <algorithm>

namespace dwcp::ramp {
namespace {

std::uint64_t grown(std::uint64_t now, std::uint64_t before) { return now - std::min(now, before); }

/// What happened between two looks; what is said of the moment is the later one's.
Facts between(const Facts& before, const Facts& now) {
    Facts facts = now;
    facts.consensus_failures = grown(now.consensus_failures, before.consensus_failures);
    facts.lane_looks = grown(now.lane_looks, before.lane_looks);
    facts.lane_looks_available = grown(now.lane_looks_available, before.lane_looks_available);
    facts.corruptions = grown(now.corruptions, before.corruptions);
    facts.security_breaches = grown(now.security_breaches, before.security_breaches);
    facts.critical_incidents = grown(now.critical_incidents, before.critical_incidents);
    return facts;
}

} // namespace

void FactsWindow::look(Facts counts, TimePoint now) {
    const std::lock_guard lock(mutex_);
    slices_.push_back({now, std::move(counts)});
    if (slices_.size() > kSlicesMax) slices_.pop_front();
}

void FactsWindow::open() {
    const std::lock_guard lock(mutex_);
    if (slices_.empty()) return;
    opened_ = slices_.back();
}

Facts FactsWindow::total() const {
    const std::lock_guard lock(mutex_);
    return slices_.empty() ? Facts{} : between(opened_.counts, slices_.back().counts);
}

Facts FactsWindow::recent(Duration window, TimePoint now) const {
    const std::lock_guard lock(mutex_);
    if (slices_.empty()) return {};
    // The counts at the window's beginning: of the last look before it.
    const Slice* begin = &slices_.front();
    for (const Slice& slice : slices_) {
        if (slice.at > now - window) break;
        begin = &slice;
    }
    if (begin->at < opened_.at) begin = &opened_;
    return between(begin->counts, slices_.back().counts);
}

} // namespace dwcp::ramp
