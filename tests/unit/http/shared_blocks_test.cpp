#include "actors/gateway/shared_blocks.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using dwcp::gateway::SharedBlocks;

namespace {

Hash256 hash_of(std::uint64_t number) {
    Hash256 hash;
    std::memcpy(hash.bytes.data(), &number, sizeof number);
    return hash;
}

} // namespace

TEST_CASE("a block is shared as long as somebody holds it, and not kept beyond") {
    SharedBlocks blocks;
    CHECK(blocks.find(hash_of(1)) == nullptr);
    auto block = share(to_bytes("content"));
    blocks.add(hash_of(1), block);
    CHECK(blocks.find(hash_of(1)) == block);
    CHECK(blocks.find(hash_of(2)) == nullptr);
    block.reset();
    CHECK(blocks.find(hash_of(1)) == nullptr);
    block = share(to_bytes("content"));
    blocks.add(hash_of(1), block);
    CHECK(blocks.find(hash_of(1)) == block);
}

TEST_CASE("the names of blocks that nobody holds are forgotten, those of held ones are not") {
    SharedBlocks blocks;
    std::vector<SharedBytes> held;
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        const auto block = share(Bytes(1));
        blocks.add(hash_of(i), block);
        if (i % 100 == 0) held.push_back(block);
    }
    CHECK(blocks.size() < 5'000);
    for (std::uint64_t i = 0; i < 1'000; ++i)
        CHECK(blocks.find(hash_of(100 * i)) == held[i]);
}
