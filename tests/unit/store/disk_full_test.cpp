#include "runtime/store/testing.hpp"
#include "tests/unit/store/store_fixture.hpp"

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

/// Uses up all of the disk; removing the file gives it back.
void write_ballast(const std::string& path) {
    std::ofstream ballast(path);
    const std::string chunk(1U << 20, 'x');
    while (ballast << chunk << std::flush) {
    }
}

void require_exhausted(const Result<void>& result) {
    REQUIRE_FALSE(result);
    INFO(result.error().render());
    CHECK(result.error().code == Errc::resource_exhausted);
    CHECK_FALSE(result.error().remedy.empty());
}

constexpr const char* kSkipped = "SKIPPED: needs the right to mount a tmpfs (root)";

} // namespace

TEST_CASE("blocks are refused before the disk is full; values and erasures go on, and erasing makes room") {
    const TempDir dir;
    const SmallDisk disk(dir / "disk");
    if (!disk.mounted()) {
        WARN(kSkipped);
        return;
    }
    const auto store = open_store(dir / "disk/store");
    std::uint64_t number = 0;
    Result<void> put;
    while ((put = store->put_block(make_block(number, 1U << 20), BlockWrite::bulk))) {
        require_ok(store->make_blocks_durable());
        REQUIRE(++number < 64);
    }
    require_exhausted(put);
    REQUIRE(number > 8);
    Batch batch;
    batch.put(Family::journal, "k", as_bytes("v"));
    require_ok(store->write(batch, Sync::yes));
    for (std::uint64_t i = 0; i < number; ++i) {
        require_same(store->get_block(make_block(i, 1U << 20).hash), make_block(i, 1U << 20));
        require_ok(store->erase_block(make_block(i, 1U << 20).hash));
    }
    require_ok(reclaim_now(*store));
    require_ok(store->put_block(make_block(number, 1U << 20), BlockWrite::bulk));
    require_ok(store->make_blocks_durable());
}

TEST_CASE("a disk that others fill is reported, loses nothing, and the store goes on when there is room") {
    const TempDir dir;
    const SmallDisk disk(dir / "disk");
    if (!disk.mounted()) {
        WARN(kSkipped);
        return;
    }
    const std::string path = dir / "disk/store";
    {
        const auto store = open_store(path);
        for (std::uint64_t number = 0; number < 4; ++number) {
            require_ok(store->put_block(make_block(number, 900'000), BlockWrite::bulk));
            if (number == 1) require_ok(store->make_blocks_durable());
        }
        write_ballast(dir / "disk/ballast");
        require_exhausted(store->make_blocks_durable());
        Batch batch;
        batch.put(Family::journal, "k", as_bytes("v"));
        require_exhausted(store->write(batch, Sync::yes));
        for (std::uint64_t number = 0; number < 4; ++number)
            require_ok(store->get_block(make_block(number, 900'000).hash));

        std::filesystem::remove(dir / "disk/ballast");
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        Result<void> resumed = store->make_blocks_durable();
        while (!resumed && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield(); // RocksDB looks for free space by itself, every 5 s; nothing tells
                                       // when
            resumed = store->make_blocks_durable();
        }
        require_ok(resumed);
        require_ok(store->write(batch, Sync::yes));
    }
    const auto store = open_store(path);
    for (std::uint64_t number = 0; number < 4; ++number)
        require_same(store->get_block(make_block(number, 900'000).hash), make_block(number, 900'000));
    CHECK(store->get(Family::journal, "k").value().has_value());
}

TEST_CASE("a store cannot be made on a full disk and says so") {
    const TempDir dir;
    const SmallDisk disk(dir / "disk");
    if (!disk.mounted()) {
        WARN(kSkipped);
        return;
    }
    write_ballast(dir / "disk/ballast");
    const auto store =
        Store::open({.directory = dir / "disk/store", .memory_budget_bytes = kTestBudgetBytes});
    REQUIRE_FALSE(store);
    CHECK(store.error().code == Errc::resource_exhausted);
    CHECK_FALSE(store.error().remedy.empty());
}
