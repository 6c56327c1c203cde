#include "protocols/consensus/mempool.hpp"

#include <catch2/catch.hpp>

namespace dwcp::consensus {
namespace {

constexpr Duration kViewTimeout = milliseconds(500);
const TimePoint kBegin = TimePoint{} + std::chrono::hours(1);

Transaction transaction(const std::string& id, std::uint64_t sequence = 1, const std::string& payload = "v") {
    return {.command = {id, to_bytes(payload), sequence}, .submitter = "a", .signature = {}};
}

Block block_of(std::vector<Transaction> transactions, Height height = 1) {
    Block block;
    block.height = height;
    block.transactions = std::move(transactions);
    return block;
}

using Added = Mempool::Added;
using Origin = Mempool::Origin;

TEST_CASE("commands are taken in the order in which they came, each once until another view") {
    Mempool pool(100, 1U << 20, kViewTimeout);
    for (const auto* id : {"c", "a", "b"})
        CHECK(pool.add(transaction(id), Origin::here, kBegin) == Added::fresh);
    CHECK(pool.add(transaction("a"), Origin::passed_on, kBegin) == Added::known);
    CHECK(pool.add(transaction("a", 1, "other"), Origin::here, kBegin) == Added::differs);
    auto taken = pool.take(1U << 20, 2);
    REQUIRE(taken.size() == 2);
    CHECK(taken[0].command.id == "c");
    CHECK(taken[1].command.id == "a");
    CHECK(pool.take(1U << 20, 10).size() == 1);
    CHECK_FALSE(pool.has_ready());
    CHECK(pool.ready_bytes() == 0);
    pool.begin_view(kBegin);
    CHECK(pool.take(1U << 20, 10).size() == 3);
}

TEST_CASE("what is decided leaves, and copies of it are not taken in again") {
    Mempool pool(100, 1U << 20, kViewTimeout);
    pool.add(transaction("a"), Origin::here, kBegin);
    pool.decided(block_of({transaction("b"), transaction("a")}, 7));
    CHECK(pool.size() == 0);
    CHECK_FALSE(pool.watched());
    CHECK(pool.add(transaction("a"), Origin::here, kBegin) == Added::ordered);
    REQUIRE(pool.ordered({"a", 1}));
    CHECK(pool.ordered({"a", 1})->height == 7);
    CHECK(pool.ordered({"a", 1})->position == 1);
    // A second time decided, the first place counts.
    pool.decided(block_of({transaction("a")}, 8));
    CHECK(pool.ordered({"a", 1})->height == 7);
    for (std::size_t i = 0; i < kRecentMax; ++i)
        pool.decided(block_of({transaction("x", i + 1)}, 9));
    CHECK(pool.ordered({"a", 1}) == nullptr);
}

TEST_CASE("it is full by commands and by bytes") {
    Mempool few(2, 1U << 20, kViewTimeout);
    CHECK(few.add(transaction("a"), Origin::here, kBegin) == Added::fresh);
    CHECK(few.add(transaction("b"), Origin::here, kBegin) == Added::fresh);
    CHECK(few.add(transaction("c"), Origin::here, kBegin) == Added::full);
    Mempool small(100, 2 * transaction("a").bytes(), kViewTimeout);
    CHECK(small.add(transaction("a"), Origin::here, kBegin) == Added::fresh);
    CHECK(small.add(transaction("b"), Origin::here, kBegin) == Added::fresh);
    CHECK(small.add(transaction("c"), Origin::here, kBegin) == Added::full);
    small.decided(block_of({transaction("a")}));
    CHECK(small.add(transaction("c"), Origin::here, kBegin) == Added::fresh);
}

TEST_CASE("a block takes what fits, at least one command, and ends after a change of the committee") {
    Mempool pool(100, 1U << 20, kViewTimeout);
    for (const auto* id : {"a", "b"})
        pool.add(transaction(id), Origin::here, kBegin);
    pool.add(transaction(std::string(kReconfigureId) + "1"), Origin::here, kBegin);
    pool.add(transaction("c"), Origin::here, kBegin);
    CHECK(pool.take(1, 10).size() == 1);
    CHECK(pool.take(1U << 20, 10).size() == 2);
    CHECK(pool.take(1U << 20, 10).size() == 1);
}

TEST_CASE("a command that nobody waits for is given up after a while, one with a client is not") {
    Mempool pool(100, 1U << 20, kViewTimeout);
    pool.add(transaction("passed on"), Origin::passed_on, kBegin);
    pool.add(transaction("here"), Origin::here, kBegin);
    pool.expire(kBegin + kUnwatchedFor - milliseconds(1));
    CHECK(pool.size() == 2);
    pool.expire(kBegin + kUnwatchedFor);
    CHECK(pool.size() == 1);
    pool.abandon({"here", 1}, kBegin + kUnwatchedFor);
    CHECK_FALSE(pool.watched());
    pool.expire(kBegin + 2 * kUnwatchedFor);
    CHECK(pool.size() == 0);
    CHECK_FALSE(pool.expires_at());
}

TEST_CASE("commands are told to the leader once a view, and to all once they waited long, and again") {
    Mempool pool(100, 1U << 20, kViewTimeout);
    pool.add(transaction("here"), Origin::here, kBegin);
    pool.add(transaction("there"), Origin::passed_on, kBegin);
    CHECK(pool.take_unsent(1U << 20).size() == 1);
    CHECK_FALSE(pool.has_unsent());
    CHECK(pool.take_slow(1U << 20, kBegin + kViewTimeout - milliseconds(1)).empty());
    CHECK(pool.take_slow(1U << 20, kBegin + kViewTimeout).size() == 1);
    CHECK(pool.take_slow(1U << 20, kBegin + kViewTimeout).empty());
    CHECK(pool.take_slow(1U << 20, kBegin + 3 * kViewTimeout).size() == 1);
    pool.begin_view(kBegin);
    CHECK(pool.take_unsent(1U << 20).size() == 1);
}

TEST_CASE("a command is overtaken when later ones are ordered, but not while nothing or earlier ones are") {
    Mempool pool(100, 1U << 20, kViewTimeout);
    pool.add(transaction("early"), Origin::here, kBegin - milliseconds(100));
    pool.add(transaction("waits"), Origin::here, kBegin);
    CHECK_FALSE(pool.overtaken_at());
    pool.decided(block_of({transaction("early")}));
    CHECK(pool.overtaken_at() == kBegin + 8 * kViewTimeout);
    pool.add(transaction("late"), Origin::here, kBegin + kViewTimeout);
    pool.decided(block_of({transaction("late")}, 2));
    CHECK(pool.overtaken_at() == kBegin + 2 * kViewTimeout);
    CHECK(pool.overtaken(kBegin + 2 * kViewTimeout));
    // Another leader has its time.
    pool.begin_view(kBegin + 2 * kViewTimeout);
    CHECK_FALSE(pool.overtaken_at());
}

} // namespace
} // namespace dwcp::consensus
