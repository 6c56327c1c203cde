#include "runtime/node/admin.hpp"

#include "actors/consensus/messages.hpp"
#include "actors/gateway/operator_verbs.hpp"
#include "actors/manager/messages.hpp"
#include "actors/supervisor/messages.hpp"
#include "runtime/caf/call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>

namespace dwcp::node {
namespace {

using nlohmann::json;

constexpr Duration kProbeDeadline = std::chrono::seconds(1);
constexpr Duration kAskDeadline = std::chrono::seconds(2);
constexpr Duration kRemoteDeadline = std::chrono::seconds(5);
constexpr std::size_t kEventsDefault = 100;
/// Over the control link an answer has 64 KiB, here there is no need for more than an operator reads.
constexpr std::size_t kEventsMax = 1000;
constexpr std::size_t kRemoteEventsMax = 100;
constexpr const char* kLanes[] = {"consensus/metadata", "consensus/bulk"};

TimePoint now() { return std::chrono::steady_clock::now(); }

double milliseconds_since(TimePoint then) {
    return std::chrono::duration<double, std::milli>(now() - then).count();
}

std::string text_of(const json& args, const char* key) {
    const auto found = args.find(key);
    return found != args.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const json& args, const char* key, std::uint64_t otherwise) {
    const auto found = args.find(key);
    return found != args.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : otherwise;
}

} // namespace

Admin::Admin(AdminServices services) : services_(std::move(services)), started_(now()) {}

Result<json> Admin::run(const gateway::AdminCall& call) {
    const auto node = text_of(call.args, "node");
    if (!node.empty() && node != services_.identity.name) return run_there(node, call);
    return run_here(call);
}

Result<json> Admin::run_here(const gateway::AdminCall& call) {
    const auto& [verb, args, by] = call;
    if (verb == "status") return status();
    if (verb == "nodes") return nodes();
    if (verb == "tree") return tree();
    if (verb == "actor.show") return actor_show(text_of(args, "path"));
    if (verb == "actor.kill" || verb == "actor.restart") return actor_command(verb, args);
    if (verb == "events") return events(args);
    return fail(Errc::not_found, "no operator verb '" + verb + "'");
}

Result<json> Admin::run_there(const NodeName& node, gateway::AdminCall call) {
    auto& [verb, args, by] = call;
    const auto peers = services_.control.peers();
    const bool known = std::ranges::any_of(peers, [&](const auto& peer) { return peer.name == node; });
    if (!known)
        return fail(Errc::not_found, "no node '" + node + "' in this cluster",
                    "`dwcp-shell -c nodes` lists them");
    args.erase("node");
    if (verb == "events") {
        args["limit"] = std::min<std::uint64_t>(number_of(args, "limit", kEventsDefault), kRemoteEventsMax);
    }
    const auto promise = std::make_shared<std::promise<Result<Bytes>>>();
    auto answer = promise->get_future();
    services_.control.request(
        node, kAdminService,
        to_bytes(json{{"verb", verb},
                      {"args", args},
                      {"by", {{"role", to_string(by.role)}, {"name", by.name}, {"how", by.how}}}}
                     .dump(-1, ' ', false, json::error_handler_t::replace)),
        kRemoteDeadline, {}, [promise](Result<Bytes> reply) { promise->set_value(std::move(reply)); });
    const auto reply = answer.get();
    if (!reply) return std::unexpected(reply.error());
    auto parsed = json::parse(as_text(*reply), nullptr, false);
    if (parsed.is_discarded()) return fail(Errc::internal, node + " answered something that is not JSON");
    return parsed;
}

Result<Bytes> Admin::serve(const links::PeerRequest& request) {
    const auto parsed = json::parse(as_text(request.body), nullptr, false);
    if (!parsed.is_object() || !parsed.contains("args") || !parsed["args"].is_object()) {
        return fail(Errc::invalid_argument, "operator request of a peer is malformed");
    }
    // The other node has authenticated who asks; what the verb needs is checked again here.
    gateway::AdminCall call{text_of(parsed, "verb"), parsed["args"], {}};
    const json by = parsed.contains("by") && parsed["by"].is_object() ? parsed["by"] : json::object();
    call.by = {identity::parse_role(text_of(by, "role")).value_or(identity::Role::none),
               text_of(by, "name") + " via " + request.from, text_of(by, "how")};
    const auto* verb = gateway::find_verb(call.verb);
    if (verb != nullptr && !call.by.may(verb->route.role))
        return fail(Errc::permission_denied,
                    fmt::format("'{}' needs the role {}", call.verb, to_string(verb->route.role)));
    if (call.args.contains("who")) call.args["who"] = text_of(call.args, "who") + " via " + request.from;
    auto answer = run_here(call);
    if (!answer) return std::unexpected(answer.error());
    return to_bytes(answer->dump(-1, ' ', false, json::error_handler_t::replace));
}

json Admin::lanes() {
    json lanes = json::array();
    for (const auto* path : kLanes) {
        const auto reply = actor::call(services_.system, services_.resolver, path, consensus::QueryLane{},
                                       now() + kAskDeadline);
        if (!reply) continue;
        const auto& s = (*reply)->status;
        lanes.push_back({{"lane", s.lane},
                         {"engine", s.engine},
                         {"sequencer", s.sequencer},
                         {"members", s.members},
                         {"quorum", s.quorum},
                         {"members_up", s.members_up},
                         {"last_index", s.last_index},
                         {"committed", s.committed},
                         {"applied", s.applied},
                         {"available", s.available},
                         {"note", s.note}});
    }
    return lanes;
}

json Admin::workload_counts() {
    json counts{{"open", 0}, {"sealed", 0}, {"committed", 0}, {"failed", 0}};
    for (std::uint32_t i = 0; i < services_.manager_instances; ++i) {
        const auto reply = actor::call(services_.system, services_.resolver, "manager/" + std::to_string(i),
                                       manager::QueryWorkloads{}, now() + kAskDeadline);
        if (!reply) continue;
        for (const auto& report : (*reply)->list)
            counts[report.state] = counts[report.state].get<int>() + 1;
    }
    return counts;
}

json Admin::status() {
    const auto checks = health();
    std::uint64_t restarts = 0;
    const auto children = services_.board.all();
    for (const auto& child : children)
        restarts += child.restarts;
    const auto stats = services_.store.stats();
    return {{"node", services_.identity.name},
            {"site", services_.identity.site},
            {"cluster", services_.identity.cluster_id},
            {"incarnation", fmt::format("{:016x}", services_.identity.incarnation)},
            {"public_key", services_.identity.public_key().hex()},
            {"version", DWCP_VERSION},
            {"state", *services_.draining ? "draining" : "running"},
            {"uptime_s", milliseconds_since(started_) / 1000},
            {"health", checks["status"]},
            {"actors", children.size()},
            {"restarts_total", restarts},
            {"workloads", workload_counts()},
            {"store",
             {{"blocks_bytes", stats.blocks_bytes},
              {"disk_free_bytes", stats.disk_free_bytes},
              {"corruptions", stats.corruptions}}},
            {"lanes", lanes()}};
}

json Admin::nodes() {
    json list = json::array();
    list.push_back({{"name", services_.identity.name},
                    {"site", services_.identity.site},
                    {"self", true},
                    {"up", true},
                    {"address", services_.control_address},
                    {"incarnation", fmt::format("{:016x}", services_.identity.incarnation)},
                    {"rtt_ms", 0},
                    {"since_ms", unix_now_ms() - static_cast<UnixMillis>(milliseconds_since(started_))},
                    {"problem", ""}});
    const auto data = services_.data.status();
    for (const auto& peer : services_.control.peers()) {
        json entry{{"name", peer.name},       {"site", peer.site},
                   {"self", false},           {"up", peer.up},
                   {"address", peer.address}, {"incarnation", fmt::format("{:016x}", peer.incarnation)},
                   {"rtt_ms", peer.rtt_ms},   {"since_ms", peer.since_ms},
                   {"problem", peer.problem}};
        for (const auto& link : data) {
            if (link.name != peer.name) continue;
            entry["data"] = {{"up", link.up},
                             {"streams", link.streams},
                             {"streams_wanted", link.streams_wanted},
                             {"reason", link.reason},
                             {"congestion", link.congestion},
                             {"delivery_rate_mbps", link.delivery_rate_bps / 1e6},
                             {"rtt_ms", link.rtt_ms},
                             {"loss_ratio", link.loss_ratio},
                             {"bytes_sent", link.bytes_sent},
                             {"bytes_received", link.bytes_received},
                             {"queued", link.queued},
                             {"bad_frames", link.bad_frames}};
        }
        list.push_back(std::move(entry));
    }
    return {{"nodes", std::move(list)}};
}

json Admin::tree() {
    json actors = json::array();
    for (const auto& child : services_.board.all()) {
        json entry{{"path", child.path}, {"parent", child.parent},     {"state", child.state},
                   {"life", child.life}, {"restarts", child.restarts}, {"last_reason", child.last_reason}};
        const auto live = services_.resolver.find(child.path);
        entry["uptime_ms"] = live ? milliseconds_since(live->since) : 0.0;
        entry["mailbox_depth"] = live ? live->stats->depth() : 0;
        entry["mailbox_rejected"] = live ? live->stats->rejected.load() : 0;
        entry["busy_ms"] = live ? static_cast<double>(live->stats->busy_ns.load()) / 1e6 : 0.0;
        actors.push_back(std::move(entry));
    }
    return {{"node", services_.identity.name}, {"actors", std::move(actors)}};
}

Result<json> Admin::actor_show(const std::string& path) {
    const json all = tree(); // a loop over a part of a temporary would outlive it
    for (const auto& entry : all["actors"]) {
        if (entry["path"] != path) continue;
        json found = entry;
        found["node"] = services_.identity.name;
        return found;
    }
    return fail(Errc::not_found, "no actor at '" + path + "' on " + services_.identity.name,
                "`dwcp-shell -c tree` lists them");
}

Result<json> Admin::actor_command(const std::string& verb, const json& args) {
    using supervisor::ActorCommand;
    const ActorCommand command{verb == "actor.kill" ? ActorCommand::Verb::kill : ActorCommand::Verb::restart,
                               text_of(args, "path"), text_of(args, "who")};
    // Recorded before it runs, so that a command that takes the node down leaves its trace.
    services_.events.record("operator_command", command.path, {{"verb", verb}, {"who", command.who}});
    const auto done =
        actor::call(services_.system, services_.resolver, "supervisor", command, now() + kAskDeadline);
    if (!done) return std::unexpected(done.error());
    return json{{"outcome", (*done)->outcome}};
}

json Admin::events(const json& args) {
    const auto limit = std::min<std::uint64_t>(number_of(args, "limit", kEventsDefault), kEventsMax);
    const auto found = args.contains("after") ? services_.events.since(number_of(args, "after", 0), limit)
                                              : services_.events.latest(limit);
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
    return {{"node", services_.identity.name}, {"events", std::move(list)}, {"last_id", last}};
}

json Admin::health() {
    json checks = json::array();
    bool broken = false;
    bool impaired = false;
    const auto check = [&](const std::string& name, bool ok, const std::string& detail, TimePoint begin,
                           bool vital) {
        checks.push_back(
            {{"name", name}, {"ok", ok}, {"detail", detail}, {"seconds", milliseconds_since(begin) / 1000}});
        (vital ? broken : impaired) |= !ok;
    };
    for (const auto& child : services_.board.all()) {
        const auto begin = now();
        const auto live = services_.resolver.find(child.path);
        std::string detail = live ? "" : "is " + child.state;
        if (live) {
            // CAF answers this question through the actor's mailbox, whatever its handlers are.
            caf::scoped_actor self{services_.system};
            self->request(live->handle, kProbeDeadline, caf::sys_atom_v, caf::get_atom_v, "info")
                .receive(
                    [](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&, const std::string&) {},
                    [&](const caf::error& error) { detail = actor::from_caf(error).message; });
        }
        // One that is being restarted is the supervisor doing its work; one that is there and does not answer
        // is broken.
        check("actor " + child.path, detail.empty(), detail, begin, live.has_value());
    }
    {
        const auto begin = now();
        store::Batch batch;
        batch.put(store::Family::state, "health/probe", to_bytes(std::to_string(unix_now_ms())));
        const auto written = services_.store.write(batch, store::Sync::yes);
        check("store write", written.has_value(), written ? "" : written.error().message, begin, true);
    }
    for (const auto& peer : services_.control.peers())
        check("peer " + peer.name, peer.up, peer.problem, now(), false);
    for (const auto& lane : lanes()) {
        check("lane " + lane["lane"].get<std::string>(), lane["available"].get<bool>(),
              lane["note"].get<std::string>(), now(), false);
    }
    return {{"status", broken     ? "unhealthy"
                       : impaired ? "degraded"
                                  : "healthy"},
            {"checks", std::move(checks)}};
}

} // namespace dwcp::node
