#include "runtime/release/release_registry.hpp"

#include "protocols/ramp/ramp.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

namespace dwcp::release {
namespace {

std::string text_of(double percent) {
    std::array<char, 32> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), percent).ptr;
    return {buffer.data(), end};
}

} // namespace

ReleaseRegistry::ReleaseRegistry(NodeName self, EventRing& events, Clocks clocks)
    : self_(std::move(self)), events_(events), clocks_(std::move(clocks)), window_begin_(clocks_.now()) {}

ReleaseSwitch& ReleaseRegistry::add(ReleaseNames names, Pin pin) {
    const std::lock_guard lock(mutex_);
    auto& slot = switches_[names.system];
    if (!slot) slot = std::make_unique<ReleaseSwitch>(std::move(names), pin, clocks_);
    return *slot;
}

ReleaseSwitch* ReleaseRegistry::find(std::string_view system) {
    const std::lock_guard lock(mutex_);
    const auto found = switches_.find(system);
    return found == switches_.end() ? nullptr : found->second.get();
}

std::vector<ReleaseSwitch*> ReleaseRegistry::all() {
    std::vector<ReleaseSwitch*> all;
    const std::lock_guard lock(mutex_);
    for (const auto& [system, one] : switches_)
        all.push_back(one.get());
    return all;
}

bool ReleaseRegistry::apply(const ramp::Directive& directive) {
    const std::lock_guard lock(mutex_);
    const auto rank = [](const ramp::Directive& of) { return std::tuple(of.term, of.seq); };
    if (any_ && rank(directive) < rank(directive_)) return false;
    // A former host took the canaries back and could not write it down: its successor learns it from the seq
    // in this node's reports, and until then gives them no weight again.
    const bool taken_back = any_ && !directive_.shifts() && directive_.seq > directive.seq;
    if (taken_back && directive.shifts()) return false;
    const bool renewal = any_ && rank(directive) == rank(directive_);
    lease_until_ = clocks_.now() + std::chrono::milliseconds(directive.lease_ms);
    if (renewal && !expired_) return true;
    expired_ = false;
    // A new host that confirms the window at hand goes on with it.
    const bool new_window = !any_ || directive.seq != directive_.seq;
    if (!renewal) directive_ = directive;
    any_ = true;
    put_in_force(new_window);
    return true;
}

void ReleaseRegistry::put_in_force(bool new_window) {
    if (new_window) window_begin_ = clocks_.now();
    for (const auto& [system, one] : switches_) {
        const auto weight =
            std::ranges::find(directive_.weights, system, [](const auto& of) { return of.system; });
        const bool mine = !expired_ && weight != directive_.weights.end() &&
                          std::ranges::find(weight->nodes, self_) != weight->nodes.end();
        ReleaseSwitch::Order order{mine ? weight->percent : 0, mine && weight->shadow,
                                   directive_.kill_switch};
        order.promoted = directive_.promoted;
        if (new_window) order.new_window = std::chrono::milliseconds(directive_.recent_ms);
        const double before = one->canary_percent();
        one->obey(order);
        const double after = one->canary_percent();
        if (before == after) continue;
        events_.record("release_weight_changed", system,
                       {{"percent", text_of(after)},
                        {"before", text_of(before)},
                        {"seq", std::to_string(directive_.seq)},
                        {"reason", expired_ ? "nothing was heard of the ramp's host" : directive_.reason}});
    }
}

void ReleaseRegistry::look() {
    const std::lock_guard lock(mutex_);
    if (!any_ || expired_ || directive_.promoted || clocks_.now() < lease_until_) return;
    expired_ = true;
    put_in_force(false);
}

std::uint64_t ReleaseRegistry::seq() const {
    const std::lock_guard lock(mutex_);
    return directive_.seq;
}

std::uint64_t ReleaseRegistry::term() const {
    const std::lock_guard lock(mutex_);
    return directive_.term;
}

std::uint64_t ReleaseRegistry::window_ms() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<milliseconds>(clocks_.now() - window_begin_).count());
}

bool ReleaseRegistry::lease_expired() const {
    const std::lock_guard lock(mutex_);
    return expired_;
}

std::map<ramp::System, ramp::SystemReport> ReleaseRegistry::reports() const {
    std::map<ramp::System, ramp::SystemReport> reports;
    const std::lock_guard lock(mutex_);
    for (const auto& [system, one] : switches_)
        reports[system] = one->report();
    return reports;
}

std::map<ramp::System, std::string> ReleaseRegistry::unsettled() const {
    std::map<ramp::System, std::string> all;
    const std::lock_guard lock(mutex_);
    for (const auto& [system, one] : switches_) {
        if (auto why = one->unsettled(); !why.empty()) all[system] = std::move(why);
    }
    return all;
}

} // namespace dwcp::release
