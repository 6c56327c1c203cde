// Doors for tests only: nothing in the product includes this.
#pragma once

#include "runtime/store/store.hpp"

namespace dwcp::store {

/// Frees the space of erased blocks now, on the calling thread, instead of when enough has been erased.
Result<void> reclaim_now(Store& store);

/// Whether RocksDB in this process computes its checksums with the processor's CRC instruction
/// (rocks_crc32c.hpp).
bool uses_fast_checksums();

} // namespace dwcp::store
