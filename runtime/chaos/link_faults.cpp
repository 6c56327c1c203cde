#include "runtime/chaos/link_faults.hpp"

namespace dwcp::chaos {

LinkFaults::Id LinkFaults::add(LinkFault fault) {
    const std::lock_guard lock(mutex_);
    faults_.emplace(++last_id_, std::move(fault));
    any_.store(true, std::memory_order_relaxed);
    return last_id_;
}

void LinkFaults::remove(Id id) {
    const std::lock_guard lock(mutex_);
    faults_.erase(id);
    any_.store(!faults_.empty(), std::memory_order_relaxed);
}

Verdict LinkFaults::judge(Link link, const NodeName& peer) {
    Verdict sum;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, fault] : faults_) {
        const bool of_this = fault.peer == peer && (link == Link::control ? fault.control : fault.data);
        if (!of_this || random_.below(100) >= fault.percent) continue;
        fault.hits->fetch_add(1, std::memory_order_relaxed);
        sum.drop |= fault.verdict.drop;
        sum.corrupt |= fault.verdict.corrupt;
        sum.delay += fault.verdict.delay;
    }
    return sum;
}

} // namespace dwcp::chaos
