// The systems of this node that have a stable release and a canary, and what withdrawing a canary does to the
// data links.
#pragma once

#include "runtime/config/config.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/release/release_registry.hpp"

#include <memory>

namespace dwcp::node {

/// Before the actors, which ask the switches.
void add_releases(release::ReleaseRegistry& registry, const config::NodeConfig& config);

/// Stable's streams must be up for this node to be wholly on stable, and what a withdrawn canary has on its
/// streams is abandoned; as long as the answer lives.
[[nodiscard]] std::shared_ptr<const void> join_releases(release::ReleaseRegistry& registry,
                                                        links::DataPlane& data);

} // namespace dwcp::node
