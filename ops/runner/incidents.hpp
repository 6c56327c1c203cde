// What goes wrong on purpose during a run: an actor of every system is killed, and one whole node.
//
// Each function does its incident, waits until the cluster has recovered or its limit is over, and returns
// what was measured. Called one after another from the thread that owns the cluster, while the clients work.
#pragma once

#include "ops/runner/cluster.hpp"

namespace dwcp::runner {

struct ActorKill {
    std::string path;
    std::string node;
    bool back = false;
    double back_ms = 0;  ///< From the kill until the supervisor shows its next life as running.
    double serve_ms = 0; ///< From the kill until a request that needs it has succeeded.
    std::string problem;
};

/// One actor for each system (the part of the path before '/'), each lane of consensus, in the order of the
/// tree.
std::vector<std::string> actors_to_kill(NodeClient& client);

ActorKill kill_actor(Node& node, const std::string& path);

struct NodeKill {
    std::string node;
    bool happened = false;
    double away_ms = 0;  ///< From the kill until it was started again.
    double ready_ms = 0; ///< From its start until /ready.
    double decided_ms =
        0; ///< From its start until each of its workloads was reported as committed or failed.
    double connected_ms = 0;      ///< From its start until all nodes see each other.
    std::size_t workloads = 0;    ///< That it had taken in before it was killed.
    std::size_t acknowledged = 0; ///< Of these, those whose client had its receipt.
    std::size_t committed = 0;
    std::size_t failed = 0;
    std::size_t undecided = 0; ///< Neither, or not reported at all.
    std::size_t lost = 0;      ///< Acknowledged or committed, but not readable as sent from another site.
    std::string problem;
};

/// Sends workloads to a node, kills it with SIGKILL while they are in all stages, starts it again and follows
/// what becomes of them. What it must still have is read through the first node.
NodeKill kill_node(Cluster& cluster, std::size_t index);

} // namespace dwcp::runner
