// `tree` and what is done to one actor.
#include "actors/supervisor/messages.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/node/admin_verbs.hpp"

#include <chrono>

namespace dwcp::node {
namespace {

using nlohmann::json;

json tree(const AdminServices& services) {
    json actors = json::array();
    for (const auto& child : services.board.all()) {
        json entry{{"path", child.path}, {"parent", child.parent},     {"state", child.state},
                   {"life", child.life}, {"restarts", child.restarts}, {"last_reason", child.last_reason}};
        const auto live = services.resolver.find(child.path);
        entry["uptime_ms"] = live ? milliseconds_since(live->since) : 0.0;
        entry["mailbox_depth"] = live ? live->stats->depth() : 0;
        entry["mailbox_rejected"] = live ? live->stats->rejected.load() : 0;
        entry["busy_ms"] = live ? static_cast<double>(live->stats->busy_ns.load()) / 1e6 : 0.0;
        actors.push_back(std::move(entry));
    }
    return {{"node", services.identity.name}, {"actors", std::move(actors)}};
}

Result<json> actor_show(const AdminServices& services, const std::string& path) {
    const json all = tree(services); // a loop over a part of a temporary would outlive it
    for (const auto& entry : all["actors"]) {
        if (entry["path"] != path) continue;
        json found = entry;
        found["node"] = services.identity.name;
        return found;
    }
    return fail(Errc::not_found, "no actor at '" + path + "' on " + services.identity.name,
                "`dwcp-shell -c tree` lists them");
}

Result<json> command(const AdminServices& services, supervisor::ActorCommand::Verb verb,
                     const gateway::AdminCall& call) {
    const supervisor::ActorCommand command{verb, text_of(call.args, "path"), text_of(call.args, "who")};
    // Recorded before it runs, so that a command that takes the node down leaves its trace.
    services.events.record("operator_command", command.path, {{"verb", call.verb}, {"who", command.who}});
    const auto done = actor::call(services.system, services.resolver, "supervisor", command,
                                  std::chrono::steady_clock::now() + kAskDeadline);
    if (!done) return std::unexpected(done.error());
    return json{{"outcome", (*done)->outcome}};
}

} // namespace

void add_actor_verbs(VerbTable& verbs, const AdminServices& services) {
    using supervisor::ActorCommand;
    const auto add_command = [&](const char* name, ActorCommand::Verb verb) {
        verbs[name] = [&services, verb](const gateway::AdminCall& call) {
            return command(services, verb, call);
        };
    };
    verbs["tree"] = [&services](const gateway::AdminCall&) { return tree(services); };
    verbs["actor.show"] = [&services](const gateway::AdminCall& call) {
        return actor_show(services, text_of(call.args, "path"));
    };
    add_command("actor.kill", ActorCommand::Verb::kill);
    add_command("actor.restart", ActorCommand::Verb::restart);
}

} // namespace dwcp::node
