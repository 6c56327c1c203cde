// The actors of a node, declared in one place: which there are, what each is made from, in which order they
// start, and how each is brought back.
//
// plan_tree() is read top down like a table. To add an actor: one line in its section of tree.cpp, and what
// it needs as a member of TreeServices, which the node fills. A consensus lane is one line in kLanes and one
// in machine_of().
#pragma once

#include "actors/consensus/state_machine.hpp"
#include "actors/manager/manager_actor.hpp"
#include "actors/supervisor/supervisor_actor.hpp"
#include "protocols/wire/control.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/config/config.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/node/live_config.hpp"
#include "runtime/node/ramp_node.hpp"
#include "runtime/release/release_registry.hpp"
#include "runtime/store/store.hpp"

#include <caf/actor_system.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dwcp::node {

/// What actors are made from. All of it outlives the actors; the factories keep references.
struct TreeServices {
    const config::NodeConfig& config;
    const LiveConfig& live;
    caf::actor_system& system;
    EventRing& events;
    store::Store& store;
    links::DataPlane& data;
    links::ControlLinks& control;
    WorkerPool& disk;
    WorkerPool& codecs;
    manager::BlockKeeper& keeper;
    manager::Metadata& metadata;
    manager::OpenUploads& uploads;
    consensus::StateMachine& transactions;
    RampNode& ramp;
    release::ReleaseRegistry& releases;
    chaos::CanaryFaults& canary_faults;
    std::function<wire::NodeSpace()> own_space;
    std::shared_ptr<std::atomic<bool>> draining;
};

/// The consensus lanes of every node that takes part in consensus; each lives at "consensus/NAME".
inline constexpr std::array<const char*, 3> kLanes{"control", "metadata", "bulk"};

std::shared_ptr<const supervisor::Plan> plan_tree(const TreeServices& services);

/// How many restarts the whole node may do.
supervision::BudgetLimits restart_budget(const config::NodeConfig& config);

/// Who is told when the link to a peer comes or goes (consensus::PeerChanged).
std::vector<std::string> paths_told_of_peers(const config::NodeConfig& config);

/// Of the lanes: the configured one, else the first by name.
NodeName sequencer_of(const config::NodeConfig& config);
/// This node and its peers, sorted.
std::vector<NodeName> members_of(const config::NodeConfig& config);

} // namespace dwcp::node
