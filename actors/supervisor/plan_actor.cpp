#include "actors/supervisor/supervisor_actor.hpp"
#include "protocols/supervision/messages.hpp"

#include <chrono>
#include <utility>

namespace dwcp::supervisor {
namespace {

/// Beyond what its children may need one after another: its own messages wait in a mailbox too.
constexpr Duration kStopMargin = std::chrono::seconds(1);
/// A supervisor is ready when all below it are. Each of these has a deadline of its own, and is quarantined
/// or escalated if it never makes it; the one of the supervisor is only there for one that hangs itself.
constexpr Duration kStartTimeout = std::chrono::minutes(15);

} // namespace

Child nested(std::shared_ptr<const Plan> plan, supervision::Backoff backoff) {
    Child child;
    child.spec.id = plan->spec.path;
    child.spec.type = supervision::RestartType::permanent;
    child.spec.backoff = backoff;
    child.spec.start_timeout = kStartTimeout;
    child.spec.stop_grace = kStopMargin;
    for (const auto& below : plan->children)
        child.spec.stop_grace += below.spec.stop_grace + supervision::kKillPatience;
    child.below = std::move(plan);
    return child;
}

std::vector<std::string> workers_of(const Plan& plan) {
    std::vector<std::string> paths;
    for (const auto& child : plan.children) {
        if (!child.below) {
            paths.push_back(child.spec.id);
            continue;
        }
        for (auto& path : workers_of(*child.below))
            paths.push_back(std::move(path));
    }
    return paths;
}

} // namespace dwcp::supervisor
