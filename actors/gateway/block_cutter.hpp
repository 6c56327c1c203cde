// Cuts a body into blocks and sends these to a manager, a few of them at once: an object's, or a part's.
//
// Made for one body, used by one thread at a time. Whoever makes one settles it before telling the manager
// that the body failed, so that no block arrives after that.
#pragma once

#include "actors/gateway/backend.hpp"
#include "actors/gateway/block_window.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/base/worker_pool.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dwcp::gateway {

class BlockCutter {
  public:
    struct Limits {
        std::uint64_t bytes_max = 0;
        std::size_t window_blocks = 0; ///< Under way at once.
    };
    BlockCutter(Backend& backend, WorkerPool& pool, Limits limits, std::string manager, WorkloadId workload,
                TimePoint deadline);

    /// Errors: too_large, or any block's.
    Result<void> take(ByteView piece);

    struct Whole {
        std::vector<BlockRef> blocks;
        std::uint64_t size_bytes = 0;
        Hash256 sha256;
    };
    /// After the last piece. Errors: any block's; invalid_argument if the content has not the announced hash.
    Result<Whole> complete(const std::optional<Hash256>& announced);
    /// Waits for what is under way.
    void settle();

  private:
    void make_room(std::size_t bytes);
    Result<void> send_block();
    Result<void> take_result();

    Backend& backend_;
    const Limits limits_;
    const std::string manager_;
    const WorkloadId workload_;
    const TimePoint deadline_; ///< The client's.
    crypto::Sha256 hash_;
    Bytes block_; ///< The block that is being filled.
    std::uint64_t size_bytes_ = 0;
    std::uint32_t next_index_ = 0;
    std::vector<BlockRef> blocks_;
    BlockWindow<manager::BlockAccepted> window_;
};

} // namespace dwcp::gateway
