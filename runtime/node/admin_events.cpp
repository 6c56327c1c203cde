// `events`: what happened on this node.
#include "runtime/node/admin_verbs.hpp"

#include <algorithm>

namespace dwcp::node {
namespace {

using nlohmann::json;

constexpr std::size_t kEventsDefault = 100;
/// There is no need for more than an operator reads at once.
constexpr std::size_t kEventsMax = 1000;

json events(const AdminServices& services, const json& args) {
    const auto limit = std::min<std::uint64_t>(number_of(args, "limit", kEventsDefault), kEventsMax);
    const auto found = args.contains("after") ? services.events.since(number_of(args, "after", 0), limit)
                                              : services.events.latest(limit);
    json list = json::array();
    for (const auto& event : found) {
        list.push_back({{"id", event.id},
                        {"time_ms", event.time_ms},
                        {"name", event.name},
                        {"subject", event.subject},
                        {"trace", event.trace},
                        {"fields", event.fields}});
    }
    const std::uint64_t last = found.empty() ? number_of(args, "after", 0) : found.back().id;
    return {{"node", services.identity.name}, {"events", std::move(list)}, {"last_id", last}};
}

} // namespace

void add_event_verbs(VerbTable& verbs, const AdminServices& services) {
    verbs["events"] = [&services](const gateway::AdminCall& call) { return events(services, call.args); };
}

} // namespace dwcp::node
