#include "runtime/links/data/work_queue.hpp"
#include "tests/unit/data_links/fixture.hpp"

using namespace dwcp;
using namespace dwcp::test;

namespace {

/// Something to wait at and for.
class Gate {
  public:
    void wait() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    bool wait_for_visitors(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return waiting_ >= count; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int waiting_ = 0;
    bool open_ = false;
};

} // namespace

TEST_CASE("callbacks run although the service has all of its threads blocked") {
    Gate gate;
    Gate called;
    links::WorkQueue queue(2);
    for (int i = 0; i < 6; ++i)
        queue.serve("a", 1, [&] { gate.wait(); });
    REQUIRE(gate.wait_for_visitors(2));
    queue.run_callback([&] { called.wait(); });
    CHECK(called.wait_for_visitors(1));
    called.open();
    gate.open();
}

TEST_CASE("service work that found no free thread is done later") {
    std::atomic<int> done = 0;
    links::WorkQueue queue(2);
    for (int i = 0; i < 500; ++i) {
        queue.serve(std::to_string(i % 3), 1000, [&] { ++done; });
        queue.run_callback([&] { ++done; });
    }
    CHECK(eventually([&] { return done == 1000; }));
}

TEST_CASE("at the end every callback runs, and service work that has not begun does not") {
    std::atomic<int> callbacks = 0;
    std::atomic<int> served = 0;
    Gate gate;
    {
        links::WorkQueue queue(1);
        queue.serve("a", 1, [&] {
            gate.wait();
            ++served;
        });
        REQUIRE(gate.wait_for_visitors(1));
        // The running job goes on once the others have been dropped.
        const auto opener = std::shared_ptr<void>(nullptr, [&](void*) { gate.open(); });
        for (int i = 0; i < 100; ++i)
            queue.serve("a", 1, [&, opener] { ++served; });
        for (int i = 0; i < 100; ++i) {
            queue.run_callback([&] { // one that asks for another, as a request refused while stopping does
                ++callbacks;
                queue.run_callback([&] { ++callbacks; });
            });
        }
    }
    CHECK(callbacks == 200);
    CHECK(served == 1);
}
