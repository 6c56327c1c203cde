#include "actors/gateway/transaction_routes.hpp"

#include "actors/gateway/query.hpp"
#include "actors/gateway/views.hpp"
#include "protocols/consensus/lane.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dwcp::gateway {
namespace {

using http::Parameter;
using identity::Role;

constexpr std::size_t kTransactionIdBytesMax = 64;
constexpr std::size_t kWorkloadsDefault = 100;
constexpr std::array<std::string_view, 4> kWorkloadStates{"open", "sealed", "committed", "failed"};

Result<void> check_transaction_id(const std::string& id) {
    const bool plain = std::ranges::all_of(
        id, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
    if (!plain || id.empty() || id.size() > kTransactionIdBytesMax)
        return fail(Errc::invalid_argument, fmt::format("'{}' is not a transaction id", id),
                    fmt::format("use 1 to {} letters, digits, '-', '_' or '.'", kTransactionIdBytesMax));
    return {};
}

http::Response submit_transaction(http::Request& request, Backend& backend) {
    std::string id = request.header("X-DWCP-Transaction-Id").value_or("");
    if (!id.empty())
        if (auto good = check_transaction_id(id); !good) return http::error_response(good.error());
    const auto payload = http::read_text(request, consensus::kCommandBytes);
    if (!payload) return http::error_response(payload.error());
    if (payload->empty())
        return http::error_response(
            {Errc::invalid_argument, "a transaction needs a body", "send its payload"});
    const auto decision = backend.route({"transaction", id, request.urgency.deadline});
    if (!decision) return http::error_response(decision.error());
    request.id = decision->id;
    if (id.empty()) id = decision->id;
    request.workload = id;
    const auto committed = backend.submit_transaction(id, to_bytes(*payload), request.urgency.deadline);
    if (!committed) return http::error_response(committed.error());
    return json_response({{"id", id},
                          {"lane", "bulk"},
                          {"index", committed->index},
                          {"time_ms", committed->time_ms},
                          {"duplicate", committed->duplicate}},
                         201);
}

http::Response find_transaction(const http::Request& request, Backend& backend) {
    if (auto good = check_transaction_id(request.rest); !good) return http::error_response(good.error());
    const auto record = backend.find_transaction(request.rest);
    if (!record) return http::error_response(record.error());
    if (!*record)
        return http::error_response({Errc::not_found,
                                     fmt::format("no transaction '{}' is committed here", request.rest),
                                     "if it was just submitted, ask again"});
    return json_response(transaction_json(request.rest, **record));
}

http::Response list_workloads(const http::Request& request, Backend& backend) {
    const auto limit = number_param(request, "limit", kWorkloadsDefault, 1, manager::kReportsMax);
    if (!limit) return http::error_response(limit.error());
    const auto state = choice_param(request, "state", kWorkloadStates);
    if (!state) return http::error_response(state.error());
    const auto reports = backend.workloads({"", *state, *limit});
    if (!reports) return http::error_response(reports.error());
    auto list = nlohmann::json::array();
    for (const auto& report : reports->list)
        list.push_back(workload_json(report));
    return json_response({{"workloads", std::move(list)}});
}

http::Response find_workload(const http::Request& request, Backend& backend) {
    const auto reports = backend.workloads({request.rest});
    if (!reports) return http::error_response(reports.error());
    if (reports->list.empty())
        return http::error_response({Errc::not_found,
                                     fmt::format("this node knows no workload '{}'", request.rest),
                                     "ask the node that took it in"});
    return json_response(workload_json(reports->list.front()));
}

const Parameter kTransaction{"id", "path", "The transaction's id.", true};
const Parameter kWorkload{"id", "path", "The workload's id, as its answer said.", true};

} // namespace

void register_transaction_routes(DataRoutes& routes) {
    using http::Request;
    routes.add(
        {.method = "POST",
         .pattern = "/v1/transactions",
         .group = "Transactions",
         .sentence = "Commits a transaction, the body, exactly once by its id.",
         .role = Role::writer,
         .parameters = {{"X-DWCP-Transaction-Id", "header",
                         "1 to 64 letters, digits, '-', '_' or '.': repeat it to try again. Without, the "
                         "node makes one up."}},
         .answer = "201 with `id`, `lane`, `index`, `time_ms` and `duplicate`: whether it had been committed "
                   "before. 409 if the id was used for another payload.",
         .example = "curl -H 'X-DWCP-Transaction-Id: pay-1' -d 'pay 5 to Ann' "
                    "http://127.0.0.1:8101/v1/transactions"},
        [](Request& r, Shared& s) { return submit_transaction(r, s.backend); });
    routes.add({.method = "GET",
                .pattern = "/v1/transactions/*",
                .group = "Transactions",
                .sentence = "A committed transaction.",
                .role = Role::viewer,
                .parameters = {kTransaction},
                .answer = "`id`, `lane`, `index`, `time_ms`, `proposer`, `payload_bytes`, `payload_sha256`.",
                .example = "curl http://127.0.0.1:8101/v1/transactions/pay-1"},
               [](Request& r, Shared& s) { return find_transaction(r, s.backend); });
}

void register_workload_routes(DataRoutes& routes) {
    using http::Request;
    routes.add(
        {.method = "GET",
         .pattern = "/v1/workloads",
         .group = "Workloads",
         .sentence = "What this node has under way, has done, or gave up and why; the latest change first.",
         .role = Role::viewer,
         .parameters = {{"state", "query", "Only `open`, `sealed`, `committed` or `failed` ones."},
                        {"limit", "query", "At most so many, 1 to 1000; 100 without.", false,
                         Parameter::Type::number}},
         .answer = "`workloads`: each `id`, `key`, `state`, `reason`, `manager`, `updated_ms`, `size_bytes`, "
                   "`index`, `resumed` (taken up again after a crash).",
         .example = "curl 'http://127.0.0.1:8101/v1/workloads?state=failed'"},
        [](Request& r, Shared& s) { return list_workloads(r, s.backend); });
    routes.add({.method = "GET",
                .pattern = "/v1/workloads/*",
                .group = "Workloads",
                .sentence = "One workload that this node took in.",
                .role = Role::viewer,
                .parameters = {kWorkload},
                .answer = "As in the list.",
                .example = "curl http://127.0.0.1:8101/v1/workloads/3f2a5c0e9b7d41e6a8c1d2e3f4a5b6c7"},
               [](Request& r, Shared& s) { return find_workload(r, s.backend); });
}

} // namespace dwcp::gateway
