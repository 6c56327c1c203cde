#include "actors/manager/journal.hpp"
#include "tests/unit/manager/keeper_fixture.hpp"

#include <algorithm>

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;

namespace {

using State = wire::JournalRecord::State;

wire::JournalRecord record(const WorkloadId& id, State state = State::open, UnixMillis updated_ms = 1) {
    wire::JournalRecord record;
    record.state = state;
    record.manifest.key = "dir/" + id;
    record.manifest.workload = id;
    record.placement = {"a", "b"};
    record.updated_ms = updated_ms;
    return record;
}

class JournalFixture : public KeeperFixture {
  public:
    Journal journal() { return Journal(store()); }

    Recovered recover(const std::function<bool(const std::string&)>& is_mine = [](const std::string&) {
        return true;
    }) {
        auto recovered = journal().recover(is_mine, keeper());
        require_ok(recovered);
        return std::move(*recovered);
    }

    std::vector<BlockRef> take_in(std::size_t count, const WorkloadId& id) {
        std::vector<BlockRef> refs;
        for (std::size_t i = 0; i < count; ++i) {
            const auto block = block_number(i, 300);
            require_ok(keeper().take_in(block, id));
            refs.push_back(ref_of(block));
        }
        return refs;
    }

    void check_all_here(const std::vector<Hash256>& hashes) {
        for (const auto& hash : hashes)
            REQUIRE(store().has_block(hash));
    }
};

} // namespace

TEST_CASE_METHOD(JournalFixture, "a sealed workload comes back after a restart with its blocks pinned") {
    const auto refs = take_in(3, "w");
    const auto sealed = journal().seal(record("w", State::sealed), refs, keeper());
    require_ok(sealed);
    CHECK(sealed->record.manifest.blocks == refs);
    CHECK(sealed->record.totals.blocks == 3);
    CHECK(sealed->all_blocks.size() == 3);

    restart();
    const auto recovered = recover();
    keeper().sweep();
    REQUIRE(recovered.sealed.size() == 1);
    CHECK(recovered.sealed[0].record == sealed->record);
    CHECK(recovered.sealed[0].all_blocks == sealed->all_blocks);
    check_all_here(sealed->all_blocks);
}

TEST_CASE_METHOD(JournalFixture, "a long block list moves into index blocks and comes back whole") {
    const std::size_t count = GENERATE(wire::kInlineBlocksMax + 1, wire::kRefsPerIndexBlock + 1);
    auto refs = take_in(wire::kInlineBlocksMax + 1, "w");
    refs.resize(count, refs.front()); // content that repeats
    const auto sealed = journal().seal(record("w", State::sealed), refs, keeper());
    require_ok(sealed);
    CHECK(sealed->record.manifest.blocks.empty());
    CHECK(sealed->record.manifest.index_blocks.size() == (count > wire::kRefsPerIndexBlock ? 2 : 1));
    CHECK(sealed->record.totals.blocks == count);

    restart();
    const auto recovered = recover();
    keeper().sweep();
    REQUIRE(recovered.sealed.size() == 1);
    CHECK(recovered.sealed[0].record == sealed->record);
    auto before = sealed->all_blocks;
    auto after = recovered.sealed[0].all_blocks;
    std::ranges::sort(before);
    std::ranges::sort(after);
    CHECK(before == after);
    check_all_here(after);

    std::vector<BlockRef> listed;
    for (const auto& index : sealed->record.manifest.index_blocks) {
        const auto part = wire::decode_block_list(*keeper().read(index.hash).value()).value();
        listed.insert(listed.end(), part.begin(), part.end());
    }
    CHECK(listed == refs);
}

TEST_CASE_METHOD(JournalFixture,
                 "a seal that names a block this node does not have is refused and changes nothing") {
    require_ok(journal().write(record("w"), store::Sync::no));
    auto refs = take_in(2, "w");
    refs.push_back(ref_of(block_number(77)));
    const auto sealed = journal().seal(record("w", State::sealed), refs, keeper());
    REQUIRE_FALSE(sealed);
    CHECK(sealed.error().code == Errc::precondition_failed);
    CHECK(sealed.error().message.find(block_number(77).hash.hex()) != std::string::npos);
    const auto recovered = recover();
    CHECK(recovered.sealed.empty());
    CHECK(recovered.open.size() == 1);
}

TEST_CASE_METHOD(JournalFixture, "a seal with an impossible reference is refused") {
    auto refs = take_in(2, "w");
    SECTION("an empty block") { refs[1].raw_bytes = 0; }
    SECTION("a block over the limit") { refs[1].raw_bytes = kBlockBytes + 1; }
    SECTION("an unknown level") { refs[1].codec = {Codec::zstd, 77}; }
    const auto sealed = journal().seal(record("w", State::sealed), refs, keeper());
    REQUIRE_FALSE(sealed);
    CHECK(sealed.error().code == Errc::invalid_argument);
}

TEST_CASE_METHOD(JournalFixture, "a seal of more blocks than a manifest can list is refused") {
    auto refs = take_in(1, "w");
    refs.resize(wire::kObjectBlocksMax + 1, refs.front());
    const auto sealed = journal().seal(record("w", State::sealed), std::move(refs), keeper());
    REQUIRE_FALSE(sealed);
    CHECK(sealed.error().code == Errc::too_large);
}

TEST_CASE_METHOD(JournalFixture,
                 "a sealed block stays although only another, ended workload had brought it") {
    const auto refs = take_in(1, "other");
    require_ok(journal().seal(record("w", State::sealed), refs, keeper()));
    keeper().release("other");
    CHECK(store().has_block(refs[0].hash));
}

TEST_CASE_METHOD(JournalFixture, "an empty object is sealed without blocks") {
    require_ok(journal().seal(record("w", State::sealed), {}, keeper()));
    const auto recovered = recover();
    REQUIRE(recovered.sealed.size() == 1);
    CHECK(recovered.sealed[0].all_blocks.empty());
}

TEST_CASE_METHOD(JournalFixture, "each manager gets its own workloads, the finished ones oldest first") {
    require_ok(journal().write(record("open"), store::Sync::no));
    require_ok(journal().write(record("late", State::failed, 30), store::Sync::no));
    require_ok(journal().write(record("early", State::committed, 10), store::Sync::no));
    require_ok(journal().write(record("other", State::committed, 20), store::Sync::no));
    require_ok(journal().write(record("gone", State::committed, 5), store::Sync::no));
    require_ok(journal().forget("gone"));
    const auto recovered = recover([](const std::string& key) { return key != "dir/other"; });
    REQUIRE(recovered.open.size() == 1);
    CHECK(recovered.open[0] == record("open"));
    REQUIRE(recovered.finished.size() == 2);
    CHECK(recovered.finished[0].manifest.workload == "early");
    CHECK(recovered.finished[1].manifest.workload == "late");
}

TEST_CASE_METHOD(JournalFixture, "a record never goes back, whichever of two writers comes last") {
    const State states[] = {State::open, State::sealed, State::committed, State::failed};
    for (const auto first : states) {
        for (const auto second : states) {
            const auto id =
                std::to_string(static_cast<int>(first)) + std::to_string(static_cast<int>(second));
            require_ok(journal().write(record(id, first), store::Sync::no));
            const bool ended = first >= State::committed;
            const bool onwards = ended ? second == first : second >= first;
            const auto written = journal().write(record(id, second), store::Sync::no);
            CHECK(written.has_value() == onwards);
            if (!written) CHECK(written.error().code == Errc::precondition_failed);
        }
    }
}

TEST_CASE_METHOD(JournalFixture, "a block that occurs twice is asked for once") {
    auto refs = take_in(2, "w");
    refs.push_back(refs[0]);
    const auto sealed = journal().seal(record("w", State::sealed), refs, keeper());
    require_ok(sealed);
    CHECK(sealed->all_blocks.size() == 2);
    CHECK(sealed->record.totals.blocks == 3);
    CHECK(recover().sealed.at(0).all_blocks == sealed->all_blocks);
}

TEST_CASE_METHOD(JournalFixture, "a damaged record is skipped and the others come back") {
    require_ok(journal().write(record("w1"), store::Sync::no));
    require_ok(journal().write(record("w3"), store::Sync::no));
    store::Batch batch;
    batch.put(store::Family::journal, "w2", Bytes(16, 0xee));
    require_ok(store().write(batch, store::Sync::no));
    const auto recovered = recover();
    REQUIRE(recovered.open.size() == 2);
    CHECK(recovered.open[0].manifest.workload == "w1");
    CHECK(recovered.open[1].manifest.workload == "w3");
}

TEST_CASE_METHOD(JournalFixture,
                 "a sealed workload whose block list is damaged is reported, and completes once repaired") {
    const auto refs = take_in(wire::kInlineBlocksMax + 1, "w");
    const auto sealed = journal().seal(record("w", State::sealed), refs, keeper());
    require_ok(sealed);
    const auto index = store().get_block(sealed->record.manifest.index_blocks[0].hash).value();
    damage(index);
    const auto recovered = recover();
    CHECK(recovered.sealed.empty());
    REQUIRE(recovered.finished.size() == 1);
    CHECK(recovered.finished[0].state == State::failed);
    CHECK(recovered.finished[0].reason.find("block list") != std::string::npos);
    const auto orphan = block_number(5000);
    require_ok(store().put_block(orphan, store::BlockWrite::logged));
    keeper().sweep(); // nobody knows which blocks that workload needs
    CHECK(has(orphan));
    require_ok(keeper().repair(index, "b"));
    CHECK(recover().sealed.size() == 1);
}
