#include "runtime/node/releases.hpp"

#include "actors/compression/compression_actor.hpp"
#include "actors/manager/manager_actor.hpp"

namespace dwcp::node {
namespace {

release::Pin pin_of(const std::string& configured) {
    if (configured == "stable") return release::Pin::stable;
    if (configured == "canary") return release::Pin::canary;
    return release::Pin::none;
}

/// A peer whose every stream is down is no matter of releases: it is away.
std::string why_not_on_stable(const links::DataPlane& data) {
    for (const auto& peer : data.status()) {
        bool stable = false;
        for (const auto& pool : peer.pools)
            stable |= pool.pool == links::Pool::one_stream && pool.up;
        if (!stable && peer.streams > 0)
            return "stable's stream to " + peer.name + " is not up, though the canary's are";
    }
    return {};
}

} // namespace

void add_releases(release::ReleaseRegistry& registry, const config::NodeConfig& config) {
    registry.add(manager::release_names(), pin_of(config.manager_release));
    registry.add(compression::release_names());
}

std::shared_ptr<const void> join_releases(release::ReleaseRegistry& registry, links::DataPlane& data) {
    auto* manager = registry.find("manager");
    manager->check_stable_with([&data] { return why_not_on_stable(data); });
    return manager->on_withdrawn([&data] { data.abandon(links::Pool::multi_stream); });
}

} // namespace dwcp::node
