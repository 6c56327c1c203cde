// Merkle trees against the tree of Certificate Transparency's reference tests, and against the recursive
// definition of RFC 6962.
#include "protocols/crypto/hash.hpp"
#include "protocols/crypto/merkle.hpp"
#include "tests/unit/crypto/hex.hpp"

#include <algorithm>
#include <string>

namespace dwcp::crypto {
namespace {

using Hashes = std::vector<Hash256>;

constexpr std::size_t kLeavesMax = 70;

// The leaves and the roots over the first of them, none first, in the reference tests.
constexpr const char* kLeaves[] = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
constexpr const char* kRoots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

Hashes reference_leaves(std::size_t count) {
    Hashes leaves;
    for (std::size_t i = 0; i < count; ++i)
        leaves.push_back(merkle_leaf(test::bytes_of(kLeaves[i])));
    return leaves;
}

Hashes leaves_of(std::size_t count) {
    Hashes leaves;
    for (std::size_t i = 0; i < count; ++i)
        leaves.push_back(merkle_leaf(as_bytes("command " + std::to_string(i))));
    return leaves;
}

/// MTH of section 2.1, word for word.
Hash256 defined_root(const Hashes& leaves) {
    if (leaves.empty()) return sha256(ByteView{});
    if (leaves.size() == 1) return leaves[0];
    std::size_t k = 1;
    while (2 * k < leaves.size())
        k *= 2;
    const auto middle = leaves.begin() + static_cast<std::ptrdiff_t>(k);
    const Byte prefix[] = {1};
    return sha256(
        {prefix, defined_root({leaves.begin(), middle}).view(), defined_root({middle, leaves.end()}).view()});
}

/// The turns from a leaf to the root: where two leaves of two trees take the same, a path cannot tell them
/// apart.
std::string turns(std::size_t index, std::size_t count) {
    if (count == 1) return {};
    std::size_t k = 1;
    while (2 * k < count)
        k *= 2;
    return index < k ? turns(index, k) + 'l' : turns(index - k, count - k) + 'r';
}

} // namespace

TEST_CASE("the roots of the reference tree are met") {
    for (std::size_t count = 0; count <= std::size(kLeaves); ++count)
        CHECK(merkle_root(reference_leaves(count)).hex() == kRoots[count]);
}

TEST_CASE("the paths of the reference tree are met") {
    const Hashes leaves = reference_leaves(7);
    CHECK(merkle_path(leaves, 0) ==
          Hashes{test::hash256("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
                 test::hash256("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
                 test::hash256("837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e")});
    CHECK(merkle_path(leaves, 6) ==
          Hashes{test::hash256("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"),
                 test::hash256("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")});
}

TEST_CASE("every leaf of every tree is proven by its path and by nothing else") {
    for (std::size_t count = 0; count <= kLeavesMax; ++count) {
        const Hashes leaves = leaves_of(count);
        const Hash256 root = merkle_root(leaves);
        REQUIRE(root == defined_root(leaves));
        for (std::size_t index = 0; index < count; ++index) {
            const Hashes path = merkle_path(leaves, index);
            REQUIRE(merkle_verify(leaves[index], index, count, path, root));
            REQUIRE_FALSE(merkle_verify(leaves[index], index, count, path, merkle_leaf({})));
            for (std::size_t other = 0; other <= count; ++other) {
                if (other == index) continue;
                REQUIRE_FALSE(merkle_verify(leaves[index], other, count, path, root));
                if (other < count) REQUIRE_FALSE(merkle_verify(leaves[other], index, count, path, root));
            }
        }
    }
}

TEST_CASE("a wrong count is refused wherever it changes the leaf's way to the root") {
    for (std::size_t count = 1; count <= kLeavesMax; ++count) {
        const Hashes leaves = leaves_of(count);
        const Hash256 root = merkle_root(leaves);
        for (std::size_t index = 0; index < count; ++index) {
            const Hashes path = merkle_path(leaves, index);
            for (std::size_t wrong = 0; wrong <= kLeavesMax + 2; ++wrong) {
                const bool same_way = wrong > index && turns(index, wrong) == turns(index, count);
                REQUIRE(merkle_verify(leaves[index], index, wrong, path, root) == same_way);
            }
        }
    }
}

TEST_CASE("a path that is shorter, longer or altered is refused") {
    for (const std::size_t count : {1U, 2U, 3U, 7U, 8U, 33U, 70U}) {
        const Hashes leaves = leaves_of(count);
        const Hash256 root = merkle_root(leaves);
        for (std::size_t index = 0; index < count; ++index) {
            const Hashes path = merkle_path(leaves, index);
            Hashes longer = path;
            longer.push_back(root);
            CHECK_FALSE(merkle_verify(leaves[index], index, count, longer, root));
            for (std::size_t at = 0; at < path.size(); ++at) {
                Hashes altered = path;
                altered[at].bytes[31] ^= 1;
                CHECK_FALSE(merkle_verify(leaves[index], index, count, altered, root));
                altered = path;
                altered.erase(altered.begin() + static_cast<std::ptrdiff_t>(at));
                CHECK_FALSE(merkle_verify(leaves[index], index, count, altered, root));
            }
        }
    }
}

TEST_CASE("a node does not pass for a leaf") {
    const Hashes leaves = leaves_of(4);
    const Hash256 root = merkle_root(leaves);
    // Data that reads like the two children of the left node.
    Bytes children(leaves[0].bytes.begin(), leaves[0].bytes.end());
    children.insert(children.end(), leaves[1].bytes.begin(), leaves[1].bytes.end());
    CHECK_FALSE(merkle_verify(merkle_leaf(children), 0, 2, {merkle_root({leaves[2], leaves[3]})}, root));
}

TEST_CASE("no path leads to what is not there") {
    CHECK(merkle_path({}, 0).empty());
    CHECK(merkle_path(leaves_of(5), 5).empty());
    const Hash256 nothing = merkle_root({});
    CHECK_FALSE(merkle_verify(nothing, 0, 0, {}, nothing));
    const Hashes leaves = leaves_of(3);
    const std::size_t huge = static_cast<std::size_t>(-1);
    CHECK_FALSE(merkle_verify(leaves[0], huge, huge, {}, merkle_root(leaves)));
    CHECK_FALSE(merkle_verify(leaves[0], huge - 1, huge, merkle_path(leaves, 0), merkle_root(leaves)));
}

} // namespace dwcp::crypto
