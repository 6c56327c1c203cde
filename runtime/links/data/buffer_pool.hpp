// Payload buffers that come back. A fresh megabyte costs 256 page faults and a pass of zeroing, more than
// receiving into it; a used one costs nothing. Thread-safe; buffers may outlive the pool.
#pragma once

#include "protocols/base/bytes.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace dwcp::links {

/// Free buffers kept at most: what is between a worker that lets go and a stream that takes again.
inline constexpr std::size_t kFreeBuffersMax = 16;

class BufferPool {
  public:
    BufferPool();

    /// A buffer of any size with any content, nobody else's; it returns when its last owner lets go.
    std::shared_ptr<Bytes> take();

  private:
    struct Free {
        std::mutex mutex;
        std::vector<std::unique_ptr<Bytes>> buffers;
    };
    std::shared_ptr<Free> free_;
};

} // namespace dwcp::links
