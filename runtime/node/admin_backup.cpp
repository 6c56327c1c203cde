#include "runtime/node/admin_backup.hpp"

namespace dwcp::node {
namespace {

using nlohmann::json;

/// Another node's arguments come unchecked: a scope that is no text, a cut that is no object.
Result<json> checked(const std::function<Result<json>()>& work) {
    try {
        return work();
    } catch (const json::exception&) {
        return fail(Errc::invalid_argument, "the arguments of the backup verb are malformed");
    }
}

} // namespace

void add_backup_verbs(Admin& admin, BackupService& backups) {
    admin.add("backup.now", [&admin, &backups](const gateway::AdminCall& call) {
        // In the name of whoever asked for the whole.
        auto ask = [&admin, call](const NodeName& node, const std::string& verb, json args) {
            gateway::AdminCall there = call;
            there.verb = verb;
            there.args = std::move(args);
            there.args["node"] = node;
            return admin.run(there);
        };
        return checked([&]() -> Result<json> {
            if (flag_of(call.args, "dry_run")) return backups.plan(call.args);
            return backups.start(call.args, std::move(ask));
        });
    });
    admin.add("backup.list", [&backups](const gateway::AdminCall&) { return backups.list(); });
    admin.add("backup.show", [&backups](const gateway::AdminCall& call) {
        return backups.show(text_of(call.args, "path"));
    });
    admin.add("backup.verify", [&backups](const gateway::AdminCall& call) -> Result<json> {
        const std::string id = text_of(call.args, "id");
        if (flag_of(call.args, "dry_run")) return backups.show(id);
        return backups.verify(id);
    });
}

} // namespace dwcp::node
