#include "runtime/store/rocks_database.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

namespace {

Error open_fails(const std::string& directory) {
    const auto store = Store::open({.directory = directory, .memory_budget_bytes = kTestBudgetBytes});
    REQUIRE_FALSE(store);
    CHECK(store.error().message.find(directory) != std::string::npos);
    CHECK_FALSE(store.error().remedy.empty());
    return store.error();
}

bool mentions(const Error& error, std::string_view text) {
    return error.render().find(text) != std::string::npos;
}

std::string find_file(const std::string& directory, std::string_view prefix) {
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        if (entry.path().filename().string().starts_with(prefix)) return entry.path().string();
    return {};
}

/// Sheds root's power to ignore permissions while in scope; does nothing for other users.
class AsNobody {
  public:
    AsNobody() : was_root_(::geteuid() == 0) {
        if (was_root_) REQUIRE(::seteuid(65534) == 0);
    }
    ~AsNobody() {
        if (was_root_) was_root_ = ::seteuid(0) != 0;
    }

  private:
    bool was_root_;
};

} // namespace

TEST_CASE("opening makes the directory and its parents, for its owner only") {
    const TempDir dir;
    const std::string path = dir / "a/b/store";
    open_store(path);
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
}

TEST_CASE("a store in use is refused with the reason") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    const Error error = open_fails(dir.store());
    CHECK(error.code == Errc::unavailable);
    CHECK(mentions(error, "another dwcp-node uses this directory"));
}

TEST_CASE("a file in the place of the directory is refused") {
    const TempDir dir;
    std::ofstream(dir.store()) << "not a directory";
    CHECK(open_fails(dir.store()).code == Errc::invalid_argument);
    CHECK(open_fails(dir.store() + "/below").code == Errc::invalid_argument);
}

TEST_CASE("a directory without permission is refused with how to give it") {
    const TempDir dir;
    std::filesystem::create_directory(dir.store());
    std::filesystem::permissions(dir.store(), std::filesystem::perms::none);
    const AsNobody nobody;
    const Error error = open_fails(dir.store());
    CHECK(error.code == Errc::permission_denied);
    CHECK(mentions(error, "chown"));
}

TEST_CASE("a store of a newer format is refused and says which") {
    const TempDir dir;
    open_store(dir.store());
    {
        auto database = open_database({.directory = dir.store(), .memory_budget_bytes = kTestBudgetBytes});
        require_ok(database);
        rocksdb::ColumnFamilyHandle* added = nullptr;
        REQUIRE(database->db->CreateColumnFamily({}, "added_by_version_9", &added).ok());
        database->handles.push_back(added);
        REQUIRE(
            database->db->Put({}, database->families[kDefaultFamily], rocksdb::Slice(kFormatVersionKey), "9")
                .ok());
    }
    const Error error = open_fails(dir.store());
    CHECK(error.code == Errc::precondition_failed);
    CHECK(mentions(error, "format version 9"));
}

TEST_CASE("a store whose format version is damaged is refused, not started afresh") {
    const TempDir dir;
    {
        const auto store = open_store(dir.store());
        Batch batch;
        batch.put(Family::state, "k", as_bytes("v"));
        require_ok(store->write(batch, Sync::yes));
    }
    const std::string stored = GENERATE("", "x", "0", "1x", "-1");
    {
        auto database = open_database({.directory = dir.store(), .memory_budget_bytes = kTestBudgetBytes});
        require_ok(database);
        auto* family = database->families[kDefaultFamily];
        if (stored.empty())
            REQUIRE(database->db->Delete({}, family, rocksdb::Slice(kFormatVersionKey)).ok());
        else
            REQUIRE(database->db->Put({}, family, rocksdb::Slice(kFormatVersionKey), stored).ok());
    }
    CHECK(open_fails(dir.store()).code == Errc::corrupted);
}

TEST_CASE("a damaged manifest is refused with what to do") {
    const TempDir dir;
    open_store(dir.store());
    const std::string manifest = find_file(dir.store(), "MANIFEST-");
    REQUIRE_FALSE(manifest.empty());
    SECTION("a flipped byte") {
        std::fstream file(manifest, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(20);
        file.put('\x7f');
        file.close();
        const Error error = open_fails(dir.store());
        CHECK(error.code == Errc::corrupted);
        CHECK(mentions(error, "--restore"));
    }
    SECTION("no manifest") {
        std::filesystem::remove(manifest);
        open_fails(dir.store());
    }
}

TEST_CASE("data without the file CURRENT is refused, not started afresh") {
    const TempDir dir;
    {
        const auto store = open_store(dir.store());
        require_ok(store->put_block(make_block(1), BlockWrite::bulk));
        require_ok(store->make_blocks_durable());
    }
    std::filesystem::remove(dir.store() + "/CURRENT");
    CHECK(open_fails(dir.store()).code == Errc::corrupted);
}

TEST_CASE("a directory name with spaces and UTF-8 works, and RocksDB's own log stays in it") {
    const TempDir dir;
    const std::string path = dir / "dänger zone/store";
    open_store(path);
    CHECK(std::filesystem::exists(path + "/LOG"));
}
