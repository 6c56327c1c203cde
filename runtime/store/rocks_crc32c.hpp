// Gives RocksDB this product's CRC-32C. Debian builds RocksDB for any amd64, without the processor's CRC
// instruction; its table-driven checksum of each block then costs more than writing the block (about 1 s a
// GiB).
//
// RocksDB's shared library calls its own checksum through the dynamic linker, so the definition in
// rocks_crc32c.cpp, being part of the program, takes its place. The values are the same, so is what lies on
// disk. Where that does not happen (a static or differently linked RocksDB, the thread sanitizer) RocksDB is
// merely slower; the store's start line says which.
#pragma once

namespace dwcp::store {

/// Whether RocksDB has called the replacement in this process. Also what makes the linker keep it.
bool rocks_crc32c_in_use();

} // namespace dwcp::store
