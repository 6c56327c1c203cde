// `events`: what happened on this node.
#include "actors/gateway/event_feed.hpp"
#include "runtime/node/admin_verbs.hpp"

#include <fmt/format.h>

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
    for (const auto& event : found)
        list.push_back(gateway::event_json(event));
    const std::uint64_t last = found.empty() ? number_of(args, "after", 0) : found.back().id;
    return {{"node", services.identity.name},
            {"incarnation", fmt::format("{:016x}", services.identity.incarnation)},
            {"events", std::move(list)},
            {"last_id", last}};
}

} // namespace

void add_event_verbs(VerbTable& verbs, const AdminServices& services) {
    verbs["events"] = [&services](const gateway::AdminCall& call) { return events(services, call.args); };
}

} // namespace dwcp::node
