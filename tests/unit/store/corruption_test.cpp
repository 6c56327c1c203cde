#include "runtime/store/corruption_log.hpp"
#include "runtime/store/record.hpp"
#include "runtime/store/rocks_database.hpp"
#include "runtime/store/testing.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <set>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

namespace {

/// Flips a bit of a value under RocksDB's own checksums, as a fault in memory would before it was written.
void flip_bit_in_record(const std::string& directory, std::size_t family, std::string_view key,
                        std::size_t at) {
    auto database = open_database({.directory = directory, .memory_budget_bytes = kTestBudgetBytes});
    require_ok(database);
    rocksdb::ColumnFamilyHandle* handle = database->families[family];
    std::string value;
    REQUIRE(database->db->Get({}, handle, rocksdb::Slice(key), &value).ok());
    REQUIRE(at < value.size());
    value[at] = static_cast<char>(value[at] ^ 1);
    REQUIRE(database->db->Put({}, handle, rocksdb::Slice(key), value).ok());
}

void require_corrupted(const Error& error, const std::string& family, const std::string& key) {
    CHECK(error.code == Errc::corrupted);
    CHECK(error.message.find(family + "/" + key) != std::string::npos);
    CHECK_FALSE(error.remedy.empty());
}

/// A damaged block is reported once, never returned, and whole again after replace_block().
void check_damaged_and_repair(const std::string& directory, const EncodedBlock& block) {
    {
        const auto store = open_store(directory);
        for (int i = 0; i < 3; ++i) {
            const auto got = store->get_block(block.hash);
            REQUIRE_FALSE(got);
            require_corrupted(got.error(), "blocks", block.hash.hex());
        }
        CHECK(store->stats().corruptions == 1);
        require_ok(store->replace_block(block));
        require_same(store->get_block(block.hash), block);
        CHECK(store->has_block(block.hash));
        require_ok(store->make_blocks_durable());
    }
    require_same(open_store(directory)->get_block(block.hash), block);
}

} // namespace

TEST_CASE("a bit flipped in a blob file is reported with the block's hash and repaired by a replacement") {
    const TempDir dir;
    const EncodedBlock block = make_block(1, 300'000);
    const EncodedBlock other = make_block(2, 300'000);
    {
        const auto store = open_store(dir.store());
        require_ok(store->put_block(block, BlockWrite::bulk));
        require_ok(store->put_block(other, BlockWrite::bulk));
        require_ok(store->make_blocks_durable());
    }
    REQUIRE(flip_bit_on_disk(dir.store(), ".blob", ByteView(*block.bytes).subspan(150'000, 16)));
    require_same(open_store(dir.store())->get_block(other.hash), other);
    check_damaged_and_repair(dir.store(), block);
}

TEST_CASE("a bit flipped in a table file is reported with the block's hash and repaired by a replacement") {
    const TempDir dir;
    const EncodedBlock block = make_block(1, 5'000);
    {
        const auto store = open_store(dir.store());
        require_ok(store->put_block(block, BlockWrite::bulk));
        require_ok(store->make_blocks_durable());
    }
    REQUIRE(flip_bit_on_disk(dir.store(), ".sst", ByteView(*block.bytes).subspan(2'000, 16)));
    check_damaged_and_repair(dir.store(), block);
}

TEST_CASE("damage met while space is reclaimed is named and stops neither writes nor, once repaired, the "
          "reclaiming") {
    const TempDir dir;
    constexpr std::uint64_t kBlocks = 12;
    const auto block = [](std::uint64_t number) { return make_block(number, 1U << 20); };
    {
        const auto store = open_store(dir.store());
        for (std::uint64_t i = 0; i < kBlocks; ++i)
            require_ok(store->put_block(block(i), BlockWrite::bulk));
        require_ok(store->make_blocks_durable());
    }
    REQUIRE(flip_bit_on_disk(dir.store(), ".blob", ByteView(*block(0).bytes).subspan(500'000, 16)));
    const std::uint64_t full_bytes = size_of_files(dir.store(), ".blob");
    const auto store = open_store(dir.store());
    for (std::uint64_t i = 0; i < kBlocks; ++i)
        if (i % 4 != 0) require_ok(store->erase_block(block(i).hash));
    const auto reclaimed = reclaim_now(*store);
    REQUIRE_FALSE(reclaimed);
    CHECK(reclaimed.error().code == Errc::corrupted);
    CHECK(store->stats().corruptions == 1);
    require_ok(store->put_block(block(kBlocks), BlockWrite::bulk));
    require_ok(store->make_blocks_durable());
    require_ok(store->replace_block(block(0)));
    require_ok(reclaim_now(*store));
    CHECK(size_of_files(dir.store(), ".blob") < full_bytes / 2);
    for (const std::uint64_t i : {0UL, 4UL, 8UL, kBlocks})
        require_same(store->get_block(block(i).hash), block(i));
}

TEST_CASE("a blob file that is gone is damage of its blocks, not an empty store") {
    const TempDir dir;
    const EncodedBlock block = make_block(1, 300'000);
    {
        const auto store = open_store(dir.store());
        require_ok(store->put_block(block, BlockWrite::bulk));
        require_ok(store->make_blocks_durable());
    }
    for (const auto& entry : std::filesystem::directory_iterator(dir.store()))
        if (entry.path().extension() == ".blob") std::filesystem::resize_file(entry.path(), 100);
    const auto store = Store::open({.directory = dir.store(), .memory_budget_bytes = kTestBudgetBytes});
    if (!store) {
        CHECK(store.error().code == Errc::corrupted);
    } else {
        CHECK((*store)->get_block(block.hash).error().code == Errc::corrupted);
    }
}

TEST_CASE("a bit flipped in any part of a block's record is seen by our own checksum") {
    const TempDir dir;
    const EncodedBlock block = make_block(1, 300'000);
    for (const std::size_t at : {0UL, 1UL, 2UL, 4UL, 8UL, 12UL, 16UL, 200'000UL}) {
        {
            const auto store = open_store(dir.store());
            require_ok(store->put_block(block, BlockWrite::logged));
        }
        const BlockKey key = make_block_key(kBlockKeyPrefix, block.hash);
        flip_bit_in_record(dir.store(), kBlocksFamily, {key.data(), key.size()}, at);
        check_damaged_and_repair(dir.store(), block);
    }
}

TEST_CASE("a damaged index record is reported by a sweep, which goes on") {
    const TempDir dir;
    const EncodedBlock block = make_block(1);
    const EncodedBlock other = make_block(2);
    {
        const auto store = open_store(dir.store());
        require_ok(store->put_block(block, BlockWrite::bulk));
        require_ok(store->put_block(other, BlockWrite::bulk));
    }
    const BlockKey key = make_block_key(kIndexKeyPrefix, block.hash);
    flip_bit_in_record(dir.store(), kBlocksFamily, {key.data(), key.size()}, 5);
    const auto store = open_store(dir.store());
    std::vector<Hash256> seen;
    const auto swept = store->scan_blocks([&](const Hash256& hash, std::uint32_t) {
        seen.push_back(hash);
        return true;
    });
    REQUIRE_FALSE(swept);
    require_corrupted(swept.error(), "blocks", block.hash.hex());
    CHECK(seen == std::vector<Hash256>{other.hash});
    CHECK_FALSE(store->has_block(block.hash));
    require_ok(store->put_block(block, BlockWrite::bulk));
    CHECK(store->has_block(block.hash));
}

TEST_CASE("a damaged value is skipped by a scan, named, and whole again once written anew") {
    const TempDir dir;
    {
        const auto store = open_store(dir.store());
        Batch batch;
        for (const char* key : {"w/1", "w/2", "w/3"})
            batch.put(Family::journal, key, as_bytes("value"));
        require_ok(store->write(batch, Sync::yes));
    }
    flip_bit_in_record(dir.store(), kJournalFamily, "w/2", kValueHeaderBytes + 2);
    const auto store = open_store(dir.store());
    const auto got = store->get(Family::journal, "w/2");
    REQUIRE_FALSE(got);
    require_corrupted(got.error(), "journal", "w/2");

    std::set<std::string> seen;
    const auto visit = [&](std::string_view key, ByteView) { return seen.emplace(key), true; };
    const auto scanned = store->scan(Family::journal, "w/", "", visit);
    REQUIRE_FALSE(scanned);
    require_corrupted(scanned.error(), "journal", "w/2");
    CHECK(seen == std::set<std::string>{"w/1", "w/3"});
    CHECK(store->stats().corruptions == 1);

    Batch repair;
    repair.put(Family::journal, "w/2", as_bytes("value"));
    require_ok(store->write(repair, Sync::no));
    CHECK(store->get(Family::journal, "w/2").value() == to_bytes("value"));
    require_ok(store->scan(Family::journal, "w/", "", visit));
    CHECK(seen.contains("w/2"));
}

TEST_CASE("a value under another key, in another family or cut short does not pass its checksum") {
    const Bytes value = to_bytes("value");
    const ValueHeader header = make_value_header(Family::state, "key", value);
    Bytes stored(header.begin(), header.end());
    stored.insert(stored.end(), value.begin(), value.end());
    CHECK(open_value(Family::state, "key", stored).has_value());
    CHECK_FALSE(open_value(Family::state, "kez", stored).has_value());
    CHECK_FALSE(open_value(Family::journal, "key", stored).has_value());
    for (std::size_t size = 0; size < stored.size(); ++size)
        CHECK_FALSE(open_value(Family::state, "key", ByteView(stored).first(size)).has_value());
}

TEST_CASE("a block record under another hash or cut short does not pass its checksum") {
    const EncodedBlock block = make_block(1, 40);
    const BlockHeader header = make_block_header(block);
    Bytes stored(header.begin(), header.end());
    stored.insert(stored.end(), block.bytes->begin(), block.bytes->end());
    CHECK(open_block(block.hash, stored).has_value());
    CHECK_FALSE(open_block(make_block(2).hash, stored).has_value());
    for (std::size_t size = 0; size < stored.size(); ++size)
        CHECK_FALSE(open_block(block.hash, ByteView(stored).first(size)).has_value());
}

TEST_CASE("the same damage is counted once, and again only after a repair") {
    CorruptionLog log("DIR");
    log.record("state", "k", "why");
    log.record("state", "k", "why");
    CHECK(log.count() == 1);
    log.record("journal", "k", "why");
    CHECK(log.count() == 2);
    log.forget("state", "k");
    log.record("state", "k", "why");
    CHECK(log.count() == 3);
}

TEST_CASE("a key is printed without control characters and cut") {
    CHECK(printable_key("w/1") == "w/1");
    CHECK(printable_key(std::string_view("\0\n\\ x", 5)) == "\\x00\\x0a\\x5c\\x20x");
    CHECK(printable_key(std::string(200, 'k')) == std::string(128, 'k') + "...");
}
