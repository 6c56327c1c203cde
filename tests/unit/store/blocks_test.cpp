#include "runtime/store/testing.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <map>
#include <thread>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

TEST_CASE("a block of any allowed size comes back with its codec, either way it was put") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    std::vector<EncodedBlock> blocks;
    for (const std::size_t size : {1UL, 100UL, 16'384UL, 65'536UL, 1UL << 20})
        for (int copy = 0; copy < 2; ++copy)
            blocks.push_back(make_block(blocks.size(), size));
    for (std::size_t i = 0; i < blocks.size(); ++i)
        require_ok(store->put_block(blocks[i], i % 2 == 0 ? BlockWrite::bulk : BlockWrite::logged));
    for (const EncodedBlock& block : blocks)
        require_same(store->get_block(block.hash), block);
    require_ok(store->make_blocks_durable());
    for (const EncodedBlock& block : blocks)
        require_same(store->get_block(block.hash), block);
}

TEST_CASE("a block that is not there is not found and says what to do") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    const EncodedBlock block = make_block(1);
    CHECK_FALSE(store->has_block(block.hash));
    const auto got = store->get_block(block.hash);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Errc::not_found);
    CHECK(got.error().message.find(block.hash.hex()) != std::string::npos);
    CHECK_FALSE(got.error().remedy.empty());
}

TEST_CASE("an impossible block is refused") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    EncodedBlock block = make_block(1);
    block.bytes = nullptr;
    CHECK(store->put_block(block, BlockWrite::bulk).error().code == Errc::invalid_argument);
    block.bytes = share({});
    CHECK(store->put_block(block, BlockWrite::logged).error().code == Errc::invalid_argument);
    block = make_block(1, kEncodedBlockBytesMax + 1);
    CHECK(store->replace_block(block).error().code == Errc::too_large);
    block = make_block(1);
    block.raw_bytes = kBlockBytes + 1;
    CHECK(store->put_block(block, BlockWrite::bulk).error().code == Errc::too_large);
    CHECK_FALSE(store->has_block(block.hash));
}

TEST_CASE("a block that is there already is left alone, and replaced only when asked") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    const EncodedBlock first = make_block(1);
    EncodedBlock second = make_block(2);
    second.hash = first.hash;
    require_ok(store->put_block(first, BlockWrite::bulk));
    require_ok(store->put_block(second, BlockWrite::bulk));
    require_same(store->get_block(first.hash), first);
    require_ok(store->replace_block(second));
    require_same(store->get_block(first.hash), second);
    CHECK(store->stats().blocks_bytes == first.bytes->size());
}

TEST_CASE("a sweep sees every block's hash and size, and can stop") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    std::map<Hash256, std::uint32_t> expected;
    for (std::uint64_t i = 0; i < 50; ++i) {
        const EncodedBlock block = make_block(i, 1000 + 5000 * i);
        expected[block.hash] = static_cast<std::uint32_t>(block.bytes->size());
        require_ok(store->put_block(block, i % 2 == 0 ? BlockWrite::bulk : BlockWrite::logged));
        if (i == 25) require_ok(store->make_blocks_durable());
    }
    std::map<Hash256, std::uint32_t> seen;
    require_ok(store->scan_blocks(
        [&](const Hash256& hash, std::uint32_t bytes) { return seen[hash] = bytes, true; }));
    CHECK(seen == expected);
    int visits = 0;
    require_ok(store->scan_blocks([&](const Hash256&, std::uint32_t) { return ++visits < 3; }));
    CHECK(visits == 3);
}

TEST_CASE("an erased block is gone, stays gone, and its bytes are given back") {
    const TempDir dir;
    std::vector<EncodedBlock> blocks;
    for (std::uint64_t i = 0; i < 24; ++i)
        blocks.push_back(make_block(i, 1U << 20));
    {
        const auto store = open_store(dir.store());
        for (const EncodedBlock& block : blocks)
            require_ok(store->put_block(block, BlockWrite::bulk));
        require_ok(store->make_blocks_durable());
        const std::uint64_t full_bytes = size_of_files(dir.store(), ".blob");
        CHECK(full_bytes >= blocks.size() << 20);
        CHECK(store->stats().blocks_bytes == blocks.size() << 20);

        for (std::size_t i = 0; i < blocks.size(); ++i)
            if (i % 4 != 0) require_ok(store->erase_block(blocks[i].hash));
        CHECK(store->stats().blocks_bytes == blocks.size() / 4 << 20);
        require_ok(reclaim_now(*store));
        CHECK(size_of_files(dir.store(), ".blob") < full_bytes / 2);
    }
    const auto store = open_store(dir.store());
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        CHECK(store->has_block(blocks[i].hash) == (i % 4 == 0));
        if (i % 4 == 0) require_same(store->get_block(blocks[i].hash), blocks[i]);
    }
    require_ok(store->erase_block(blocks[1].hash)); // erasing what is not there is no error
}

TEST_CASE("many threads put, get, sweep and make durable at once") {
    const TempDir dir;
    constexpr std::uint64_t kThreads = 4;
    constexpr std::uint64_t kBlocksEach = 24;
    std::atomic<int> failures = 0;
    {
        const auto store = open_store(dir.store());
        const auto work = [&](std::uint64_t thread) {
            for (std::uint64_t i = 0; i < kBlocksEach; ++i) {
                const EncodedBlock block = make_block(thread * kBlocksEach + i, 50'000);
                const auto how = i % 3 == 0 ? BlockWrite::logged : BlockWrite::bulk;
                if (!store->put_block(block, how)) ++failures;
                const auto got = store->get_block(block.hash);
                if (!got || *got->bytes != *block.bytes) ++failures;
                if (i % 4 == thread && !store->make_blocks_durable()) ++failures;
                Batch batch;
                batch.put(Family::journal, std::to_string(thread), as_bytes(std::to_string(i)));
                if (!store->write(batch, i % 8 == 0 ? Sync::yes : Sync::no)) ++failures;
                if (i % 6 == 5 && !store->erase_block(block.hash)) ++failures;
            }
        };
        std::vector<std::thread> threads;
        for (std::uint64_t thread = 0; thread < kThreads; ++thread)
            threads.emplace_back(work, thread);
        for (std::thread& thread : threads)
            thread.join();
        require_ok(store->make_blocks_durable());
        CHECK(failures == 0);
    }
    const auto store = open_store(dir.store());
    for (std::uint64_t i = 0; i < kThreads * kBlocksEach; ++i) {
        const EncodedBlock block = make_block(i, 50'000);
        if (i % kBlocksEach % 6 == 5)
            CHECK_FALSE(store->has_block(block.hash));
        else
            require_same(store->get_block(block.hash), block);
    }
}

TEST_CASE("the disk's free space is reported") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    CHECK(store->stats().disk_free_bytes > 0);
    CHECK(store->stats().corruptions == 0);
}

#if !defined(__SANITIZE_THREAD__)
TEST_CASE("RocksDB computes its checksums with ours") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    CHECK(uses_fast_checksums());
}
#endif
