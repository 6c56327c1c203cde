#include "runtime/chaos/faults.hpp"

#include "runtime/metrics/metrics.hpp"

#include <chrono>

namespace dwcp::chaos {

Result<void> Faults::check() const {
    const std::lock_guard lock(mutex_);
    if (running_.size() < kFaultsMax) return {};
    return fail(Errc::resource_exhausted, std::to_string(kFaultsMax) + " faults are injected already",
                "end some with `chaos stop`");
}

FaultView Faults::began(FaultPlan plan) {
    FaultView begun;
    {
        const std::lock_guard lock(mutex_);
        const auto id = ++last_id_;
        auto& running = running_[id];
        running.ends = std::chrono::steady_clock::now() + plan.lasts;
        running.timer = deadlines_.after(plan.lasts, [this, id] { stop(id); });
        running.plan = std::move(plan);
        begun = view(id, running);
    }
    show(begun.kind, 1);
    events_.record("chaos_begun", begun.target,
                   {{"fault", std::to_string(begun.id)}, {"kind", begun.kind}, {"reason", begun.reason}});
    return begun;
}

std::size_t Faults::stop(std::optional<std::uint64_t> id) {
    std::map<std::uint64_t, Running> ended;
    {
        const std::lock_guard lock(mutex_);
        if (!id) {
            ended = std::exchange(running_, {});
        } else if (auto one = running_.extract(*id)) {
            ended.insert(std::move(one));
        }
    }
    for (auto& [number, running] : ended) {
        deadlines_.cancel(running.timer);
        running.plan.end();
        show(running.plan.kind, -1);
        events_.record("chaos_ended", running.plan.target,
                       {{"fault", std::to_string(number)}, {"kind", running.plan.kind}});
    }
    return ended.size();
}

std::vector<FaultView> Faults::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<FaultView> views;
    for (const auto& [id, running] : running_)
        views.push_back(view(id, running));
    return views;
}

FaultView Faults::view(std::uint64_t id, const Running& running) {
    const std::chrono::duration<double> left = running.ends - std::chrono::steady_clock::now();
    return {id,
            running.plan.kind,
            running.plan.target,
            running.plan.reason,
            left.count(),
            running.plan.hits ? running.plan.hits->load(std::memory_order_relaxed) : 0};
}

void Faults::show(const std::string& kind, int change) {
    metrics::gauge("dwcp_chaos_faults", "Faults injected into this node now, by kind.", {{"kind", kind}})
        .add(change);
}

} // namespace dwcp::chaos
