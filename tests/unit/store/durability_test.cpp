#include "runtime/store/shared_rounds.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

namespace {

/// Work that waits at its start until it is let go.
class Gate {
  public:
    void pass() {
        std::unique_lock lock(mutex_);
        ++arrived_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
    }
    void wait_for_arrival() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return arrived_ > 0; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int arrived_ = 0;
    bool open_ = false;
};

} // namespace

TEST_CASE("callers that arrive during a run share the next one and its result") {
    Gate gate;
    std::atomic<int> runs = 0;
    SharedRounds rounds([&]() -> Result<void> {
        const int run = ++runs;
        gate.pass();
        if (run == 2) return fail(Errc::io_error, "the second run fails");
        return {};
    });
    std::atomic<int> failed = 0;
    const auto join = [&] {
        if (!rounds.join()) ++failed;
    };
    std::thread first(join);
    gate.wait_for_arrival();
    std::vector<std::thread> others;
    for (int i = 0; i < 8; ++i)
        others.emplace_back(join);
    while (rounds.waiting() < 8)
        std::this_thread::yield();
    gate.open();
    first.join();
    for (std::thread& thread : others)
        thread.join();
    CHECK(runs == 2);
    CHECK(failed == 8);
    CHECK(rounds.waiting() == 0);
}

TEST_CASE(
    "what was written before a call is covered by the run that the call waits for, and runs never overlap") {
    std::atomic<int> written = 0;
    std::atomic<int> durable = 0;
    std::atomic<int> running = 0;
    std::atomic<int> mistakes = 0;
    SharedRounds rounds([&]() -> Result<void> {
        if (++running != 1) ++mistakes;
        const int upto = written;
        std::this_thread::yield();
        durable = upto;
        --running;
        return {};
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 500; ++k) {
                const int mine = ++written;
                if (!rounds.join() || durable < mine) ++mistakes;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    CHECK(mistakes == 0);
}

TEST_CASE("making durable with nothing new does nothing, and a flush writes bulk bytes once") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    require_ok(store->make_blocks_durable());
    CHECK(size_of_files(dir.store(), ".blob") == 0);
    const EncodedBlock block = make_block(1, 1U << 20);
    require_ok(store->put_block(block, BlockWrite::bulk));
    require_ok(store->make_blocks_durable());
    const std::uint64_t bytes = size_of_files(dir.store(), ".blob");
    CHECK(bytes >= block.bytes->size());
    CHECK(bytes < block.bytes->size() + 4096);
    CHECK(size_of_files(dir.store(), ".log") < 4096);
    require_ok(store->make_blocks_durable());
    require_ok(store->put_block(block, BlockWrite::bulk));
    require_ok(store->make_blocks_durable());
    CHECK(size_of_files(dir.store(), ".blob") == bytes);
}

TEST_CASE("logged blocks become durable in the log, without a file each") {
    const TempDir dir;
    const auto store = open_store(dir.store());
    require_ok(store->put_block(make_block(1, 50'000), BlockWrite::logged));
    require_ok(store->make_blocks_durable());
    CHECK(size_of_files(dir.store(), ".blob") == 0);
    CHECK(size_of_files(dir.store(), ".log") >= 50'000);
}
