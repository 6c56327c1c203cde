#include "tests/unit/store/store_fixture.hpp"

#include <atomic>
#include <set>
#include <thread>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

namespace {

void put_value(Store& store, const std::string& key, const std::string& value) {
    Batch batch;
    batch.put(Family::state, key, as_bytes(value));
    require_ok(store.write(batch, Sync::no));
}

std::unique_ptr<Store> open_copy(const std::string& directory) {
    auto copy =
        Store::open({.directory = directory, .memory_budget_bytes = kTestBudgetBytes, .read_only = true});
    if (!copy) FAIL(copy.error().render());
    return std::move(*copy);
}

} // namespace

TEST_CASE("a checkpoint has what was written before it, and nothing that came later") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    const auto bulk = make_block(1, 700'000), logged = make_block(2, 3'000), later = make_block(3, 3'000);
    put_value(*store, "key", "before");
    require_ok(store->put_block(bulk, BlockWrite::bulk));
    require_ok(store->put_block(logged, BlockWrite::logged));
    require_ok(store->checkpoint(dir / "copy"));
    put_value(*store, "key", "after");
    require_ok(store->put_block(later, BlockWrite::logged));

    const auto copy = open_copy(dir / "copy");
    CHECK(as_text(**copy->get(Family::state, "key")) == "before");
    require_same(copy->get_block(bulk.hash), bulk);
    require_same(copy->get_block(logged.hash), logged);
    CHECK_FALSE(copy->has_block(later.hash));
    CHECK(as_text(**store->get(Family::state, "key")) == "after");
}

TEST_CASE("checkpoints under load never hold a later write without an earlier one") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    std::atomic<bool> stop = false;
    constexpr int kBlocksMax = 5'000; // 200 MB: each copy is read whole below
    // The block is written before the key that says so, as a manifest is after its blocks.
    std::thread writer([&] {
        for (int i = 0; !stop && i < kBlocksMax; ++i) {
            const auto block = make_block(static_cast<std::uint64_t>(i), 40'000);
            if (!store->put_block(block, i % 2 == 0 ? BlockWrite::bulk : BlockWrite::logged)) return;
            Batch batch;
            batch.put(Family::manifests, block.hash.hex(), as_bytes(std::to_string(i)));
            if (!store->write(batch, Sync::no)) return;
        }
    });
    for (int round = 0; round < 5; ++round) {
        const std::string path = dir / ("copy-" + std::to_string(round));
        require_ok(store->checkpoint(path));
        const auto copy = open_copy(path);
        std::size_t keys = 0;
        require_ok(copy->scan(Family::manifests, "", "", [&](std::string_view key, ByteView) {
            ++keys;
            Hash256 hash;
            CHECK((from_hex(std::string(key), hash.bytes) && copy->get_block(hash).has_value()));
            return true;
        }));
        INFO(round);
        if (round > 0) CHECK(keys > 0);
    }
    stop = true;
    writer.join();
}

TEST_CASE("a copy is opened without changing it, and is not written to") {
    const TempDir dir;
    {
        const auto store = open_store(dir.store());
        put_value(*store, "key", "value");
        require_ok(store->checkpoint(dir / "copy"));
    }
    const auto names = [&] {
        std::set<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(dir / "copy"))
            found.insert(entry.path().filename());
        return found;
    };
    const auto before = names();
    {
        const auto copy = open_copy(dir / "copy");
        Batch batch;
        batch.put(Family::state, "key", as_bytes("other"));
        CHECK_FALSE(copy->write(batch, Sync::no).has_value());
        CHECK(as_text(**copy->get(Family::state, "key")) == "value");
    }
    CHECK(names() == before);
}

TEST_CASE("looking into a directory without a store says so and makes none") {
    const TempDir dir;
    const auto copy = Store::open({.directory = dir / "none", .read_only = true});
    REQUIRE_FALSE(copy.has_value());
    CHECK(copy.error().code == Errc::not_found);
    CHECK_FALSE(std::filesystem::exists(dir / "none"));
}
