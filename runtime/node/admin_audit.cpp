// `audit list` and `audit verify`.
#include "runtime/node/admin_verbs.hpp"

#include <algorithm>

namespace dwcp::node {
namespace {

using nlohmann::json;

constexpr std::size_t kRecordsDefault = 100;
constexpr std::size_t kRecordsMax = 1000;

json head_json(const audit::Head& head) { return {{"n", head.n}, {"hash", head.hash.hex()}}; }

Result<json> list(const AdminServices& services, const json& args) {
    const auto limit = std::clamp<std::uint64_t>(number_of(args, "limit", kRecordsDefault), 1, kRecordsMax);
    auto records = args.contains("after") ? services.audit.since(number_of(args, "after", 0), limit)
                                          : services.audit.latest(limit);
    if (!records) return std::unexpected(records.error());
    return json{{"node", services.identity.name},
                {"records", std::move(*records)},
                {"head", head_json(services.audit.head())},
                {"size_bytes", services.audit.size_bytes()}};
}

Result<json> verify(const AdminServices& services, const json& args) {
    std::optional<audit::Head> noted;
    if (args.contains("head")) {
        noted = audit::parse_head(text_of(args, "head"));
        if (!noted)
            return fail(Errc::invalid_argument,
                        "'" + text_of(args, "head") + "' is not a head of the audit log",
                        "give NUMBER-HASH as an audit_record line of the node's log says it");
    }
    const auto verdict = services.audit.verify(noted);
    if (!verdict.ok())
        services.events.record("audit_broken", services.identity.name,
                               {{"at", std::to_string(verdict.broken_at)}, {"problem", verdict.problem}});
    json answer{{"node", services.identity.name},
                {"ok", verdict.ok()},
                {"records", verdict.head.n},
                {"head", head_json(verdict.head)}};
    if (!verdict.ok()) {
        answer["broken_at"] = verdict.broken_at;
        answer["problem"] = verdict.problem;
    }
    return answer;
}

} // namespace

void add_audit_verbs(VerbTable& verbs, const AdminServices& services) {
    verbs["audit.list"] = [&services](const gateway::AdminCall& call) { return list(services, call.args); };
    verbs["audit.verify"] = [&services](const gateway::AdminCall& call) {
        return verify(services, call.args);
    };
}

} // namespace dwcp::node
