// Ships a list of stored blocks to one peer, a window at a time, and reports once.
#pragma once

#include "actors/manager/block_keeper.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/links/data/data_plane.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

namespace dwcp::manager {

struct ShipOrder {
    NodeName peer;
    WorkloadId workload;
    std::vector<Hash256> hashes;
    Duration deadline_each{};
    links::Pool pool = links::Pool::multi_stream;
    std::shared_ptr<const std::atomic<bool>> abandoned{}; ///< Becomes true: send no more. Null: never.
};

/// Returns at once; `done` is called exactly once, from a worker or data link thread: with the first error,
/// after which no further block is sent, or when the peer has verified and written all. References must
/// outlive the run.
void ship_blocks(ShipOrder order, BlockKeeper& keeper, links::DataPlane& data, WorkerPool& disk,
                 std::function<void(Result<void>)> done);

} // namespace dwcp::manager
