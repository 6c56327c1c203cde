#include "runtime/base/worker_pool.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <pthread.h>

namespace dwcp {
namespace {

/// Holds a pool's only thread until it is let go.
class Blocker {
  public:
    explicit Blocker(WorkerPool& pool) {
        REQUIRE(pool.try_submit([this] {
            started_.count_down();
            release_.wait();
        }));
        started_.wait();
    }
    ~Blocker() { release(); }
    void release() {
        if (!released_.exchange(true)) release_.count_down();
    }

  private:
    std::latch started_{1};
    std::latch release_{1};
    std::atomic<bool> released_ = false;
};

std::string thread_name() {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return name.data();
}

} // namespace

TEST_CASE("every job that was taken runs exactly once") {
    std::atomic<int> ran = 0;
    int taken = 0;
    {
        WorkerPool pool("test", 4, 1000);
        for (int i = 0; i < 1000; ++i)
            taken += pool.try_submit([&] { ++ran; }) ? 1 : 0;
    }
    CHECK(taken == 1000);
    CHECK(ran == taken);
}

TEST_CASE("a full queue refuses instead of growing") {
    std::atomic<int> ran = 0;
    std::promise<void> last;
    std::unique_ptr<Blocker> blocker;
    WorkerPool pool("test", 1, 2);
    blocker = std::make_unique<Blocker>(pool);
    CHECK(pool.try_submit([&] { ++ran; }));
    CHECK(pool.try_submit([&] {
        ++ran;
        last.set_value();
    }));
    CHECK(pool.queued() == 2);
    CHECK_FALSE(pool.try_submit([&] { ran += 100; }));
    blocker->release();
    last.get_future().wait();
    CHECK(ran == 2);
    CHECK(pool.queued() == 0);
    CHECK(pool.try_submit([] {})); // there is room again
}

TEST_CASE("stopping runs what is queued") {
    std::atomic<int> ran = 0;
    std::unique_ptr<Blocker> blocker;
    {
        WorkerPool pool("test", 1, 10);
        blocker = std::make_unique<Blocker>(pool);
        for (int i = 0; i < 5; ++i)
            REQUIRE(pool.try_submit([&] { ++ran; }));
        CHECK(ran == 0);
        blocker->release();
    }
    CHECK(ran == 5);
}

TEST_CASE("a stopping pool takes no more jobs") {
    // A job that is still running submits others until the pool refuses: not for want of room, but because
    // its destructor has begun.
    constexpr std::size_t kRoom = 1'000'000;
    std::atomic<std::size_t> queued_when_refused = kRoom;
    std::promise<void> started;
    {
        auto pool = std::make_unique<WorkerPool>("test", 1, kRoom);
        WorkerPool* target = pool.get();
        REQUIRE(pool->try_submit([&, target] {
            started.set_value();
            while (target->try_submit([] {}))
                std::this_thread::yield();
            queued_when_refused = target->queued();
        }));
        started.get_future().wait();
    }
    CHECK(queued_when_refused < kRoom);
}

TEST_CASE("jobs run side by side on as many threads as were asked for") {
    // Each job waits for all others: fewer threads would never end.
    std::latch together(3);
    WorkerPool pool("test", 3, 3);
    std::latch done(3);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(pool.try_submit([&] {
            together.arrive_and_wait();
            done.count_down();
        }));
    }
    done.wait();
    CHECK(pool.queued() == 0);
}

TEST_CASE("threads carry the pool's name and their number") {
    std::promise<std::string> name;
    WorkerPool pool("codec", 1, 1);
    REQUIRE(pool.try_submit([&] { name.set_value(thread_name()); }));
    CHECK(name.get_future().get() == "codec-0");
}

TEST_CASE("a long thread name is cut to what the system takes") {
    std::promise<std::string> name;
    {
        const std::jthread thread([&] {
            name_this_thread("a-very-long-thread-name");
            name.set_value(thread_name());
        });
    }
    CHECK(name.get_future().get() == "a-very-long-thr");
}

} // namespace dwcp
