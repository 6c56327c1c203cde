#include "protocols/crypto/merkle.hpp"

#include "protocols/crypto/hash.hpp"

// The RFC splits a list at the largest power of two below its length. Going up level by level, pairing
// neighbours and lifting a last one without neighbour unchanged, gives the same tree without recursion.
namespace dwcp::crypto {
namespace {

constexpr Byte kLeafPrefix[] = {0x00};
constexpr Byte kNodePrefix[] = {0x01};

Hash256 node(const Hash256& left, const Hash256& right) {
    return sha256({kNodePrefix, left.view(), right.view()});
}

/// Replaces a level of the tree by the one above it.
void rise(std::vector<Hash256>& level) {
    const std::size_t pairs = level.size() / 2;
    for (std::size_t i = 0; i < pairs; ++i)
        level[i] = node(level[2 * i], level[2 * i + 1]);
    if (level.size() % 2 != 0) level[pairs] = level.back();
    level.resize((level.size() + 1) / 2);
}

} // namespace

Hash256 merkle_leaf(ByteView data) { return sha256({kLeafPrefix, data}); }

Hash256 merkle_root(const std::vector<Hash256>& leaf_hashes) {
    if (leaf_hashes.empty()) return sha256(ByteView{});
    std::vector<Hash256> level = leaf_hashes;
    while (level.size() > 1)
        rise(level);
    return level.front();
}

std::vector<Hash256> merkle_path(const std::vector<Hash256>& leaf_hashes, std::size_t index) {
    std::vector<Hash256> path;
    if (index >= leaf_hashes.size()) return path;
    for (std::vector<Hash256> level = leaf_hashes; level.size() > 1; index /= 2) {
        const std::size_t sibling = index ^ 1U;
        if (sibling < level.size()) path.push_back(level[sibling]);
        rise(level);
    }
    return path;
}

bool merkle_verify(const Hash256& leaf, std::size_t index, std::size_t count,
                   const std::vector<Hash256>& path, const Hash256& root) {
    if (index >= count) return false;
    Hash256 hash = leaf;
    auto sibling = path.begin();
    for (std::size_t last = count - 1; last > 0; index /= 2, last /= 2) {
        const bool lifted = index == last && index % 2 == 0;
        if (lifted) continue;
        if (sibling == path.end()) return false;
        hash = index % 2 == 0 ? node(hash, *sibling) : node(*sibling, hash);
        ++sibling;
    }
    return sibling == path.end() && hash == root;
}

} // namespace dwcp::crypto
