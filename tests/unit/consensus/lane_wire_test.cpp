#include "protocols/base/random.hpp"
#include "protocols/wire/lane.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::wire;

consensus::Entry random_entry(Random& random, consensus::LogIndex index, std::size_t payload_max) {
    consensus::Entry entry{index, random.next(), std::string(1 + random.below(63), 'n'), {}};
    entry.command.id =
        std::string(1 + random.below(kLaneIdBytesMax), static_cast<char>('a' + random.below(26)));
    entry.command.sequence = random.next();
    entry.command.payload = Bytes(1 + random.below(payload_max), static_cast<Byte>(random.next()));
    return entry;
}

Hash256 random_hash(Random& random) {
    Hash256 hash;
    for (auto& byte : hash.bytes)
        byte = static_cast<Byte>(random.next());
    return hash;
}

} // namespace

TEST_CASE("every lane message survives its encoding") {
    Random random(test::seed());
    LaneAppend append{7, 41, random_hash(random), {}, 40, true, "a note"};
    for (consensus::LogIndex i = 0; i < 5; ++i)
        append.entries.push_back(random_entry(random, 42 + i, 5000));
    const LaneMessage messages[] = {
        {1, LanePropose{{"id", Bytes(consensus::kCommandBytes, 'x'), 7}}},
        {2, LaneProposed{"id", ProposeOutcome::refused, 9, Errc::resource_exhausted, "too much"}},
        {3, append},
        {4, LaneAppended{7, 46, 5, true}},
    };
    for (const auto& message : messages) {
        const auto bytes = encode(message);
        REQUIRE(bytes.size() <= kLaneMessageBytes);
        const auto decoded = decode_lane_message(bytes);
        REQUIRE(decoded);
        CHECK(*decoded == message);
    }
}

TEST_CASE("an append's size stays within what its entries are counted for") {
    Random random(test::seed());
    for (int round = 0; round < 300; ++round) {
        LaneAppend append;
        append.note = std::string(kLaneTextBytesMax, 'n');
        std::size_t bytes = kLaneAppendOverheadBytes;
        const std::size_t payload_max =
            1 + random.below(random.below(4) == 0 ? consensus::kCommandBytes : 40);
        while (append.entries.size() < kLaneEntriesMax) {
            auto entry = random_entry(random, append.entries.size() + 1, payload_max);
            if (bytes + entry_bytes(entry) > kLaneMessageBytes) break;
            bytes += entry_bytes(entry);
            append.entries.push_back(std::move(entry));
        }
        const auto encoded = encode(LaneMessage{1, append});
        CHECK(encoded.size() <= bytes);
        REQUIRE(decode_lane_message(encoded));
    }
}

TEST_CASE("what a member keeps on disk survives its encoding, and damage is told as such") {
    Random random(test::seed());
    const LaneRecord record{random_entry(random, 12, consensus::kCommandBytes), random_hash(random)};
    const LaneHardState state{3, true, 12, random_hash(random)};
    const LaneOutcome outcome{"id", 5, Bytes(kLaneResultBytesMax, 'r')};
    CHECK(decode_lane_record(encode(record)).value() == record);
    CHECK(decode_lane_hard_state(encode(state)).value() == state);
    CHECK(decode_lane_outcome(encode(outcome)).value() == outcome);
    CHECK(decode_lane_record(Bytes(5, 1)).error().code == Errc::corrupted);
    CHECK(decode_lane_hard_state({}).error().code == Errc::corrupted);
    CHECK(decode_lane_outcome(Bytes(100'000)).error().code == Errc::corrupted);
}

TEST_CASE("a message over its limit is refused before it is read") {
    CHECK(decode_lane_message(Bytes(kLaneMessageBytes + 8)).error().code == Errc::too_large);
}

TEST_CASE("commands that no member may propose do not decode") {
    const auto refused = [](consensus::Command command) {
        const auto decoded = decode_lane_message(encode(LaneMessage{1, LanePropose{std::move(command)}}));
        return !decoded && decoded.error().code == Errc::invalid_argument;
    };
    CHECK(refused({"", Bytes(1)}));
    CHECK(refused({std::string(kLaneIdBytesMax + 1, 'x'), Bytes(1)}));
    CHECK(refused({"x", {}}));
    CHECK(refused({"x", Bytes(consensus::kCommandBytes + 1)}));
}

TEST_CASE("damaged messages are refused or decode to something within the limits") {
    Random random(test::seed());
    LaneAppend append;
    for (consensus::LogIndex i = 1; i <= 10; ++i)
        append.entries.push_back(random_entry(random, i, 200));
    const auto good = encode(LaneMessage{1, append});
    for (int round = 0; round < 5000; ++round) {
        auto bad = good;
        for (auto flips = 1 + random.below(8); flips > 0; --flips) {
            bad[random.below(bad.size())] ^= static_cast<Byte>(1 + random.below(255));
        }
        bad.resize(random.below(4) == 0 ? random.below(bad.size()) : bad.size());
        const auto decoded = decode_lane_message(bad);
        if (!decoded) continue;
        const auto* entries = std::get_if<LaneAppend>(&decoded->body);
        CHECK((entries == nullptr || entries->entries.size() <= kLaneEntriesMax));
    }
}

TEST_CASE("an id with a zero byte in it keeps what comes after") {
    const LaneMessage message{1, LanePropose{{std::string("a\0b", 3), Bytes(1)}}};
    CHECK(decode_lane_message(encode(message)).value() == message);
}
