// How long a block stays: while an object refers to it, or a workload pins it.
#include "tests/unit/manager/keeper_fixture.hpp"

#include <atomic>
#include <chrono>
#include <thread>

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;
using namespace std::chrono_literals;

namespace {

TimePoint in(Duration time) { return std::chrono::steady_clock::now() + time; }

} // namespace

TEST_CASE_METHOD(KeeperFixture, "a block that nobody needs is collected") {
    const auto block = block_number(1);
    require_ok(store().put_block(block, store::BlockWrite::logged));
    keeper().collect({block.hash});
    CHECK_FALSE(has(block));
}

TEST_CASE_METHOD(KeeperFixture, "a pinned block is not collected until its last pin is released") {
    const auto block = block_number(1);
    require_ok(keeper().take_in(block, "w1"));
    require_ok(keeper().take_in(block, "w2"));
    require_ok(keeper().take_in(block, "w2")); // the same block twice in one workload
    keeper().collect({block.hash});
    CHECK(has(block));
    keeper().release("w1");
    keeper().release("w1");
    CHECK(has(block));
    keeper().release("w2");
    CHECK_FALSE(has(block));
}

TEST_CASE_METHOD(KeeperFixture, "a block is kept while any object refers to it") {
    const auto block = block_number(1);
    require_ok(keeper().take_in(block, "w1"));
    refer(block.hash, "w1");
    refer(block.hash, "w2");
    keeper().release("w1");
    CHECK(has(block));
    forget_reference(block.hash, "w1");
    keeper().collect({block.hash});
    CHECK(has(block));
    forget_reference(block.hash, "w2");
    keeper().collect({block.hash});
    CHECK_FALSE(has(block));
}

TEST_CASE_METHOD(KeeperFixture, "a sweep erases what is neither pinned nor referred to, and nothing else") {
    const auto pinned = block_number(1);
    const auto referred = block_number(2);
    const auto orphan = block_number(3);
    require_ok(keeper().take_in(pinned, "w"));
    require_ok(store().put_block(referred, store::BlockWrite::logged));
    refer(referred.hash, "w0");
    require_ok(store().put_block(orphan, store::BlockWrite::bulk));
    keeper().sweep();
    CHECK(has(pinned));
    CHECK(has(referred));
    CHECK_FALSE(has(orphan));
}

TEST_CASE_METHOD(KeeperFixture,
                 "the pins of a sender that went silent expire, of one that is heard of they do not") {
    const auto silent = block_number(1);
    const auto alive = block_number(2);
    require_ok(keeper().accept(silent, "w1", "b"));
    require_ok(keeper().accept(alive, "w2", "b"));
    keeper().sweep(in(kPinExpiry - 1min));
    CHECK(has(silent));
    CHECK(has(alive));

    const auto before = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() == before) {
    }
    keeper().renew("w2");
    keeper().sweep(before + kPinExpiry + 1ns);
    CHECK_FALSE(has(silent));
    CHECK(has(alive));
    keeper().sweep(in(kPinExpiry + 1s));
    CHECK_FALSE(has(alive));
}

TEST_CASE_METHOD(KeeperFixture, "an upload's pins end with the process, a confirmed replica's do not") {
    const auto uploaded = block_number(1);
    const auto confirmed = block_number(2);
    require_ok(keeper().accept(uploaded, "w1", "b"));
    require_ok(keeper().accept(confirmed, "w2", "b"));
    CHECK(keeper().make_durable({confirmed.hash}, "w2").value().empty());
    for (int life = 0; life < 2; ++life) {
        restart(); // before the manifest, which may name this node now, is applied here
        keeper().sweep();
        CHECK_FALSE(has(uploaded));
        CHECK(has(confirmed));
    }
    keeper().sweep(in(kPinExpiry + 1min));
    CHECK(has(confirmed));
    SECTION("the manifest is applied and refers to it") {
        refer(confirmed.hash, "w2");
        keeper().release("w2");
        CHECK(has(confirmed));
        forget_reference(confirmed.hash, "w2");
        keeper().collect({confirmed.hash});
        CHECK_FALSE(has(confirmed));
    }
    SECTION("the manifest is applied and names other replicas") {
        keeper().release("w2");
        CHECK_FALSE(has(confirmed));
        require_ok(store().put_block(confirmed, store::BlockWrite::logged));
        restart();
        keeper().sweep();
        CHECK_FALSE(has(confirmed)); // no record of the pin was left
    }
    SECTION("its sender never comes back") {
        keeper().sweep(in(kConfirmedPinExpiry + 1min));
        CHECK_FALSE(has(confirmed));
    }
}

TEST_CASE_METHOD(KeeperFixture, "a pin whose release did not reach the disk ends at the next start") {
    const auto block = block_number(1);
    require_ok(keeper().accept(block, "w", "b"));
    CHECK(keeper().make_durable({block.hash}, "w").value().empty());
    refer(block.hash, "w");
    restart();
    forget_reference(block.hash, "w"); // the object is deleted
    keeper().collect({block.hash});
    CHECK_FALSE(has(block));
    restart();
    require_ok(store().put_block(block, store::BlockWrite::logged));
    keeper().sweep();
    CHECK_FALSE(has(block));
}

TEST_CASE_METHOD(KeeperFixture, "a question about blocks that are not here pins none of them") {
    const auto here = block_number(1);
    const auto missing = block_number(2);
    require_ok(keeper().accept(here, "w", "b"));
    CHECK(keeper().make_durable({here.hash, missing.hash}, "w").value() == std::vector{missing.hash});
    require_ok(store().put_block(missing, store::BlockWrite::logged));
    keeper().collect({here.hash, missing.hash});
    CHECK(has(here));
    CHECK_FALSE(has(missing));
}

TEST_CASE_METHOD(KeeperFixture, "a sender that asks again about a committed workload pins nothing anew") {
    const auto block = block_number(1);
    require_ok(keeper().accept(block, "w", "b"));
    refer(block.hash, "w");
    keeper().release("w");
    CHECK(keeper().make_durable({block.hash}, "w").value().empty());
    CHECK(keeper().make_durable({block.hash, block_number(2).hash}, "w").value().size() == 1);
    forget_reference(block.hash, "w");
    keeper().collect({block.hash});
    CHECK_FALSE(has(block));
}

TEST_CASE_METHOD(KeeperFixture, "a block that was taken in is there, whoever collects and sweeps meanwhile") {
    constexpr int kBlocks = 4;
    constexpr int kRounds = 150;
    std::vector<EncodedBlock> blocks;
    std::vector<Hash256> hashes;
    for (int i = 0; i < kBlocks; ++i) {
        blocks.push_back(block_number(static_cast<std::uint64_t>(i)));
        hashes.push_back(blocks.back().hash);
    }
    std::atomic<bool> over{false};
    std::atomic<int> lost{0};
    const auto workload = [&](int number) {
        const WorkloadId id = "w" + std::to_string(number);
        for (int round = 0; round < kRounds; ++round) {
            const auto& block = blocks[static_cast<std::size_t>((round + number) % kBlocks)];
            if (!keeper().take_in(block, id) || !keeper().read(block.hash)) ++lost;
            if (round % 3 == 0 && !keeper().make_durable({block.hash}, id)) ++lost;
            keeper().release(id);
        }
    };
    {
        std::jthread collector([&] {
            while (!over)
                keeper().collect(hashes);
        });
        std::jthread sweeper([&] {
            while (!over)
                keeper().sweep();
        });
        {
            std::jthread first(workload, 1);
            std::jthread second(workload, 2);
        }
        over = true;
    }
    CHECK(lost == 0);
    keeper().sweep();
    for (const auto& block : blocks)
        CHECK_FALSE(has(block));
}
