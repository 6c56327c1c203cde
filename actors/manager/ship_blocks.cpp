#include "actors/manager/ship_blocks.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

namespace dwcp::manager {
namespace {

/// Blocks read and on their way at a time: enough to keep eight streams busy, 16 MiB at most.
constexpr std::size_t kWindow = 16;

class ShipRun : public std::enable_shared_from_this<ShipRun> {
  public:
    ShipRun(ShipOrder order, BlockKeeper& keeper, links::DataPlane& data, WorkerPool& disk,
            std::function<void(Result<void>)> done)
        : order_(std::move(order)), keeper_(keeper), data_(data), disk_(disk), done_(std::move(done)) {}

    void pump() {
        for (;;) {
            Hash256 hash;
            {
                const std::lock_guard lock(mutex_);
                if (failure_ || next_ == order_.hashes.size() || in_flight_ == kWindow) break;
                hash = order_.hashes[next_++];
                ++in_flight_;
            }
            if (!disk_.try_submit([self = shared_from_this(), hash] { self->send(hash); })) {
                ended(fail(Errc::resource_exhausted, "the disk queue is full"));
            }
        }
        report_if_over();
    }

  private:
    void send(const Hash256& hash) {
        if (order_.abandoned && *order_.abandoned) return ended(fail(Errc::cancelled, "it goes another way"));
        auto block = keeper_.load(hash);
        if (!block) {
            ended(std::unexpected(block.error()));
            return;
        }
        data_.send_block(
            order_.peer, *block, order_.workload, std::chrono::steady_clock::now() + order_.deadline_each,
            [self = shared_from_this()](Result<void> sent) { self->ended(std::move(sent)); }, order_.pool);
    }

    void ended(Result<void> result) {
        {
            const std::lock_guard lock(mutex_);
            --in_flight_;
            if (!result && !failure_) failure_ = result.error();
        }
        pump();
    }

    void report_if_over() {
        Result<void> outcome;
        {
            const std::lock_guard lock(mutex_);
            const bool over = in_flight_ == 0 && (failure_ || next_ == order_.hashes.size());
            if (!over || reported_) return;
            reported_ = true;
            if (failure_) outcome = std::unexpected(*failure_);
        }
        done_(std::move(outcome));
    }

    const ShipOrder order_;
    BlockKeeper& keeper_;
    links::DataPlane& data_;
    WorkerPool& disk_;
    const std::function<void(Result<void>)> done_;

    std::mutex mutex_;
    std::size_t next_ = 0;
    std::size_t in_flight_ = 0;
    bool reported_ = false;
    std::optional<Error> failure_;
};

} // namespace

void ship_blocks(ShipOrder order, BlockKeeper& keeper, links::DataPlane& data, WorkerPool& disk,
                 std::function<void(Result<void>)> done) {
    std::make_shared<ShipRun>(std::move(order), keeper, data, disk, std::move(done))->pump();
}

} // namespace dwcp::manager
