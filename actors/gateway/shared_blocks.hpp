// Blocks that readers hold at the moment, by content: whoever reads the same block again meanwhile gets the
// same memory. A hundred slow readers of one object then hold its block once, not a hundred times.
//
// A block's name is the hash of its content, so a shared one can never be a stale one. Keeps nothing alive.
// Thread-safe; one a node.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace dwcp::gateway {

class SharedBlocks {
  public:
    /// Null: nobody holds it.
    SharedBytes find(const Hash256& hash) {
        const std::lock_guard lock(mutex_);
        const auto found = held_.find(hash);
        return found == held_.end() ? nullptr : found->second.lock();
    }
    void add(const Hash256& hash, const SharedBytes& block) {
        const std::lock_guard lock(mutex_);
        held_[hash] = block;
        if (held_.size() < forget_at_) return;
        std::erase_if(held_, [](const auto& entry) { return entry.second.expired(); });
        forget_at_ = std::max(kForgetAt, 2 * held_.size());
    }
    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return held_.size();
    }

  private:
    /// Names of blocks that nobody holds any more are forgotten once there are so many: about 100 KiB.
    static constexpr std::size_t kForgetAt = 1024;

    struct HashOfHash {
        std::size_t operator()(const Hash256& hash) const {
            std::size_t word = 0;
            std::memcpy(&word, hash.bytes.data(), sizeof word);
            return word;
        }
    };

    mutable std::mutex mutex_;
    std::unordered_map<Hash256, std::weak_ptr<const Bytes>, HashOfHash> held_;
    std::size_t forget_at_ = kForgetAt;
};

} // namespace dwcp::gateway
