#include "runtime/store/rocks_crc32c.hpp"

#include "protocols/wire/crc32c.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace {
std::atomic<bool> in_use = false;
}

#if defined(__SANITIZE_THREAD__)

// RocksDB is not instrumented: the sanitizer sees its memory accesses but not the atomics that order them, so
// whatever it says of them is noise. The string functions are those that RocksDB calls in libstdc++, where
// its own frame is lost. For the same reason our instrumented checksum does not read RocksDB's memory there.
extern "C" const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() {
    return "called_from_lib:librocksdb.so\n"
           "race:librocksdb.so\n"
           "race:basic_string*::_M_assign\n"
           "race:basic_string*::_M_append\n"
           "race:basic_string*::_M_mutate\n"
           "race:basic_string*::_M_replace_aux\n";
}

#else

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
