#include "runtime/node/tree.hpp"

#include "actors/allocator/allocator_actor.hpp"
#include "actors/compression/compression_actor.hpp"
#include "actors/consensus/lane_actor.hpp"
#include "actors/gateway/gateway_actor.hpp"
#include "actors/ramp/ramp_actor.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace dwcp::node {
namespace {

using supervisor::Child;
using Children = std::vector<Child>;
using Factory = std::function<caf::actor(actor::ActorContext)>;

Duration ms(std::uint32_t value) { return std::chrono::milliseconds(value); }

std::string numbered(const char* system, std::uint32_t instance) {
    return system + ("/" + std::to_string(instance));
}

supervision::Backoff backoff(const config::NodeConfig& config) {
    supervision::Backoff backoff;
    backoff.min = ms(config.restart_backoff_min_ms);
    backoff.max = ms(config.restart_backoff_max_ms);
    backoff.reset_after = ms(config.restart_reset_after_ms);
    return backoff;
}

Child child(const config::NodeConfig& config, std::string path, Factory start) {
    supervision::ChildSpec spec;
    spec.id = std::move(path);
    spec.type = supervision::RestartType::permanent;
    spec.backoff = backoff(config);
    spec.start_timeout = ms(config.start_timeout_ms);
    spec.stop_grace = ms(config.stop_grace_ms);
    spec.poison = {config.quarantine_after, ms(config.restart_period_ms)};
    spec.roll_back = {config.rollback_after, ms(config.restart_period_ms)};
    return {.spec = std::move(spec), .start = std::move(start)};
}

/// One whose system has releases: what crash-loops while its canary has weight here goes back to stable.
Child released(const TreeServices& services, const char* system, std::string path, Factory start) {
    auto made = child(services.config, std::move(path), std::move(start));
    release::ReleaseSwitch* releases = services.releases.find(system);
    made.spec.last_good = releases->names().stable; // whatever this node has seen of it
    made.release = [releases] {
        const bool canary = releases->canary_percent() > 0;
        return releases->name_of(canary ? release::Release::canary : release::Release::stable);
    };
    made.on_trial = [releases] { return releases->on_trial(); };
    made.roll_back = [releases, system,
                      &events = services.events](const std::string& from, const std::string& to,
                                                 const std::string& reason) -> Result<void> {
        releases->force_stable(reason);
        events.record("release_forced_stable", system, {{"from", from}, {"to", to}, {"reason", reason}});
        return {};
    };
    return made;
}

/// A supervisor of the root's, restarted by it with all below when these fail too often.
Child section(const config::NodeConfig& config, const char* path, Children children) {
    supervisor::Plan plan;
    plan.spec.path = path;
    plan.spec.strategy = supervision::Strategy::one_for_one;
    plan.spec.intensity = {config.intensity, ms(config.restart_period_ms)};
    plan.spec.escalation = supervision::Escalation::parent;
    plan.children = std::move(children);
    return supervisor::nested(std::make_shared<const supervisor::Plan>(std::move(plan)), backoff(config));
}

// --- consensus

consensus::StateMachine& machine_of(const TreeServices& services, std::string_view lane) {
    if (lane == "control") return services.ramp.journal();
    if (lane == "metadata") return services.metadata;
    return services.transactions;
}

Factory lane(const TreeServices& services, const char* name) {
    consensus::LaneOptions options;
    options.name = name;
    options.self = services.config.name;
    options.members = members_of(services.config);
    options.sequencer = sequencer_of(services.config);
    return [services, options, &machine = machine_of(services, name)](actor::ActorContext context) {
        return consensus::spawn_lane(services.system, std::move(context), options, services.store,
                                     services.disk, services.control, machine);
    };
}

Factory ramp(const TreeServices& services) {
    return [services](actor::ActorContext context) {
        return ramp::spawn_ramp(services.system, std::move(context), services.ramp.options(),
                                services.ramp.services(services.control, services.disk));
    };
}

Children consensus_actors(const TreeServices& services) {
    Children children;
    if (!services.config.consensus) return children;
    for (const auto* name : kLanes)
        children.push_back(child(services.config, std::string("consensus/") + name, lane(services, name)));
    children.push_back(child(services.config, "ramp/0", ramp(services)));
    return children;
}

// --- data

Factory allocator(const TreeServices& services) {
    return [services](actor::ActorContext context) {
        return allocator::spawn_allocator(services.system, std::move(context),
                                          {services.config.name, services.config.site, services.own_space},
                                          services.control);
    };
}

Factory compression(const TreeServices& services) {
    return [services](actor::ActorContext context) {
        return compression::spawn_compression(
            services.system, std::move(context),
            {[&live = services.live] { return static_cast<double>(live.get()->link_mbps); },
             services.releases.find("selector"), &services.canary_faults},
            services.codecs);
    };
}

Children data_actors(const TreeServices& services) {
    Children children;
    for (std::uint32_t i = 0; i < services.config.allocator_instances; ++i)
        children.push_back(child(services.config, numbered("allocator", i), allocator(services)));
    for (std::uint32_t i = 0; i < services.config.compression_instances; ++i)
        children.push_back(released(services, "selector", numbered("compression", i), compression(services)));
    return children;
}

// --- managers

/// The limits are the node's; each instance takes its share of the keys, so of the limits.
std::uint32_t share_of(std::uint32_t limit, std::uint32_t instances) {
    return std::max(1U, limit / instances);
}

Factory manager(const TreeServices& services, std::uint32_t instance) {
    const auto& config = services.config;
    manager::ManagerOptions options;
    options.self = config.name;
    options.instance = instance;
    options.instances = config.manager_instances;
    options.compression_instances = config.compression_instances;
    options.replicas_default = config.replicas_default;
    options.object_bytes_max = config.object_bytes_max;
    options.data_deadline = ms(config.request_timeout_ms);
    options.uploads_open_max = share_of(config.uploads_open_max, config.manager_instances);
    options.admission_now = [&live = services.live]() -> manager::AdmissionLimits {
        const auto now = live.get();
        return {share_of(now->requests_per_s, now->manager_instances),
                share_of(now->requests_burst, now->manager_instances),
                share_of(now->workloads_in_flight_max, now->manager_instances), ms(now->commit_target_ms)};
    };
    options.admission = options.admission_now();
    return [services, options](actor::ActorContext context) {
        return manager::spawn_manager(services.system, std::move(context), options,
                                      {services.store, services.keeper, services.data, services.events,
                                       services.disk, services.uploads, services.metadata,
                                       services.releases.find("manager"), &services.canary_faults});
    };
}

Children manager_actors(const TreeServices& services) {
    Children children;
    for (std::uint32_t i = 0; i < services.config.manager_instances; ++i)
        children.push_back(released(services, "manager", numbered("manager", i), manager(services, i)));
    return children;
}

// --- edge

Factory gateway(const TreeServices& services) {
    return [services](actor::ActorContext context) {
        return gateway::spawn_gateway(services.system, std::move(context),
                                      {services.config.manager_instances, services.draining});
    };
}

Children edge_actors(const TreeServices& services) {
    Children children;
    if (services.config.gateway) children.push_back(child(services.config, "gateway/0", gateway(services)));
    return children;
}

} // namespace

std::shared_ptr<const supervisor::Plan> plan_tree(const TreeServices& services) {
    const auto& config = services.config;
    supervisor::Plan root;
    root.spec.path = "supervisor";
    root.spec.strategy = supervision::Strategy::one_for_one;
    root.spec.intensity = {config.root_intensity, ms(config.restart_period_ms)};
    root.spec.escalation = supervision::Escalation::exit_process;
    root.children.push_back(section(config, "supervisor/consensus", consensus_actors(services)));
    root.children.push_back(section(config, "supervisor/data", data_actors(services)));
    root.children.push_back(section(config, "supervisor/manager", manager_actors(services)));
    root.children.push_back(section(config, "supervisor/edge", edge_actors(services)));
    return std::make_shared<const supervisor::Plan>(std::move(root));
}

supervision::BudgetLimits restart_budget(const config::NodeConfig& config) {
    return {config.restart_burst, ms(config.restart_refill_ms)};
}

std::vector<std::string> paths_told_of_peers(const config::NodeConfig& config) {
    std::vector<std::string> paths;
    for (const auto* lane : kLanes)
        paths.push_back(std::string("consensus/") + lane);
    for (std::uint32_t i = 0; i < config.manager_instances; ++i)
        paths.push_back(numbered("manager", i));
    return paths;
}

NodeName sequencer_of(const config::NodeConfig& config) {
    return config.sequencer.empty() ? members_of(config).front() : config.sequencer;
}

std::vector<NodeName> members_of(const config::NodeConfig& config) {
    std::vector<NodeName> members{config.name};
    for (const auto& peer : config.peers)
        members.push_back(peer.name);
    std::ranges::sort(members);
    return members;
}

} // namespace dwcp::node
