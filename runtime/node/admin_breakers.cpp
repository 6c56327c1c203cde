// `breaker ...`: the circuit breakers of what this node asks of its peers.
#include "runtime/node/admin_verbs.hpp"

namespace dwcp::node {
namespace {

using breaker::Forced;
using gateway::AdminCall;
using nlohmann::json;

json view_json(const resilience::BreakerView& view) {
    return {{"name", view.name()},
            {"peer", view.peer},
            {"operation", view.operation},
            {"state", static_cast<int>(view.state)},
            {"state_name", to_string(view.state)},
            {"forced", to_string(view.forced)},
            {"reason", view.reason},
            {"last_error", view.last_error},
            {"failures_in_a_row", view.consecutive_failures},
            {"window",
             {{"calls", view.window.calls}, {"failures", view.window.failures}, {"slow", view.window.slow}}},
            {"probes", view.probes},
            {"probes_max", view.probes_max},
            {"trips", view.trips},
            {"probes_in_ms", std::chrono::ceil<milliseconds>(view.opens_in).count()},
            {"since_ms", view.since_ms}};
}

json list(const AdminServices& services, const std::string& peer) {
    json breakers = json::array();
    for (const auto& view : services.breakers.list()) {
        if (peer.empty() || view.peer == peer) breakers.push_back(view_json(view));
    }
    return {{"node", services.identity.name}, {"breakers", std::move(breakers)}};
}

/// A command that gives how the breaker is afterwards.
template<class Command>
Result<json> change(const AdminServices& services, const AdminCall& call, Command command) {
    const auto name = text_of(call.args, "breaker");
    const bool dry_run = flag_of(call.args, "dry_run");
    const auto view = dry_run ? services.breakers.find(name) : command(name);
    if (!view) return std::unexpected(view.error());
    return json{{"breaker", view_json(*view)}, {"dry_run", dry_run}};
}

} // namespace

void add_breaker_verbs(VerbTable& verbs, const AdminServices& services) {
    verbs["breaker.list"] = [&services](const AdminCall& call) {
        return list(services, text_of(call.args, "peer"));
    };
    const auto add_force = [&](const char* verb, Forced forced) {
        verbs[verb] = [&services, forced](const AdminCall& call) {
            return change(services, call, [&](const std::string& name) {
                return services.breakers.force(name, forced, text_of(call.args, "reason"));
            });
        };
    };
    add_force("breaker.force-open", Forced::open);
    add_force("breaker.force-closed", Forced::closed);
    verbs["breaker.reset"] = [&services](const AdminCall& call) {
        return change(services, call, [&](const std::string& name) { return services.breakers.reset(name); });
    };
}

} // namespace dwcp::node
