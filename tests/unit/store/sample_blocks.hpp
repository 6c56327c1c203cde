// Blocks with reproducible content, for the store's tests and the process that the crash test kills.
#pragma once

#include "protocols/base/random.hpp"
#include "runtime/store/store.hpp"

#include <cstring>

namespace dwcp::store::test {

/// Small, so that tests flush often.
constexpr std::size_t kTestBudgetBytes = 32U << 20;

/// Block number `number`: random bytes that depend on nothing else. The store does not verify hashes, so any
/// unique one does.
inline EncodedBlock make_block(std::uint64_t number, std::size_t size = 100'000) {
    Random random(number + 1);
    Bytes bytes(size);
    for (Byte& byte : bytes)
        byte = static_cast<Byte>(random.next());
    EncodedBlock block{
        .hash = {}, .codec = {Codec::zstd, 3}, .raw_bytes = kBlockBytes, .bytes = share(std::move(bytes))};
    for (std::size_t i = 0; i < block.hash.bytes.size(); i += 8) {
        const std::uint64_t word = random.next();
        std::memcpy(block.hash.bytes.data() + i, &word, sizeof word);
    }
    return block;
}

/// Sizes that mix values kept in tables with values kept in blob files.
inline std::size_t mixed_size(std::uint64_t number) { return 500 + (number * 40'009) % 200'000; }

} // namespace dwcp::store::test
