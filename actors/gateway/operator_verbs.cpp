#include "actors/gateway/operator_verbs.hpp"

#include <algorithm>
#include <iterator>

namespace dwcp::gateway {
namespace {

using http::Parameter;
using http::RouteSpec;
using identity::Role;

const Parameter kActorPath{"path", "body", "The actor, as `tree` names it.", true};

OperatorVerb question(std::string name, std::string path, std::string sentence,
                      std::vector<Parameter> parameters = {}, Role role = Role::viewer) {
    return {std::move(name),
            {.method = "GET",
             .pattern = std::move(path),
             .group = "Operation",
             .sentence = std::move(sentence),
             .role = role,
             .parameters = std::move(parameters)}};
}

OperatorVerb command(std::string name, std::string path, Role role, std::string sentence,
                     std::vector<Parameter> parameters = {}) {
    return {std::move(name),
            {.method = "POST",
             .pattern = std::move(path),
             .group = "Operation",
             .sentence = std::move(sentence),
             .role = role,
             .parameters = std::move(parameters)},
            true};
}

/// What every verb of its kind takes besides its own parameters.
void add_common(OperatorVerb& verb) {
    auto& parameters = verb.route.parameters;
    const std::string in = verb.mutates ? "body" : "query";
    if (verb.takes_node) parameters.push_back({"node", in, "Another node of the cluster; else this one."});
    if (!verb.mutates) return;
    parameters.push_back(
        {"dry_run", in, "true: say what would be done, and do nothing.", false, Parameter::Type::flag});
    parameters.push_back({"reason", in, "Why; kept in the audit log.", verb.needs_reason});
}

std::vector<OperatorVerb> observation() {
    return {
        question("status", "/v1/status", "How a node is doing."),
        question("nodes", "/v1/nodes", "The nodes of the cluster as this one sees them."),
        question("tree", "/v1/tree", "The actors of a node under their supervisors."),
        question("events", "/v1/events", "What happened on a node, oldest first.",
                 {{"after", "query", "Only events with a higher id; without, the latest.", false,
                   Parameter::Type::number},
                  {"limit", "query", "At most so many, up to 1000; 100 without.", false,
                   Parameter::Type::number}}),
        question("actor.show", "/v1/actors/*", "One actor."),
    };
}

std::vector<OperatorVerb> actors() {
    return {
        command("actor.kill", "/v1/actors/kill", Role::operator_,
                "Ends an actor as a crash would; its supervisor brings it back.", {kActorPath}),
        command("actor.restart", "/v1/actors/restart", Role::operator_,
                "Ends an actor in an orderly way; its supervisor brings it back.", {kActorPath}),
    };
}

std::vector<OperatorVerb> all_verbs() {
    std::vector<OperatorVerb> all;
    for (auto part : {observation(), actors()})
        std::ranges::move(part, std::back_inserter(all));
    for (OperatorVerb& verb : all)
        add_common(verb);
    return all;
}

} // namespace

const std::vector<OperatorVerb>& operator_verbs() {
    static const std::vector<OperatorVerb> verbs = all_verbs();
    return verbs;
}

const OperatorVerb* find_verb(std::string_view name) {
    const auto& verbs = operator_verbs();
    const auto found = std::ranges::find(verbs, name, &OperatorVerb::name);
    return found == verbs.end() ? nullptr : &*found;
}

} // namespace dwcp::gateway
