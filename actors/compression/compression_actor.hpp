// Chooses a codec for a block and encodes it, on a worker thread. Lives at "compression/0", ...; stateless
// but for each stream's short history, which a restart may lose.
#pragma once

#include "runtime/base/worker_pool.hpp"
#include "runtime/caf/actor.hpp"

namespace dwcp::compression {

struct CompressionOptions {
    double link_mbps = 0; ///< Bandwidth between sites that the rules plan for.
};

caf::actor spawn_compression(caf::actor_system& system, actor::ActorContext context,
                             CompressionOptions options, WorkerPool& workers);

} // namespace dwcp::compression
