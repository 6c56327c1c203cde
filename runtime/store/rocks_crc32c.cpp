#include "runtime/store/rocks_crc32c.hpp"

#include "protocols/wire/crc32c.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace {
std::atomic<bool> in_use = false;
}

// Under the thread sanitizer our instrumented code must not read RocksDB's memory: RocksDB's own
// synchronisation is invisible to it.
#if !defined(__SANITIZE_THREAD__)

namespace rocksdb::crc32c {

// Declared in RocksDB's util/crc32c.h, which is not installed. Continues `initial`, a finished checksum.
std::uint32_t Extend(std::uint32_t initial, const char* data, std::size_t size);

std::uint32_t Extend(std::uint32_t initial, const char* data, std::size_t size) {
    if (!in_use.load(std::memory_order_relaxed)) in_use.store(true, std::memory_order_relaxed);
    return dwcp::wire::crc32c({reinterpret_cast<const dwcp::Byte*>(data), size}, initial);
}

} // namespace rocksdb::crc32c

#endif

namespace dwcp::store {

bool rocks_crc32c_in_use() { return in_use.load(std::memory_order_relaxed); }

} // namespace dwcp::store
