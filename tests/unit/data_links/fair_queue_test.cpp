#include "protocols/base/random.hpp"
#include "runtime/links/data/fair_queue.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using links::FairQueue;

TEST_CASE("two flows with work get the same, however much one has queued") {
    FairQueue<char> queue(100);
    for (int i = 0; i < 50; ++i)
        queue.push("many", 100, 'm');
    for (int i = 0; i < 5; ++i)
        queue.push("few", 100, 'f');
    std::string order;
    for (int i = 0; i < 10; ++i)
        order += *queue.pop();
    CHECK(std::count(order.begin(), order.end(), 'f') == 5);
}

TEST_CASE("a flow with large items gets as many bytes as a flow with small ones, not as many items") {
    FairQueue<std::uint64_t> queue(1000);
    for (int i = 0; i < 100; ++i)
        queue.push("large", 1000, 1000);
    for (int i = 0; i < 1000; ++i)
        queue.push("small", 100, 100);
    std::uint64_t large = 0;
    std::uint64_t small = 0;
    for (int i = 0; i < 550; ++i)
        (*queue.pop() == 1000 ? large += 1000 : small += 100);
    CHECK(large == Approx(static_cast<double>(small)).epsilon(0.05));
}

TEST_CASE("an item larger than the quantum still comes, after enough rounds") {
    FairQueue<int> queue(10);
    queue.push("a", 95, 1);
    queue.push("b", 10, 2);
    CHECK(queue.pop() == 2);
    CHECK(queue.pop() == 1);
    CHECK_FALSE(queue.pop().has_value());
}

TEST_CASE("a flow keeps its own order and nothing is lost or doubled") {
    Random random(test::seed());
    FairQueue<std::pair<int, int>> queue(64);
    std::map<int, int> pushed;
    std::map<int, int> popped;
    const auto take = [&] {
        const auto item = queue.pop();
        if (item) REQUIRE(item->second == popped[item->first]++);
    };
    for (int round = 0; round < 5000; ++round) {
        const int flow = static_cast<int>(random.below(5));
        queue.push(std::to_string(flow), 1 + random.below(200), {flow, pushed[flow]++});
        if (random.below(3) != 0) take();
    }
    while (queue.size() > 0)
        take();
    CHECK(pushed == popped);
}

TEST_CASE("a flow that was idle has saved up no claim") {
    FairQueue<char> queue(100);
    queue.push("a", 10, 'a');
    CHECK(queue.pop() == 'a'); // leaves 90 of its quantum, which is forfeited
    for (int i = 0; i < 40; ++i)
        queue.push("a", 100, 'a');
    for (int i = 0; i < 40; ++i)
        queue.push("b", 100, 'b');
    std::string order;
    for (int i = 0; i < 40; ++i)
        order += *queue.pop();
    CHECK(std::count(order.begin(), order.end(), 'a') == 20);
}
