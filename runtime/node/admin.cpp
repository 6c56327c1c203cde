#include "runtime/node/admin.hpp"

#include "actors/gateway/json_body.hpp"
#include "actors/gateway/operator_verbs.hpp"
#include "runtime/node/admin_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>

namespace dwcp::node {
namespace {

using nlohmann::json;

/// An answer over the control link has 64 KiB at most, so lists are kept shorter there.
constexpr std::uint64_t kRemoteListMax = 100;

audit::Attempt attempt_of(const gateway::AdminCall& call) {
    return {.by = call.by,
            .peer = call.peer,
            .claims = text_of(call.args, "who"),
            .verb = call.verb,
            .args = call.args,
            .reason = text_of(call.args, "reason"),
            .dry_run = flag_of(call.args, "dry_run")};
}

/// What runs although its record cannot be written before it. A fault that fills the disk leaves no room for
/// the record of its own end; and a full disk must not keep the canary in traffic: who stopped the ramp and
/// why stands in the ramp's own journal too, which needs the disks of a quorum and not this one.
bool waits_for_no_record(const gateway::AdminCall& call) {
    if (call.verb == "ramp.kill-switch") return text_of(call.args, "state") != "off";
    return call.verb == "chaos.stop" || call.verb == "ramp.rollback" || call.verb == "ramp.abort";
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

} // namespace

std::string text_of(const json& args, const char* key) {
    const auto found = args.find(key);
    return found != args.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const json& args, const char* key, std::uint64_t otherwise) {
    const auto found = args.find(key);
    return found != args.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : otherwise;
}

bool flag_of(const json& args, const char* key) {
    const auto found = args.find(key);
    return found != args.end() && found->is_boolean() && found->get<bool>();
}

double milliseconds_since(TimePoint then) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - then).count();
}

Admin::Admin(AdminServices services) : services_(std::move(services)) {
    add_status_verbs(verbs_, services_);
    add_actor_verbs(verbs_, services_);
    add_event_verbs(verbs_, services_);
    add_audit_verbs(verbs_, services_);
    add_config_verbs(verbs_, services_);
    add_node_verbs(verbs_, services_);
    add_breaker_verbs(verbs_, services_);
    add_chaos_verbs(verbs_, services_);
    add_bundle_verb(verbs_, services_);
    add_trace_verbs(verbs_, services_);
}

void Admin::add(std::string verb, VerbHandler handler) { verbs_[std::move(verb)] = std::move(handler); }

void Admin::refused(const gateway::AdminCall& call, const Error& why) {
    services_.audit.refused(attempt_of(call), why, std::chrono::steady_clock::now());
}

Result<json> Admin::run(const gateway::AdminCall& call) {
    const auto* verb = gateway::find_verb(call.verb);
    if (verb == nullptr) return fail(Errc::not_found, "no operator verb '" + call.verb + "'");
    if (!call.by.may(verb->route.role)) {
        const Error why{Errc::permission_denied,
                        fmt::format("'{}' needs the role {}", call.verb, to_string(verb->route.role)),
                        fmt::format("{} has the role {}", call.by.name, to_string(call.by.role))};
        if (verb->mutates) services_.audit.refused(attempt_of(call), why, std::chrono::steady_clock::now());
        return std::unexpected(why);
    }
    if (verb->needs_reason && is_blank(text_of(call.args, "reason")))
        return fail(Errc::invalid_argument, "'" + call.verb + "' overrides something: it needs a reason",
                    "say why in `reason`");
    return verb->mutates ? run_audited(call) : dispatch(call);
}

Result<json> Admin::run_audited(const gateway::AdminCall& call) {
    auto begun = services_.audit.begin(attempt_of(call));
    const bool afterwards = !begun && waits_for_no_record(call);
    if (!begun && !afterwards) return std::unexpected(begun.error());
    auto result = dispatch(call);
    if (afterwards) begun = services_.audit.begin(attempt_of(call));
    if (begun) services_.audit.end(*begun, result);
    return result;
}

Result<json> Admin::dispatch(const gateway::AdminCall& call) {
    const auto node = text_of(call.args, "node");
    if (!node.empty() && node != services_.identity.name) return forward(node, call);
    return run_here(call);
}

Result<json> Admin::run_here(const gateway::AdminCall& call) {
    const auto handler = verbs_.find(call.verb);
    if (handler != verbs_.end()) return handler->second(call);
    return fail(Errc::unimplemented, "'" + call.verb + "' is not there on this node", "use another version");
}

Result<json> Admin::forward(const NodeName& node, gateway::AdminCall call, Duration deadline) {
    const auto& verb = call.verb;
    const auto& by = call.by;
    auto& args = call.args;
    const auto peers = services_.control.peers();
    const bool known = std::ranges::any_of(peers, [&](const auto& peer) { return peer.name == node; });
    if (!known)
        return fail(Errc::not_found, "no node '" + node + "' in this cluster",
                    "`dwcp-shell -c nodes` lists them");
    args.erase("node");
    const auto* known_verb = gateway::find_verb(verb);
    const bool has_limit =
        known_verb != nullptr && std::ranges::any_of(known_verb->route.parameters, [](const auto& parameter) {
            return parameter.name == "limit";
        });
    if (has_limit) args["limit"] = std::min(number_of(args, "limit", kRemoteListMax), kRemoteListMax);
    const auto promise = std::make_shared<std::promise<Result<Bytes>>>();
    auto answer = promise->get_future();
    services_.control.request(
        node, kAdminService,
        to_bytes(json{{"verb", verb},
                      {"args", args},
                      {"by", {{"role", to_string(by.role)}, {"name", by.name}, {"how", by.how}}}}
                     .dump(-1, ' ', false, json::error_handler_t::replace)),
        deadline, {}, [promise](Result<Bytes> reply) { promise->set_value(std::move(reply)); });
    const auto reply = answer.get();
    if (!reply) return std::unexpected(reply.error());
    auto parsed = gateway::parse_json(as_text(*reply));
    if (!parsed) return fail(Errc::internal, node + " answered something else than JSON");
    return parsed;
}

Result<gateway::AdminCall> call_of_peer(const links::PeerRequest& request) {
    auto parsed = gateway::parse_json(as_text(request.body));
    if (!parsed) return std::unexpected(parsed.error());
    const auto member = [&](const char* name) {
        const bool there = parsed->is_object() && parsed->contains(name) && (*parsed)[name].is_object();
        return there ? (*parsed)[name] : json();
    };
    const json args = member("args");
    if (args.is_null()) return fail(Errc::invalid_argument, "operator request of a peer is malformed");
    // The other node has authenticated who asks; what the verb needs is checked again here.
    const json by = member("by");
    gateway::AdminCall call{text_of(*parsed, "verb"), args, {}, request.from};
    if (by.is_object())
        call.by = {identity::parse_role(text_of(by, "role")).value_or(identity::Role::none),
                   text_of(by, "name"), text_of(by, "how")};
    call.args.erase("node"); // what was forwarded once ends here
    return call;
}

Result<Bytes> Admin::serve(const links::PeerRequest& request) {
    const auto call = call_of_peer(request);
    if (!call) return std::unexpected(call.error());
    auto answer = run(*call);
    if (!answer) return std::unexpected(answer.error());
    return to_bytes(answer->dump(-1, ' ', false, json::error_handler_t::replace));
}

} // namespace dwcp::node
