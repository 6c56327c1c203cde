#include "tests/unit/manager/keeper_fixture.hpp"

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;

TEST_CASE_METHOD(KeeperFixture, "a peer's block is stored if its content is what its hash says") {
    for (const auto& codec : compression::known_codecs()) {
        const auto block =
            block_number(static_cast<std::uint64_t>(codec.choice.codec) * 100 + codec.choice.level + 50,
                         50'000, codec.choice);
        require_ok(keeper().accept(block, "w", "b"));
        const auto read = keeper().read(block.hash);
        require_ok(read);
        CHECK(crypto::sha256(**read) == block.hash);
    }
}

TEST_CASE_METHOD(KeeperFixture, "a peer's block whose content is not what its hash says is refused") {
    auto block = block_number(1, 50'000, {Codec::zstd, 3});
    SECTION("another hash") { block.hash.bytes[0] ^= 1; }
    SECTION("another length") { --block.raw_bytes; }
    SECTION("another codec") { block.codec = {Codec::lz4, 0}; }
    SECTION("a torn encoding") {
        block.bytes = share(Bytes(block.bytes->begin(), block.bytes->begin() + 100));
    }
    SECTION("no bytes") { block.bytes = share({}); }
    const auto accepted = keeper().accept(block, "w", "b");
    REQUIRE_FALSE(accepted);
    CHECK(accepted.error().code == Errc::corrupted);
    CHECK_FALSE(has(block));
}

TEST_CASE_METHOD(KeeperFixture, "a replica names exactly the blocks that it lacks") {
    const auto first = block_number(1);
    const auto second = block_number(2);
    const auto third = block_number(3);
    require_ok(keeper().accept(second, "w", "b"));
    const std::vector<Hash256> all{first.hash, second.hash, third.hash};
    CHECK(keeper().make_durable(all, "w").value() == std::vector{first.hash, third.hash});
    require_ok(keeper().accept(first, "w", "b"));
    require_ok(keeper().accept(third, "w", "b"));
    CHECK(keeper().make_durable(all, "w").value().empty());
    CHECK(keeper().make_durable({}, "w").value().empty());
}

TEST_CASE_METHOD(KeeperFixture, "a damaged block is never returned, and a replica's copy repairs it") {
    const auto block = block_number(1, 300'000);
    require_ok(keeper().take_in(block, "w"));
    damage(block);
    const auto read = keeper().read(block.hash);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::corrupted);
    require_ok(keeper().repair(block, "b"));
    CHECK(*keeper().read(block.hash).value() == *raw_number(1, 300'000));
    const auto event = events().latest(1).at(0);
    CHECK(event.name == "block_repaired");
    CHECK(event.subject == block.hash.hex());
    CHECK(event.fields.at("from") == "b");
}

TEST_CASE_METHOD(KeeperFixture, "a damaged block that is sent again is replaced") {
    const auto block = block_number(1, 300'000);
    require_ok(keeper().take_in(block, "w1"));
    require_ok(keeper().flush());
    damage_on_disk(block);
    REQUIRE(keeper().load(block.hash).error().code == Errc::corrupted);
    require_ok(keeper().accept(block, "w2", "b"));
    CHECK(*keeper().read(block.hash).value() == *raw_number(1, 300'000));
}

TEST_CASE_METHOD(KeeperFixture, "a block that is not here is not found") {
    CHECK(keeper().read(block_number(1).hash).error().code == Errc::not_found);
    CHECK(keeper().load(block_number(1).hash).error().code == Errc::not_found);
}
