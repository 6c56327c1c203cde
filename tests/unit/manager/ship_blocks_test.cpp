#include "actors/manager/ship_blocks.hpp"
#include "tests/unit/manager/fake_data_plane.hpp"
#include "tests/unit/manager/keeper_fixture.hpp"

#include <atomic>
#include <condition_variable>
#include <future>

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;

namespace {

class ShipFixture : public KeeperFixture {
  public:
    std::vector<Hash256> take_in(std::size_t count) {
        std::vector<Hash256> hashes;
        for (std::size_t i = 0; i < count; ++i) {
            const auto block = block_number(i, 200);
            require_ok(keeper().take_in(block, "w"));
            hashes.push_back(block.hash);
        }
        return hashes;
    }

    Result<void> ship(std::vector<Hash256> hashes) {
        std::promise<Result<void>> promise;
        auto answer = promise.get_future();
        ship_blocks({"b", "w", std::move(hashes), std::chrono::seconds(5)}, keeper(), data, disk,
                    [&](Result<void> result) {
                        ++answers;
                        promise.set_value(std::move(result));
                    });
        return answer.get();
    }

    // As in the node: disk jobs send blocks and the answers want disk jobs, so the pool stops first and goes
    // last.
    ~ShipFixture() { disk.stop(); }

    std::atomic<int> answers{0};
    WorkerPool disk{"disk", 2, 1000};
    FakeDataPlane data;
};

} // namespace

TEST_CASE_METHOD(ShipFixture, "all blocks arrive, a window of them at a time") {
    const auto hashes = take_in(200);
    require_ok(ship(hashes));
    CHECK(data.blocks_at("b") == 200);
    CHECK(data.sends_under_way_max() <= 16);
    CHECK(answers == 1);
}

TEST_CASE_METHOD(ShipFixture, "nothing to ship is shipped at once") {
    require_ok(ship({}));
    CHECK(answers == 1);
}

TEST_CASE_METHOD(ShipFixture, "the first failure ends the run, once, and few blocks are tried beyond it") {
    const auto hashes = take_in(200);
    data.set_down("b");
    const auto shipped = ship(hashes);
    REQUIRE_FALSE(shipped);
    CHECK(shipped.error().code == Errc::unavailable);
    disk.stop();
    CHECK(answers == 1);
    CHECK(data.with("b", [](const auto& peer) { return peer.sends; }) <= 32);
}

TEST_CASE_METHOD(ShipFixture, "a block that is not here fails the run by name") {
    auto hashes = take_in(20);
    hashes.insert(hashes.begin() + 10, block_number(999).hash);
    const auto shipped = ship(hashes);
    REQUIRE_FALSE(shipped);
    CHECK(shipped.error().code == Errc::not_found);
    CHECK(answers == 1);
}

TEST_CASE_METHOD(ShipFixture, "a full disk queue fails the run once") {
    std::mutex mutex;
    std::condition_variable wake;
    bool go = false;
    {
        WorkerPool busy("busy", 1, 3);
        for (int i = 0; i < 4; ++i) {
            const bool queued = busy.try_submit([&] {
                std::unique_lock lock(mutex);
                wake.wait(lock, [&] { return go; });
            });
            if (!queued) break;
        }
        std::promise<Result<void>> promise;
        ship_blocks({"b", "w", take_in(30), std::chrono::seconds(5)}, keeper(), data, busy,
                    [&](Result<void> result) {
                        ++answers;
                        promise.set_value(std::move(result));
                    });
        {
            const std::lock_guard lock(mutex);
            go = true;
        }
        wake.notify_all();
        CHECK(promise.get_future().get().error().code == Errc::resource_exhausted);
    }
    CHECK(answers == 1);
}

TEST_CASE_METHOD(ShipFixture, "a pool that stopped fails the run once") {
    const auto hashes = take_in(3);
    disk.stop();
    CHECK(ship(hashes).error().code == Errc::resource_exhausted);
    CHECK(answers == 1);
}
