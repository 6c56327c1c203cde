// Merkle trees over a block's commands, hashed as RFC 6962 section 2.1 says: SHA-256, leaves with the prefix
// 0x00 and nodes with 0x01, so that no node passes for a leaf. A path proves to whoever trusts the root that
// a leaf stands at its index. Pure and stateless.
//
// The root does not bind the number of leaves: a path may hold for several counts when it takes the same
// turns in all of them. Whoever relies on the count must have it from where the root comes from (a block
// header carries both).
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"

#include <vector>

namespace dwcp::crypto {

Hash256 merkle_leaf(ByteView data);

/// Root over hashes made by merkle_leaf(), in their order. Of none: SHA-256 of nothing.
Hash256 merkle_root(const std::vector<Hash256>& leaf_hashes);

/// The siblings from the leaf up (section 2.1.1), at most one for each bit of the number of leaves. Empty if
/// there is no such index, which no root but that of a single leaf accepts.
std::vector<Hash256> merkle_path(const std::vector<Hash256>& leaf_hashes, std::size_t index);

/// Whether `leaf` (made by merkle_leaf()) stands at `index` of `count` leaves under `root`. Takes anything.
bool merkle_verify(const Hash256& leaf, std::size_t index, std::size_t count,
                   const std::vector<Hash256>& path, const Hash256& root);

} // namespace dwcp::crypto
