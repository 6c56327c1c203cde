// What the operator's verbs do on this node: a table verb -> handler, filled room by room. The verbs' names,
// routes, roles and parameters stand in actors/gateway/operator_verbs.cpp; a verb that has a route and no
// handler here is answered with Errc::unimplemented.
//
// A handler runs on an HTTP worker or on a thread of the control link, with checked arguments and a checked
// role; a mutating one runs after its audit record was written (admin.cpp names the few that a full disk must
// not stop). Handlers are thread-safe.
#pragma once

#include "actors/gateway/backend.hpp"
#include "actors/supervisor/board.hpp"
#include "actors/supervisor/messages.hpp"
#include "protocols/base/result.hpp"
#include "runtime/audit/audit_log.hpp"
#include "runtime/base/deadlines.hpp"
#include "runtime/base/events.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/chaos/canary_faults.hpp"
#include "runtime/chaos/faults.hpp"
#include "runtime/chaos/kill_points.hpp"
#include "runtime/chaos/link_faults.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/release/release_registry.hpp"
#include "runtime/resilience/breakers.hpp"
#include "runtime/store/store.hpp"
#include "runtime/tls/context.hpp"

#include <caf/actor_system.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace dwcp::node {

class Health;
class LiveConfig;

/// What handlers work with; all of it outlives them.
struct AdminServices {
    const identity::Identity& identity;
    caf::actor_system& system;
    actor::Resolver& resolver;
    supervisor::Board& board;
    EventRing& events;
    store::Store& store;
    links::ControlLinks& control;
    links::DataPlane& data;
    Health& health;
    audit::AuditLog& audit;
    LiveConfig& config;
    Deadlines& deadlines;
    chaos::Faults& faults;
    chaos::LinkFaults& link_faults;
    chaos::CanaryFaults& canary_faults;
    release::ReleaseRegistry& releases;
    resilience::Breakers& breakers;
    chaos::KillPoints& kill_points;
    std::shared_ptr<std::atomic<bool>> draining;
    std::shared_ptr<const std::atomic<bool>> ending; ///< The process was told to end.
    std::uint32_t manager_instances = 0;
    std::string control_address;
    TimePoint started;
    std::shared_ptr<const tls::Context> tls; ///< Null: this node speaks plain text.
    std::uint64_t disk_reserve_bytes = 0;    ///< What the store leaves free: beyond it blocks are refused.
};

using VerbHandler = std::function<Result<nlohmann::json>(const gateway::AdminCall&)>;
using VerbTable = std::map<std::string, VerbHandler, std::less<>>;

void add_status_verbs(VerbTable& verbs, const AdminServices& services);
void add_actor_verbs(VerbTable& verbs, const AdminServices& services);
void add_event_verbs(VerbTable& verbs, const AdminServices& services);
void add_audit_verbs(VerbTable& verbs, const AdminServices& services);
void add_config_verbs(VerbTable& verbs, const AdminServices& services);
void add_node_verbs(VerbTable& verbs, const AdminServices& services);
void add_breaker_verbs(VerbTable& verbs, const AdminServices& services);
void add_chaos_verbs(VerbTable& verbs, const AdminServices& services);
/// Asks the others: `verbs` must stay where it is.
void add_bundle_verb(VerbTable& verbs, const AdminServices& services);

/// Has the supervisor that owns the actor do it.
Result<nlohmann::json> command_actor(const AdminServices& services, const supervisor::ActorCommand& command);

/// How long a verb waits for an actor of this node.
inline constexpr Duration kAskDeadline = std::chrono::seconds(2);

/// The state of this node's lanes, for `status` and for health; a lane that does not answer is left out.
nlohmann::json lane_states(caf::actor_system& system, const actor::Resolver& resolver, TimePoint deadline);

/// How many of the managers' workloads are in which state.
nlohmann::json workload_counts(const AdminServices& services);

// Arguments of a call; they were checked against the verb's parameters.
std::string text_of(const nlohmann::json& args, const char* key);
std::uint64_t number_of(const nlohmann::json& args, const char* key, std::uint64_t otherwise);
bool flag_of(const nlohmann::json& args, const char* key);

double milliseconds_since(TimePoint then);

} // namespace dwcp::node
