#include "actors/ramp/ramp_journal.hpp"
#include "protocols/ramp/wire.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <catch2/catch.hpp>

namespace dwcp::ramp {
namespace {

using store::test::open_store;
using store::test::require_ok;
using store::test::TempDir;

Record record(Record::Kind kind, std::uint64_t seq, std::uint64_t term, const NodeName& node = {}) {
    Record record;
    record.kind = kind;
    record.seq = seq;
    record.term = term;
    record.node = node;
    record.reason = "a test";
    return record;
}

/// A journal on a store, and the lane that drives it.
class Rig {
  public:
    /// What the machine answers to a record that `proposer` took in.
    std::string commit(const Record& record, const NodeName& proposer) {
        store::Batch batch;
        const consensus::Entry entry{++index_, 0, proposer, command_of(record)};
        const Bytes answer = journal_->apply(entry, batch);
        require_ok(store_->write(batch, store::Sync::no));
        journal_->applied(entry);
        return std::string(as_text(answer));
    }
    void restart() {
        journal_.reset();
        store_.reset();
        store_ = open_store(directory_.store());
        journal_ = std::make_unique<RampJournal>(*store_);
    }
    std::vector<Record> all(std::uint64_t after = 0, std::size_t limit = 100) {
        auto records = journal_->read(after, limit);
        require_ok(records);
        return *records;
    }
    RampJournal& journal() { return *journal_; }

  private:
    TempDir directory_;
    std::unique_ptr<store::Store> store_ = open_store(directory_.store());
    std::unique_ptr<RampJournal> journal_ = std::make_unique<RampJournal>(*store_);
    consensus::LogIndex index_ = 0;
};

} // namespace

TEST_CASE("the journal takes records of one host in their order and keeps them over a restart") {
    Rig rig;
    CHECK(rig.commit(record(Record::Kind::took_over, 1, 1, "a"), "a") == kRecordTaken);
    CHECK(rig.commit(record(Record::Kind::started, 2, 1), "a") == kRecordTaken);
    CHECK(rig.commit(record(Record::Kind::stage_begun, 3, 1), "a") == kRecordTaken);
    rig.restart();
    const auto position = rig.journal().position();
    require_ok(position);
    CHECK(position->seq == 3);
    CHECK(position->term == 1);
    CHECK(position->host == "a");
    const auto records = rig.all();
    REQUIRE(records.size() == 3);
    CHECK(records[1].kind == Record::Kind::started);
    CHECK(records[2].reason == "a test");
    CHECK(rig.all(1, 1).size() == 1);
    CHECK(rig.all(1, 1)[0].seq == 2);
    CHECK(rig.all(3).empty());
}

TEST_CASE("no transition enters the journal twice") {
    Rig rig;
    CHECK(rig.commit(record(Record::Kind::took_over, 1, 1, "a"), "a") == kRecordTaken);
    CHECK(rig.commit(record(Record::Kind::started, 2, 1), "a") == kRecordTaken);
    CHECK(rig.commit(record(Record::Kind::started, 2, 1), "a") == kRecordStale);
    CHECK(rig.commit(record(Record::Kind::paused, 2, 1), "a") == kRecordStale);
    CHECK(rig.commit(record(Record::Kind::paused, 4, 1), "a") == kRecordStale); // a gap
    CHECK(rig.all().size() == 2);
}

TEST_CASE("a host that was replaced writes no more") {
    Rig rig;
    CHECK(rig.commit(record(Record::Kind::took_over, 1, 1, "a"), "a") == kRecordTaken);
    CHECK(rig.commit(record(Record::Kind::took_over, 2, 2, "b"), "b") == kRecordTaken);
    CHECK(rig.commit(record(Record::Kind::paused, 3, 1), "a") == kRecordStale);
    CHECK(rig.commit(record(Record::Kind::paused, 3, 2), "a") == kRecordStale); // b's term, and not b
    CHECK(rig.commit(record(Record::Kind::took_over, 3, 2, "a"), "a") == kRecordStale);
    CHECK(rig.commit(record(Record::Kind::took_over, 3, 4, "a"), "a") == kRecordStale);
    CHECK(rig.commit(record(Record::Kind::took_over, 3, 3, "c"), "a") == kRecordStale); // for somebody else
    CHECK(rig.commit(record(Record::Kind::paused, 3, 2), "b") == kRecordTaken);
}

TEST_CASE("of two nodes that take over at once the first in the lane is the host") {
    Rig rig;
    CHECK(rig.commit(record(Record::Kind::took_over, 1, 1, "b"), "b") == kRecordTaken);
    CHECK(rig.commit(record(Record::Kind::took_over, 1, 1, "a"), "a") == kRecordStale);
    CHECK(rig.journal().position()->host == "b");
}

TEST_CASE("the same record is the same command, another one is not") {
    const Record first = record(Record::Kind::paused, 3, 2);
    Record other = first;
    other.reason = "another reason";
    CHECK(command_of(first) == command_of(first));
    CHECK(command_of(first).id != command_of(other).id);
    CHECK(command_of(first).id.size() <= 64);
}

TEST_CASE("weight is taken from the host of the term alone, and taken away by any member") {
    Rig rig;
    const auto lets = [&](const NodeName& from, std::uint64_t term, double percent) {
        Directive directive;
        directive.term = term;
        if (percent > 0) directive.weights = {{"manager", percent, {"a"}, false}};
        return rig.journal().position()->lets_direct(from, directive);
    };
    CHECK_FALSE(lets("a", 1, 10)); // no ramp was ever begun
    rig.commit(record(Record::Kind::took_over, 1, 1, "a"), "a");
    CHECK(lets("a", 1, 10));
    CHECK_FALSE(lets("b", 1, 10));
    CHECK_FALSE(lets("b", 9, 10)); // a term that is not in the journal
    CHECK_FALSE(lets("a", 9, 10));
    CHECK(lets("b", 2, 0)); // its takeover may be on its way
    // Who says nothing is heard as the host only if it is the host.
    CHECK(lets("a", 0, 0));
    CHECK_FALSE(lets("b", 0, 0));
    rig.commit(record(Record::Kind::took_over, 2, 2, "b"), "b");
    CHECK_FALSE(lets("a", 1, 10));
    CHECK(lets("b", 2, 10));
}

TEST_CASE("nonsense does not enter the journal's lane") {
    Rig rig;
    CHECK_FALSE(rig.journal().check({"x", to_bytes("nonsense")}));
    CHECK(rig.journal().check(command_of(record(Record::Kind::paused, 1, 1))));
}

TEST_CASE("whoever watches the journal is told of each entry") {
    Rig rig;
    int told = 0;
    rig.journal().watch([&] { ++told; });
    rig.commit(record(Record::Kind::took_over, 1, 1, "a"), "a");
    rig.commit(record(Record::Kind::paused, 7, 1), "a"); // stale: told all the same, nothing to read
    CHECK(told == 2);
    rig.journal().watch({});
    rig.commit(record(Record::Kind::paused, 2, 1), "a");
    CHECK(told == 2);
}

} // namespace dwcp::ramp
