#include "tests/unit/store/store_fixture.hpp"

#include <atomic>
#include <thread>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

namespace {

void put(Store& store, Family family, std::string_view key, std::string_view value, Sync sync = Sync::no) {
    Batch batch;
    batch.put(family, key, as_bytes(value));
    require_ok(store.write(batch, sync));
}

std::optional<std::string> get(const Store& store, Family family, std::string_view key) {
    const auto value = store.get(family, key);
    require_ok(value);
    if (!*value) return std::nullopt;
    return std::string(as_text(**value));
}

std::vector<std::string> keys(const Store& store, std::string_view prefix, std::string_view from = {},
                              std::size_t limit = 100) {
    std::vector<std::string> found;
    require_ok(store.scan(Family::state, prefix, from, [&](std::string_view key, ByteView value) {
        CHECK(as_text(value) == "value of " + std::string(key));
        found.emplace_back(key);
        return found.size() < limit;
    }));
    return found;
}

} // namespace

TEST_CASE("a value comes back from its own family only") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    put(*store, Family::journal, "k", "in the journal");
    put(*store, Family::state, "k", "in the state");
    CHECK(get(*store, Family::journal, "k") == "in the journal");
    CHECK(get(*store, Family::state, "k") == "in the state");
    CHECK(get(*store, Family::manifests, "k") == std::nullopt);
}

TEST_CASE("an empty value, a binary key and a large value are kept as they are") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    const std::string binary("\0\xff\n", 3);
    const std::string large(3U << 20, 'x');
    put(*store, Family::state, "empty", "");
    put(*store, Family::state, binary, "binary");
    put(*store, Family::manifests, "large", large);
    CHECK(get(*store, Family::state, "empty") == "");
    CHECK(get(*store, Family::state, binary) == "binary");
    CHECK(get(*store, Family::manifests, "large") == large);
}

TEST_CASE("an erased value is gone and a later write in one batch wins over an earlier one") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    put(*store, Family::state, "a", "1");
    Batch batch;
    CHECK(batch.empty());
    batch.erase(Family::state, "a");
    batch.put(Family::state, "b", as_bytes("1"));
    batch.put(Family::state, "b", as_bytes("2"));
    CHECK_FALSE(batch.empty());
    require_ok(store->write(batch, Sync::yes));
    CHECK(get(*store, Family::state, "a") == std::nullopt);
    CHECK(get(*store, Family::state, "b") == "2");
}

TEST_CASE("a scan visits the keys of a prefix in order, from a key on, until told to stop") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    for (const std::string key : {"b/2", "a/9", "b/1", "c/1", "b/3", "b"})
        put(*store, Family::state, key, "value of " + key);
    CHECK(keys(*store, "b/") == std::vector<std::string>{"b/1", "b/2", "b/3"});
    CHECK(keys(*store, "") == std::vector<std::string>{"a/9", "b", "b/1", "b/2", "b/3", "c/1"});
    CHECK(keys(*store, "b/", "b/2") == std::vector<std::string>{"b/2", "b/3"});
    CHECK(keys(*store, "b/", "a") == std::vector<std::string>{"b/1", "b/2", "b/3"});
    CHECK(keys(*store, "b/", "c").empty());
    CHECK(keys(*store, "b/", "", 2) == std::vector<std::string>{"b/1", "b/2"});
    CHECK(keys(*store, "nothing").empty());
}

TEST_CASE("a prefix of 0xff bytes has no end and is still scanned right") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    for (const std::string key : {"\xff\xff", "\xff\xff\x01", "\xfe"})
        put(*store, Family::state, key, "value of " + key);
    CHECK(keys(*store, "\xff\xff") == std::vector<std::string>{"\xff\xff", "\xff\xff\x01"});
    CHECK(keys(*store, "\xfe") == std::vector<std::string>{"\xfe"});
}

TEST_CASE("a store that is closed and opened again holds everything") {
    const TempDir dir;
    const EncodedBlock logged = make_block(1);
    const EncodedBlock bulk = make_block(2);
    {
        const auto store = open_store(dir.store());
        put(*store, Family::journal, "unsynced", "1");
        put(*store, Family::manifests, "synced", "2", Sync::yes);
        require_ok(store->put_block(logged, BlockWrite::logged));
        require_ok(store->put_block(bulk, BlockWrite::bulk));
        require_ok(store->make_blocks_durable());
    }
    const auto store = open_store(dir.store());
    CHECK(get(*store, Family::journal, "unsynced") == "1");
    CHECK(get(*store, Family::manifests, "synced") == "2");
    require_same(store->get_block(logged.hash), logged);
    require_same(store->get_block(bulk.hash), bulk);
    CHECK(store->stats().blocks_bytes >= logged.bytes->size() + bulk.bytes->size());
}

TEST_CASE("a reader never sees half a batch") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    const auto write_round = [&](int round) {
        Batch batch;
        for (const char* key : {"x", "y", "z"})
            batch.put(Family::state, key, as_bytes(std::to_string(round)));
        return store->write(batch, Sync::no);
    };
    require_ok(write_round(0));
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        for (int round = 1; !stop; ++round)
            if (!write_round(round)) break;
    });
    for (int i = 0; i < 500; ++i) {
        std::vector<std::string> seen;
        const auto scanned = store->scan(Family::state, "", "", [&](std::string_view, ByteView value) {
            seen.emplace_back(as_text(value));
            return true;
        });
        CHECK(scanned.has_value());
        CHECK((seen.size() == 3 && seen[0] == seen[1] && seen[1] == seen[2]));
    }
    stop = true;
    writer.join();
}
