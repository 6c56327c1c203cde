#include "actors/gateway/json_body.hpp"
#include "actors/gateway/planning_routes.hpp"
#include "actors/gateway/query.hpp"
#include "actors/gateway/views.hpp"
#include "protocols/wire/limits.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

namespace dwcp::gateway {
namespace {

using http::Parameter;
using identity::Role;
using nlohmann::json;

constexpr std::size_t kPlanBytesMax = 256U << 10;
constexpr std::size_t kWorkloadsMax = 100;
constexpr std::size_t kNamesMax = 64;
constexpr std::size_t kNameBytesMax = 63;

Result<std::vector<std::string>> parse_names(const json* list, const std::string& where) {
    std::vector<std::string> names;
    if (list == nullptr) return names;
    for (const auto& item : *list) {
        const auto* name = item.get_ptr<const std::string*>();
        if (name == nullptr || name->empty() || name->size() > kNameBytesMax)
            return fail(Errc::invalid_argument, where + " holds something that is no name",
                        fmt::format("a name is a text of 1 to {} bytes", kNameBytesMax));
        names.push_back(*name);
    }
    return names;
}

struct Wanted {
    std::string id;
    allocator::Request request;
};

Result<Wanted> parse_wanted(const json& body, std::size_t number) {
    const std::string where = fmt::format("workload {}", number);
    Members members(body, where);
    Wanted wanted;
    wanted.id = members.required_text("id", wire::kWorkloadIdBytesMax);
    wanted.request.bytes = members.required_number("size_bytes", 0, std::uint64_t{1} << 60);
    wanted.request.replicas =
        static_cast<std::uint32_t>(members.number("replicas", 1, 1, wire::kReplicasMax));
    const auto* sites = members.list("sites", kNamesMax, false);
    const auto* without = members.list("without_nodes", kNamesMax, false);
    if (auto good = members.done(); !good) return std::unexpected(good.error());
    auto site_names = parse_names(sites, where + ": 'sites'");
    if (!site_names) return std::unexpected(site_names.error());
    wanted.request.sites = std::move(*site_names);
    auto node_names = parse_names(without, where + ": 'without_nodes'");
    if (!node_names) return std::unexpected(node_names.error());
    wanted.request.without = std::move(*node_names);
    return wanted;
}

json verdict_json(const allocator::NodeVerdict& verdict) {
    json body = {
        {"node", verdict.name}, {"site", verdict.site}, {"score", nullptr}, {"reason", verdict.reason}};
    if (verdict.score) body["score"] = *verdict.score;
    return body;
}

json placement_json(const std::string& id, const allocator::PlannedPlacement& planned) {
    json body = {{"id", id}, {"nodes", json::array()}, {"explanation", json::array()}};
    for (const auto& verdict : planned.verdicts)
        body["explanation"].push_back(verdict_json(verdict));
    if (planned.placement)
        body["nodes"] = planned.placement->nodes;
    else
        body["error"] = json::parse(http::error_body(planned.placement.error())).at("error");
    return body;
}

http::Response plan(const http::Request& request, Backend& backend) {
    const auto body = read_json(request, kPlanBytesMax);
    if (!body) return http::error_response(body.error());
    Members members(*body, "the body");
    const auto* workloads = members.list("workloads", kWorkloadsMax, true);
    if (auto good = members.done(); !good) return http::error_response(good.error());
    allocator::PlanPlacements question;
    std::vector<std::string> ids;
    for (const auto& item : *workloads) {
        auto wanted = parse_wanted(item, ids.size() + 1);
        if (!wanted) return http::error_response(wanted.error());
        ids.push_back(std::move(wanted->id));
        question.requests.push_back(std::move(wanted->request));
    }
    const auto planned = backend.plan(question);
    if (!planned) return http::error_response(planned.error());
    auto allocations = json::array();
    for (std::size_t i = 0; i < ids.size(); ++i)
        allocations.push_back(placement_json(ids[i], planned->list.at(i)));
    return json_response({{"allocations", std::move(allocations)}, {"rule", "least allocated"}});
}

http::Response recent(const http::Request& request, Backend& backend) {
    const auto limit = number_param(request, "limit", 100, 1, allocator::kDecisionsKept);
    if (!limit) return http::error_response(limit.error());
    const auto decisions = backend.decisions(*limit);
    if (!decisions) return http::error_response(decisions.error());
    auto list = json::array();
    for (const auto& decision : decisions->list)
        list.push_back({{"time_ms", decision.time_ms},
                        {"workload", decision.workload},
                        {"size_bytes", decision.bytes},
                        {"replicas", decision.replicas},
                        {"nodes", decision.nodes},
                        {"problem", decision.problem}});
    return json_response({{"allocations", std::move(list)}});
}

} // namespace

void register_allocation_routes(DataRoutes& routes) {
    using http::Request;
    routes.add(
        {.method = "POST",
         .pattern = "/v1/allocations",
         .group = "Allocations",
         .sentence = "Where replicas would go now, and why. Nothing is reserved; later workloads of the "
                     "request see the room that earlier ones take.",
         .role = Role::viewer,
         .parameters = {{"workloads", "body",
                         "Up to 100 objects: `id`, `size_bytes` (of each replica), `replicas` (1 to 16, 1 "
                         "without), `sites` (only there), `without_nodes`.",
                         true, Parameter::Type::list}},
         .answer = "`rule`, and `allocations`, in order: each `id`, `nodes` (best first; one a site), "
                   "`explanation` of every node, best first (`node`, `site`, `score` 0 to 100 or null, "
                   "`reason`), and `error` if it cannot be placed.",
         .example = R"(curl -d '{"workloads": [{"id": "w1", "size_bytes": 1000000, "replicas": 2}]}' )"
                    "http://127.0.0.1:8101/v1/allocations",
         .work = health::Work::read},
        [](Request& r, Shared& s) { return plan(r, s.backend); });
    routes.add(
        {.method = "GET",
         .pattern = "/v1/allocations",
         .group = "Allocations",
         .sentence = "What this node's allocator decided lately, the latest first; a restart of it forgets.",
         .role = Role::viewer,
         .parameters = {{"limit", "query", "At most so many, 1 to 256; 100 without.", false,
                         Parameter::Type::number}},
         .answer = "`allocations`: each `time_ms`, `workload`, `size_bytes` (0: not announced), `replicas`, "
                   "`nodes`, empty with a `problem` if it was refused.",
         .example = "curl 'http://127.0.0.1:8101/v1/allocations?limit=10'"},
        [](Request& r, Shared& s) { return recent(r, s.backend); });
}

} // namespace dwcp::gateway
