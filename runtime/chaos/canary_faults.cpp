#include "runtime/chaos/canary_faults.hpp"

namespace dwcp::chaos {

CanaryFaults::Id CanaryFaults::add(CanaryFault fault) {
    const std::lock_guard lock(mutex_);
    faults_.emplace(++last_id_, std::move(fault));
    any_.store(true, std::memory_order_relaxed);
    return last_id_;
}

void CanaryFaults::remove(Id id) {
    const std::lock_guard lock(mutex_);
    faults_.erase(id);
    any_.store(!faults_.empty(), std::memory_order_relaxed);
}

template<class Visit>
void CanaryFaults::each_that_hits(std::string_view system, bool of_blocks, Visit visit) {
    if (!any_.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, fault] : faults_) {
        const bool of_this = fault.system == system && fault.strike.corruption == of_blocks;
        if (!of_this || random_.below(100) >= fault.percent) continue;
        fault.hits->fetch_add(1, std::memory_order_relaxed);
        visit(fault.strike);
    }
}

CanaryStrike CanaryFaults::strike(std::string_view system) {
    CanaryStrike sum;
    each_that_hits(system, false, [&sum](const CanaryStrike& one) {
        sum.error |= one.error;
        sum.crash |= one.crash;
        sum.latency += one.latency;
    });
    return sum;
}

bool CanaryFaults::corrupts(std::string_view system) {
    bool damaged = false;
    each_that_hits(system, true, [&damaged](const CanaryStrike&) { damaged = true; });
    return damaged;
}

} // namespace dwcp::chaos
