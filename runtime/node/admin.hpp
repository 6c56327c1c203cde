// The operator's verbs as JSON, here or on another node of the cluster.
#pragma once

#include "actors/gateway/backend.hpp"
#include "actors/supervisor/board.hpp"
#include "protocols/base/result.hpp"
#include "runtime/base/events.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/store/store.hpp"

#include <caf/actor_system.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <memory>

namespace dwcp::node {

/// The control service behind `args.node`.
inline constexpr const char* kAdminService = "node/admin";

struct AdminServices {
    const identity::Identity& identity;
    caf::actor_system& system;
    actor::Resolver& resolver;
    supervisor::Board& board;
    EventRing& events;
    store::Store& store;
    links::ControlLinks& control;
    links::DataPlane& data;
    std::shared_ptr<const std::atomic<bool>> draining;
    std::uint32_t manager_instances = 0;
    std::string control_address;
};

class Admin {
  public:
    explicit Admin(AdminServices services);

    /// Runs a verb on the node that `args.node` names, or here. Errors: not_found (verb, node, actor),
    /// invalid_argument, and what the link to that node says.
    Result<nlohmann::json> run(const gateway::AdminCall& call);
    /// Serves the same for other nodes.
    Result<Bytes> serve(const links::PeerRequest& request);

    /// Probes every actor through its mailbox, the store by a write, and looks at links and lanes.
    nlohmann::json health();

  private:
    Result<nlohmann::json> run_here(const gateway::AdminCall& call);
    Result<nlohmann::json> run_there(const NodeName& node, gateway::AdminCall call);
    nlohmann::json status();
    nlohmann::json nodes();
    nlohmann::json tree();
    nlohmann::json lanes();
    nlohmann::json workload_counts();
    Result<nlohmann::json> actor_show(const std::string& path);
    Result<nlohmann::json> actor_command(const std::string& verb, const nlohmann::json& args);
    nlohmann::json events(const nlohmann::json& args);

    const AdminServices services_;
    const TimePoint started_;
};

} // namespace dwcp::node
