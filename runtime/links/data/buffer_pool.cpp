#include "runtime/links/data/buffer_pool.hpp"

namespace dwcp::links {

BufferPool::BufferPool() : free_(std::make_shared<Free>()) { free_->buffers.reserve(kFreeBuffersMax); }

std::shared_ptr<Bytes> BufferPool::take() {
    std::unique_ptr<Bytes> buffer;
    {
        const std::lock_guard lock(free_->mutex);
        if (!free_->buffers.empty()) {
            buffer = std::move(free_->buffers.back());
            free_->buffers.pop_back();
        }
    }
    if (!buffer) buffer = std::make_unique<Bytes>();
    return {buffer.release(), [free = free_](Bytes* used) {
                std::unique_ptr<Bytes> back(used);
                const std::lock_guard lock(free->mutex);
                if (free->buffers.size() < kFreeBuffersMax) free->buffers.push_back(std::move(back));
            }};
}

} // namespace dwcp::links
