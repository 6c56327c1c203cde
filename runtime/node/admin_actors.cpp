// `tree` and what is done to one actor.
#include "runtime/node/actor_command.hpp"
#include "runtime/node/admin_verbs.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

namespace dwcp::node {
namespace {

using nlohmann::json;

constexpr std::uint64_t kTraceSecondsDefault = 10;
constexpr std::uint64_t kTraceSecondsMax = 600;
constexpr std::uint64_t kMailboxesDefault = 10;

json entry_of(const AdminServices& services, const supervisor::ChildView& child) {
    json entry{{"path", child.path}, {"parent", child.parent},     {"state", child.state},
               {"life", child.life}, {"restarts", child.restarts}, {"last_reason", child.last_reason}};
    if (!child.quarantine.empty()) entry["quarantine"] = child.quarantine;
    if (!child.release.empty()) entry["release"] = child.release;
    if (!child.last_good_release.empty()) entry["last_good_release"] = child.last_good_release;
    if (!child.strategy.empty()) {
        entry["strategy"] = child.strategy;
        entry["escalation"] = child.escalation;
        entry["intensity"] = child.intensity;
        entry["period_ms"] = std::chrono::duration_cast<milliseconds>(child.period).count();
    }
    const auto live = services.resolver.find(child.path);
    entry["uptime_ms"] = live ? milliseconds_since(live->since) : 0.0;
    entry["mailbox_depth"] = live ? live->stats->depth() : 0;
    entry["mailbox_rejected"] = live ? live->stats->rejected.load() : 0;
    entry["busy_ms"] = live ? static_cast<double>(live->stats->busy_ns.load()) / 1e6 : 0.0;
    return entry;
}

json tree(const AdminServices& services) {
    json actors = json::array();
    for (const auto& child : services.board.all())
        actors.push_back(entry_of(services, child));
    return {{"node", services.identity.name}, {"actors", std::move(actors)}};
}

Result<json> no_such_actor(const AdminServices& services, const std::string& path) {
    return fail(Errc::not_found, "no actor at '" + path + "' on " + services.identity.name,
                "`dwcp-shell -c tree` lists them");
}

/// Of the actor, or of all below it.
json last_restarts(const AdminServices& services, const supervisor::ChildView& of) {
    json list = json::array();
    for (const auto& restart : services.board.restarts()) {
        const bool below = !of.strategy.empty() && restart.tree.find(of.path + " > ") != std::string::npos;
        if (restart.path != of.path && !below) continue;
        json entry{{"time_ms", restart.time_ms},
                   {"path", restart.path},
                   {"life", restart.life},
                   {"reason", restart.reason},
                   {"delay_ms", std::chrono::duration_cast<milliseconds>(restart.delay).count()}};
        if (!restart.release.empty()) entry["release"] = restart.release;
        list.push_back(std::move(entry));
    }
    return list;
}

Result<json> actor_show(const AdminServices& services, const std::string& path) {
    const auto child = services.board.find(path);
    if (!child) return no_such_actor(services, path);
    json found = entry_of(services, *child);
    found["node"] = services.identity.name;
    found["last_restarts"] = last_restarts(services, *child);
    return found;
}

Result<json> command(const AdminServices& services, supervisor::ActorCommand::Verb verb,
                     const gateway::AdminCall& call) {
    const supervisor::ActorCommand command{verb, text_of(call.args, "path"), text_of(call.args, "who"),
                                           text_of(call.args, "reason"), flag_of(call.args, "dry_run")};
    // Recorded before it runs, so that a command that takes the node down leaves its trace.
    if (!command.dry_run)
        services.events.record("operator_command", command.path, {{"verb", call.verb}, {"who", command.who}});
    return command_actor(services, command);
}

Result<json> trace(const AdminServices& services, const json& args) {
    const auto path = text_of(args, "path");
    const auto seconds = number_of(args, "seconds", kTraceSecondsDefault);
    if (seconds > kTraceSecondsMax)
        return fail(Errc::invalid_argument, "seconds: at most " + std::to_string(kTraceSecondsMax),
                    "ask again before it is over to record for longer");
    const auto live = services.resolver.find(path);
    if (!live) return no_such_actor(services, path);
    auto& trace = live->stats->trace;
    trace.record_for(std::chrono::seconds(seconds));
    json messages = json::array();
    for (const auto& message : trace.messages())
        messages.push_back({{"time_ms", message.time_ms},
                            {"type", message.type},
                            {"duration_us", static_cast<double>(message.took.count()) / 1e3},
                            {"outcome", message.outcome}});
    return json{{"node", services.identity.name},
                {"path", path},
                {"life", live->life},
                {"recording_s", std::chrono::duration<double>(trace.left()).count()},
                {"messages", std::move(messages)}};
}

Result<json> mailbox_top(const AdminServices& services, const json& args) {
    const auto by = text_of(args, "by");
    const std::map<std::string, const char*> fields = {
        {"", "depth"}, {"depth", "depth"}, {"busy", "busy_ms"}, {"rejected", "rejected"}};
    const auto field = fields.find(by);
    if (field == fields.end())
        return fail(Errc::invalid_argument, "'" + by + "' is not an order", "give depth, busy or rejected");
    std::vector<json> actors;
    for (const auto& child : services.board.all()) {
        const auto live = services.resolver.find(child.path);
        if (!live) continue;
        const double busy_ms = static_cast<double>(live->stats->busy_ns.load()) / 1e6;
        const double uptime_ms = milliseconds_since(live->since);
        actors.push_back({{"path", child.path},
                          {"depth", live->stats->depth()},
                          {"rejected", live->stats->rejected.load()},
                          {"busy_ms", busy_ms},
                          {"busy_ratio", uptime_ms > 0 ? busy_ms / uptime_ms : 0.0}});
    }
    std::ranges::stable_sort(actors, [&](const json& a, const json& b) {
        return a[field->second].get<double>() > b[field->second].get<double>();
    });
    const auto limit = number_of(args, "limit", kMailboxesDefault);
    if (actors.size() > limit) actors.resize(limit);
    return json{{"node", services.identity.name}, {"actors", std::move(actors)}};
}

} // namespace

Result<json> command_actor(const AdminServices& services, const supervisor::ActorCommand& command) {
    const auto outcome = command_owner_of(services.system, services.resolver, services.board, command,
                                          std::chrono::steady_clock::now() + kAskDeadline);
    if (!outcome) return std::unexpected(outcome.error());
    return json{{"outcome", *outcome}, {"dry_run", command.dry_run}};
}

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
    add_command("actor.quarantine", ActorCommand::Verb::quarantine);
    add_command("actor.resume", ActorCommand::Verb::resume);
    verbs["actor.trace"] = [&services](const gateway::AdminCall& call) { return trace(services, call.args); };
    verbs["mailbox.top"] = [&services](const gateway::AdminCall& call) {
        return mailbox_top(services, call.args);
    };
}

} // namespace dwcp::node
