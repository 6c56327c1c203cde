// Chooses a codec for a block and encodes it, on a worker thread. Lives at "compression/0", ...; stateless
// but for each stream's short history, which a restart may lose.
#pragma once

#include "runtime/base/worker_pool.hpp"
#include "runtime/caf/actor.hpp"

#include <functional>

namespace dwcp::compression {

struct CompressionOptions {
    /// Bandwidth between sites that the rules plan for, Mbit/s; asked for each block, as it may be changed.
    std::function<double()> link_mbps;
};

caf::actor spawn_compression(caf::actor_system& system, actor::ActorContext context,
                             CompressionOptions options, WorkerPool& workers);

} // namespace dwcp::compression
