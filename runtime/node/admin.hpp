// Runs the operator's verbs, here or on another node of the cluster.
//
// Life cycle: one a node; add() for every verb, then run() and serve() from any thread until it is destroyed.
#pragma once

#include "runtime/node/admin_verbs.hpp"

#include <chrono>

namespace dwcp::node {

/// The control service behind `args.node`.
inline constexpr const char* kAdminService = "node/admin";

inline constexpr Duration kForwardDeadline = std::chrono::seconds(5);

/// What another node asks in somebody's name. Errors: invalid_argument, also for what is nested too deep to
/// be walked safely. Verb, role and arguments are not checked yet.
Result<gateway::AdminCall> call_of_peer(const links::PeerRequest& request);

class Admin {
  public:
    explicit Admin(AdminServices services);

    /// Before the first run(): what a verb does.
    void add(std::string verb, VerbHandler handler);
    const AdminServices& services() const { return services_; }

    /// Runs a verb on the node that `args.node` names, or here; one that changes something after its audit
    /// record was written, on both nodes. Errors: not_found (verb, node, actor), unimplemented,
    /// invalid_argument, permission_denied, what the link to that node says, and what the audit log says:
    /// then the verb did not run.
    Result<nlohmann::json> run(const gateway::AdminCall& call);
    /// Asks another node to run it, in the name of whoever asked here; no audit record of it is written here.
    Result<nlohmann::json> forward(const NodeName& node, gateway::AdminCall call,
                                   Duration deadline = kForwardDeadline);
    /// Keeps that somebody was turned away before a call was made of it.
    void refused(const gateway::AdminCall& call, const Error& why);
    /// Serves the same for other nodes.
    Result<Bytes> serve(const links::PeerRequest& request);

  private:
    Result<nlohmann::json> run_audited(const gateway::AdminCall& call);
    Result<nlohmann::json> dispatch(const gateway::AdminCall& call);
    Result<nlohmann::json> run_here(const gateway::AdminCall& call);

    const AdminServices services_;
    VerbTable verbs_;
};

} // namespace dwcp::node
