// The breakers' limits as the configuration says them. For the node: at its start and when live keys change.
#pragma once

#include "runtime/config/config.hpp"
#include "runtime/resilience/breakers.hpp"

namespace dwcp::node {

resilience::BreakerSettings breaker_settings(const config::NodeConfig& config);

} // namespace dwcp::node
