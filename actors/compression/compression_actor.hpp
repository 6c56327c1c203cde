// Chooses a codec for a block and encodes it, on a worker thread. Lives at "compression/0", ...; stateless
// but for each stream's short history and the codecs'
// measured rates, which a restart may lose. The histories are the rules' alone: a canary leaves them as they
// are.
#pragma once

#include "runtime/base/worker_pool.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/chaos/canary_faults.hpp"
#include "runtime/release/release_switch.hpp"

#include <functional>

namespace dwcp::compression {

struct CompressionOptions {
    /// Bandwidth between sites that the rules plan for, Mbit/s; asked for each block, as it may be changed.
    std::function<double()> link_mbps;
    /// Says which release of the selector chooses; null: the rules, always.
    release::ReleaseSwitch* releases = nullptr;
    chaos::CanaryFaults* canary_faults = nullptr; ///< Null: there can be none.
};

/// For whoever makes the switch.
release::ReleaseNames release_names();

caf::actor spawn_compression(caf::actor_system& system, actor::ActorContext context,
                             CompressionOptions options, WorkerPool& workers);

} // namespace dwcp::compression
