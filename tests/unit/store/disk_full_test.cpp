#include "store_fixture.hpp"

#include <chrono>
#include <sys/mount.h>
#include <thread>
#include <unistd.h>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

namespace {

/// A file system of its own, small enough to fill.
class SmallDisk {
  public:
    explicit SmallDisk(std::string path) : path_(std::move(path)) {
        std::filesystem::create_directories(path_);
        mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64m,mode=0700") == 0;
    }
    ~SmallDisk() {
        if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    bool mounted() const { return mounted_; }

  private:
    std::string path_;
    bool mounted_ = false;
};

/// Puts blocks and makes each durable until that fails; returns how many are durable.
std::uint64_t fill(Store& store, Error& error) {
    for (std::uint64_t number = 0; number < 100; ++number) {
        auto done = store.put_block(make_block(number, 1U << 20), BlockWrite::bulk);
        if (done) done = store.make_blocks_durable();
        if (done) continue;
        error = done.error();
        return number;
    }
    return 100;
}

} // namespace

TEST_CASE(
    "a full disk is reported with what to do, loses nothing, and the store goes on when there is room") {
    const TempDir dir;
    const SmallDisk disk(dir / "disk");
    if (!disk.mounted()) {
        WARN("SKIPPED: needs the right to mount a tmpfs (root)");
        return;
    }
    const std::string path = dir / "disk/store";
    const std::string ballast = dir / "disk/ballast";
    std::ofstream(ballast) << std::string(32U << 20, 'x');
    std::uint64_t durable = 0;
    {
        const auto store = open_store(path);
        Error error;
        durable = fill(*store, error);
        REQUIRE(durable > 0);
        REQUIRE(durable < 100);
        INFO(error.render());
        CHECK(error.code == Errc::resource_exhausted);
        CHECK_FALSE(error.remedy.empty());
        for (std::uint64_t number = 0; number <= durable; ++number)
            require_ok(store->get_block(make_block(number, 1U << 20).hash));

        std::filesystem::remove(ballast);
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        Result<void> resumed = store->make_blocks_durable();
        while (!resumed && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield(); // RocksDB looks for free space by itself; nothing tells when
            resumed = store->make_blocks_durable();
        }
        require_ok(resumed);
        Batch batch;
        batch.put(Family::journal, "after", as_bytes("1"));
        require_ok(store->write(batch, Sync::yes));
    }
    const auto store = open_store(path);
    for (std::uint64_t number = 0; number <= durable; ++number) {
        const EncodedBlock block = make_block(number, 1U << 20);
        require_same(store->get_block(block.hash), block);
    }
    CHECK(store->get(Family::journal, "after").value().has_value());
}

TEST_CASE("a store cannot be made on a full disk and says so") {
    const TempDir dir;
    const SmallDisk disk(dir / "disk");
    if (!disk.mounted()) {
        WARN("SKIPPED: needs the right to mount a tmpfs (root)");
        return;
    }
    {
        std::ofstream ballast(dir / "disk/ballast");
        const std::string chunk(1U << 20, 'x');
        while (ballast << chunk << std::flush) {
        }
    }
    const auto store =
        Store::open({.directory = dir / "disk/store", .memory_budget_bytes = kTestBudgetBytes});
    REQUIRE_FALSE(store);
    INFO(store.error().render());
    CHECK(store.error().code == Errc::resource_exhausted);
    CHECK_FALSE(store.error().remedy.empty());
}
