#include "actors/manager/metadata.hpp"
#include "protocols/consensus/majority_write.hpp"
#include "tests/unit/manager/keeper_fixture.hpp"
#include "tests/unit/wire/seed.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;

namespace {

/// A member of the lane: applies entries as the lane's actor does.
class Member : public KeeperFixture {
  public:
    explicit Member(NodeName name = "a") : KeeperFixture(name), name_(std::move(name)) {
        metadata_.emplace(name_, store(), keeper());
    }

    Metadata& metadata() { return *metadata_; }
    /// How far ahead of now the garbage of an entry is looked at.
    Duration grace_over = kReadersGrace;

    void restart_member() {
        metadata_.reset();
        restart();
        metadata_.emplace(name_, store(), keeper());
    }

    Bytes apply(const wire::MetadataCommand& command, const std::string& id) {
        return apply_at(++index_, command, id);
    }
    Bytes apply_at(consensus::LogIndex index, const wire::MetadataCommand& command, const std::string& id) {
        const consensus::Entry entry{index, 1000 + index, "a", {id, wire::encode(command)}};
        require_ok(metadata_->check(entry.command));
        auto answer = apply(entry);
        keeper().collect_due(std::chrono::steady_clock::now() + grace_over);
        return answer;
    }
    Bytes apply(const consensus::Entry& entry) {
        store::Batch batch;
        auto answer = metadata_->apply(entry, batch);
        require_ok(store().write(batch, store::Sync::no));
        metadata_->applied(entry);
        return answer;
    }

    /// Takes the blocks in under the manifest's workload, then commits it. True: it replaced one.
    bool commit(const wire::Manifest& manifest, const std::vector<EncodedBlock>& blocks) {
        for (const auto& block : blocks)
            require_ok(keeper().take_in(block, manifest.workload));
        return apply({false, manifest.key, manifest}, manifest.workload) == Bytes{1};
    }
    bool erase(const std::string& key) {
        return apply({true, key, {}}, "erase-" + std::to_string(index_)) == Bytes{1};
    }

  private:
    NodeName name_;
    std::optional<Metadata> metadata_;
    consensus::LogIndex index_ = 0;
};

wire::Manifest manifest(const std::string& key, const WorkloadId& workload,
                        const std::vector<EncodedBlock>& blocks, std::vector<NodeName> replicas = {"a"}) {
    wire::Manifest manifest;
    manifest.key = key;
    manifest.workload = workload;
    manifest.replicas = std::move(replicas);
    for (const auto& block : blocks) {
        manifest.blocks.push_back(ref_of(block));
        manifest.size_bytes += block.raw_bytes;
    }
    return manifest;
}

Hash256 raw_hash(std::uint64_t number) { return crypto::sha256(as_bytes(std::to_string(number))); }

/// The content's hash in a manifest, by a number.
wire::Manifest version(const std::string& key, const WorkloadId& workload, std::uint64_t number) {
    auto object = manifest(key, workload, {});
    object.sha256 = raw_hash(number);
    return object;
}

Metadata::Outcome outcome_of(const Bytes& answer) {
    const auto verdict = Metadata::read_answer(answer);
    require_ok(verdict);
    return verdict->outcome;
}

std::vector<std::string> keys_of(const Result<Listing>& page) {
    require_ok(page);
    std::vector<std::string> keys;
    for (const auto& stored : page->objects)
        keys.push_back(stored.manifest.key);
    return keys;
}

using Keys = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(Member, "a committed object is found, and its blocks stay when its workload's pins go") {
    const auto block = block_number(1);
    const auto object = manifest("dir/a", "w1", {block});
    CHECK_FALSE(commit(object, {block}));
    const auto found = metadata().find("dir/a");
    require_ok(found);
    REQUIRE(found->has_value());
    CHECK((*found)->manifest == object);
    CHECK((*found)->index == 1);
    CHECK_FALSE(metadata().find("dir/b").value().has_value());
    keeper().sweep();
    CHECK(has(block));
    restart_member();
    keeper().sweep();
    CHECK(has(block));
    CHECK(metadata().find("dir/a").value().has_value());
}

TEST_CASE_METHOD(Member, "an object that is replaced or erased gives its blocks back") {
    const auto old_block = block_number(1);
    const auto new_block = block_number(2);
    CHECK_FALSE(commit(manifest("k", "w1", {old_block}), {old_block}));
    CHECK(commit(manifest("k", "w2", {new_block}), {new_block}));
    CHECK_FALSE(has(old_block));
    CHECK(has(new_block));
    CHECK(erase("k"));
    CHECK_FALSE(has(new_block));
    CHECK_FALSE(metadata().find("k").value().has_value());
    CHECK_FALSE(erase("k"));
}

TEST_CASE_METHOD(Member, "downloads that began before can read a replaced object's blocks for a while") {
    grace_over = kReadersGrace - std::chrono::minutes(1);
    const auto old_block = block_number(1);
    const auto new_block = block_number(2);
    commit(manifest("k", "w1", {old_block}), {old_block});
    CHECK(commit(manifest("k", "w2", {new_block}), {new_block}));
    CHECK(has(old_block));
    keeper().collect_due(std::chrono::steady_clock::now() + kReadersGrace);
    CHECK_FALSE(has(old_block));
    CHECK(has(new_block));
}

TEST_CASE_METHOD(Member, "a block that an object gave up and another took meanwhile stays") {
    grace_over = {};
    const auto block = block_number(1);
    commit(manifest("k1", "w1", {block}), {block});
    CHECK(erase("k1"));
    commit(manifest("k2", "w2", {block}), {block});
    keeper().collect_due(std::chrono::steady_clock::now() + kReadersGrace);
    CHECK(has(block));
}

TEST_CASE_METHOD(Member, "a commit that may be a forgotten one's repetition changes nothing") {
    const auto old_block = block_number(1);
    const auto new_block = block_number(2);
    auto old_object = manifest("k", "w1", {old_block});
    commit(old_object, {old_block});
    commit(manifest("k", "w2", {new_block}), {new_block});
    const auto late = consensus::kDedupeEntries + 1;
    CHECK(apply_at(late, {false, "k", old_object, 0}, "w1") ==
          Bytes{static_cast<Byte>(Metadata::Outcome::expired)});
    CHECK(metadata().find("k").value()->manifest.workload == "w2");
    CHECK(metadata().last_applied() == late);
    CHECK(apply_at(late, {false, "k", old_object, 1}, "w1") ==
          Bytes{static_cast<Byte>(Metadata::Outcome::replaced)});
    CHECK(metadata().find("k").value()->manifest.workload == "w1");
}

TEST_CASE_METHOD(Member, "a condition is decided by what is there when the command is applied") {
    using Kind = wire::Condition::Kind;
    using Outcome = Metadata::Outcome;
    const wire::Condition create_only{Kind::absent, {}};
    const wire::Condition version_1{Kind::is_one_of, {raw_hash(1)}};
    int commands = 0;
    const auto put = [&](std::uint64_t number, const wire::Condition& condition) {
        const auto id = "w" + std::to_string(++commands);
        return apply({false, "k", version("k", id, number), 0, condition}, id);
    };
    const auto erase_if = [&](const wire::Condition& condition) {
        return apply({true, "k", {}, 0, condition}, "e" + std::to_string(++commands));
    };
    const auto now = [&] { return metadata().find("k").value()->manifest.sha256; };
    CHECK(outcome_of(put(1, version_1)) == Outcome::condition_failed);
    CHECK(outcome_of(erase_if(version_1)) == Outcome::condition_failed);
    CHECK_FALSE(metadata().find("k").value());
    CHECK(outcome_of(put(1, create_only)) == Outcome::created);
    const auto refused = Metadata::read_answer(put(2, create_only));
    require_ok(refused);
    CHECK(refused->outcome == Outcome::condition_failed);
    CHECK(refused->found.find(raw_hash(1).hex()) != std::string::npos);
    CHECK(now() == raw_hash(1));
    CHECK(outcome_of(put(2, version_1)) == Outcome::replaced);
    CHECK(outcome_of(put(3, version_1)) == Outcome::condition_failed);
    CHECK(outcome_of(put(3, {Kind::is_none_of, {raw_hash(2)}})) == Outcome::condition_failed);
    CHECK(outcome_of(erase_if(version_1)) == Outcome::condition_failed);
    CHECK(now() == raw_hash(2));
    CHECK(outcome_of(put(3, {Kind::exists, {}})) == Outcome::replaced);
    CHECK(outcome_of(erase_if({Kind::is_one_of, {raw_hash(1), raw_hash(3)}})) == Outcome::replaced);
    CHECK_FALSE(metadata().find("k").value());
    CHECK(outcome_of(erase_if({Kind::exists, {}})) == Outcome::condition_failed);
}

TEST_CASE_METHOD(Member, "a put whose condition fails gives its blocks back and keeps the object's") {
    const auto old_block = block_number(1);
    const auto new_block = block_number(2);
    commit(manifest("k", "w1", {old_block}), {old_block});
    require_ok(keeper().take_in(new_block, "w2"));
    CHECK(outcome_of(
              apply({false, "k", manifest("k", "w2", {new_block}), 0, {wire::Condition::Kind::absent, {}}},
                    "w2")) == Metadata::Outcome::condition_failed);
    CHECK(has(old_block));
    CHECK_FALSE(has(new_block));
}

TEST_CASE_METHOD(Member, "a node whose record of the object is damaged decides no condition") {
    store::Batch nonsense;
    nonsense.put(store::Family::manifests, "k", Bytes(20, 0xee));
    require_ok(store().write(nonsense, store::Sync::no));
    for (const auto kind : {wire::Condition::Kind::absent, wire::Condition::Kind::exists})
        CHECK(outcome_of(apply({false, "k", version("k", "w", 1), 0, {kind, {}}}, "w")) ==
              Metadata::Outcome::undecided);
    CHECK_FALSE(metadata().find("k"));
    CHECK(outcome_of(apply({false, "k", version("k", "w", 1)}, "w")) == Metadata::Outcome::created);
    CHECK(metadata().find("k").value());
}

TEST_CASE("of clients that race to create or to replace the same version exactly one wins, on every node") {
    Random random(dwcp::test::seed());
    Member a("a");
    Member b("b");
    std::optional<std::uint64_t> current; // the version of "k" as the model has it
    std::uint64_t versions = 0;
    for (int round = 0; round < 60; ++round) {
        // Each client has seen the same state, and the lane orders their commands as it likes.
        const auto racers = 2 + random.below(4);
        const bool erases = current && random.below(4) == 0;
        wire::Condition condition{wire::Condition::Kind::absent, {}};
        if (current) condition = {wire::Condition::Kind::is_one_of, {raw_hash(*current)}};
        std::uint64_t wins = 0;
        for (std::uint64_t racer = 0; racer < racers; ++racer) {
            const auto id = std::to_string(round) + "-" + std::to_string(racer);
            const auto number = ++versions;
            const wire::MetadataCommand command{
                erases, "k", erases ? wire::Manifest{} : version("k", id, number), 0, condition};
            const auto answer = a.apply(command, id);
            REQUIRE(b.apply(command, id) == answer);
            if (outcome_of(answer) == Metadata::Outcome::condition_failed) continue;
            ++wins;
            current = erases ? std::nullopt : std::optional(number);
        }
        REQUIRE(wins == 1);
        for (auto* member : {&a, &b}) {
            const auto found = member->metadata().find("k").value();
            REQUIRE(found.has_value() == current.has_value());
            if (found) REQUIRE(found->manifest.sha256 == raw_hash(*current));
        }
        if (random.below(10) == 0) b.restart_member();
    }
}

TEST_CASE_METHOD(Member, "whoever waits for an entry waits until it is applied, also across a restart") {
    const auto past = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    CHECK(metadata().wait_until_applied(0, past));
    CHECK_FALSE(metadata().wait_until_applied(1, past));
    std::atomic<bool> reached{false};
    {
        std::jthread reader([&] {
            reached =
                metadata().wait_until_applied(2, std::chrono::steady_clock::now() + std::chrono::seconds(20));
        });
        commit(manifest("a", "w1", {}), {});
        commit(manifest("b", "w2", {}), {});
    }
    CHECK(reached);
    restart_member();
    CHECK(metadata().last_applied() == 2);
}

TEST_CASE_METHOD(Member, "a block that two objects share stays until both are gone") {
    const auto shared_block = block_number(1);
    const auto own = block_number(2);
    commit(manifest("k1", "w1", {shared_block, own}), {shared_block, own});
    commit(manifest("k2", "w2", {shared_block, shared_block}), {shared_block});
    CHECK(erase("k1"));
    CHECK(has(shared_block));
    CHECK_FALSE(has(own));
    CHECK(erase("k2"));
    CHECK_FALSE(has(shared_block));
}

TEST_CASE_METHOD(Member, "an object that is replaced by the same content keeps its blocks") {
    const auto block = block_number(1);
    commit(manifest("k", "w1", {block}), {block});
    CHECK(commit(manifest("k", "w2", {block}), {}));
    CHECK(has(block));
    CHECK(commit(manifest("k", "w2", {block}), {})); // the same command once more
    CHECK(has(block));
    CHECK(erase("k"));
    CHECK_FALSE(has(block));
}

TEST_CASE_METHOD(Member, "a node that is no replica knows the object and keeps none of its blocks") {
    const auto block = block_number(1);
    commit(manifest("k", "w1", {block}, {"b", "c"}), {block});
    CHECK(metadata().find("k").value().has_value());
    CHECK_FALSE(has(block));
    CHECK(erase("k"));
}

TEST_CASE_METHOD(Member, "the blocks behind index blocks are kept and given back like any other") {
    std::vector<EncodedBlock> blocks{block_number(1), block_number(2)};
    std::vector<BlockRef> refs{ref_of(blocks[0]), ref_of(blocks[1])};
    auto raw = share(wire::encode_block_list(refs));
    const auto index = compression::encode({}, raw, crypto::sha256(*raw)).value();
    auto object = manifest("k", "w1", {});
    object.size_bytes = 4000;
    object.index_blocks = {ref_of(index)};
    blocks.push_back(index);
    commit(object, blocks);
    keeper().sweep();
    for (const auto& block : blocks)
        CHECK(has(block));
    CHECK(erase("k"));
    for (const auto& block : blocks)
        CHECK_FALSE(has(block));
}

TEST_CASE_METHOD(Member, "while an index block cannot be read, what its workload pinned stays") {
    const auto block = block_number(1);
    auto raw = share(wire::encode_block_list({ref_of(block)}));
    const auto index = compression::encode({}, raw, crypto::sha256(*raw)).value();
    require_ok(keeper().take_in(block, "w1"));
    require_ok(keeper().take_in(index, "w1"));
    damage(index);
    auto object = manifest("k", "w1", {});
    object.size_bytes = 2000;
    object.index_blocks = {ref_of(index)};
    CHECK_FALSE(commit(object, {}));
    keeper().sweep();
    CHECK(has(block));
    CHECK(metadata().find("k").value().has_value());
}

TEST_CASE_METHOD(Member, "nonsense never enters the log, and is skipped if it is there all the same") {
    CHECK_FALSE(metadata().check({"id", Bytes(16, 0xee)}));
    CHECK(apply(consensus::Entry{1, 1, "a", {"id", Bytes(16, 0xee)}}).empty());
    CHECK(metadata().list({"", "", "", 10}).value().objects.empty());
}

TEST_CASE("every member that applies the same log answers and ends the same") {
    Random random(dwcp::test::seed());
    Member a("a");
    Member b("b");
    std::vector<EncodedBlock> blocks;
    for (std::uint64_t i = 0; i < 6; ++i)
        blocks.push_back(block_number(i, 200));
    for (int step = 0; step < 200; ++step) {
        const auto key = "k" + std::to_string(random.below(5));
        const auto id = "w" + std::to_string(step);
        wire::MetadataCommand command{true, key, {}};
        if (random.below(4) == 0) command.condition.kind = wire::Condition::Kind::exists;
        if (random.below(3) != 0) {
            const std::vector<EncodedBlock> some{blocks[random.below(6)], blocks[random.below(6)]};
            const std::vector<NodeName> places[] = {{"a", "b"}, {"a"}, {"b"}};
            command = {false, key, manifest(key, id, some, places[random.below(3)])};
            if (random.below(3) == 0) command.condition.kind = wire::Condition::Kind::absent;
            for (auto* member : {&a, &b}) {
                for (const auto& block : some)
                    require_ok(member->keeper().take_in(block, id));
            }
        }
        REQUIRE(a.apply(command, id) == b.apply(command, id));
        if (step % 60 == 30) b.restart_member();
    }
    const auto at_a = a.metadata().list({"", "", "", 100}).value().objects;
    const auto at_b = b.metadata().list({"", "", "", 100}).value().objects;
    REQUIRE(at_a.size() == at_b.size());
    for (std::size_t i = 0; i < at_a.size(); ++i)
        CHECK(Metadata::encode_stored(at_a[i]) == Metadata::encode_stored(at_b[i]));
    for (auto* member : {&a, &b}) { // exactly the blocks of its own objects are left
        std::set<Hash256> wanted;
        for (const auto& stored : at_a) {
            if (std::ranges::count(stored.manifest.replicas, member == &a ? "a" : "b") == 0) continue;
            for (const auto& ref : stored.manifest.blocks)
                wanted.insert(ref.hash);
        }
        for (const auto& block : blocks)
            CHECK(member->has(block) == wanted.contains(block.hash));
    }
}

TEST_CASE_METHOD(Member, "objects are listed in key order, by prefix, page by page") {
    for (const char* key : {"b/2", "a", "b/1", "b/3", "b", "c/1", "b/10"})
        commit(manifest(key, std::string("w-") + key, {}), {});
    CHECK(keys_of(metadata().list({"", "", "", 100})) == Keys{"a", "b", "b/1", "b/10", "b/2", "b/3", "c/1"});
    CHECK(keys_of(metadata().list({"b/", "", "", 100})) == Keys{"b/1", "b/10", "b/2", "b/3"});
    CHECK(keys_of(metadata().list({"b/", "", "", 2})) == Keys{"b/1", "b/10"});
    CHECK(keys_of(metadata().list({"b/", "b/10", "", 2})) == Keys{"b/2", "b/3"});
    CHECK(keys_of(metadata().list({"b/", "b/3", "", 2})).empty());
    CHECK(keys_of(metadata().list({"b/", "b/11", "", 2})) ==
          Keys{"b/2", "b/3"}); // a key that was erased meanwhile
    CHECK(keys_of(metadata().list({"b/", "a", "", 1})) == Keys{"b/1"});
    CHECK(keys_of(metadata().list({"b/", "c", "", 10})).empty());
    CHECK(keys_of(metadata().list({"x", "", "", 10})).empty());
    CHECK(keys_of(metadata().list({"", "", "", 0})).empty());
}

TEST_CASE_METHOD(Member, "a list with a delimiter shows what lies below it once, page by page") {
    for (const char* key : {"a", "b/1", "b/2/x", "b/2/y", "b/3", "c", "d/1", "d0", "e/1/2/3"})
        commit(manifest(key, std::string("w-") + key, {}), {});
    const auto page = [&](const std::string& prefix, const std::string& after, std::size_t limit) {
        auto listed = metadata().list({prefix, after, "/", limit});
        require_ok(listed);
        return *listed;
    };
    const auto top = page("", "", 100);
    CHECK(keys_of(top) == Keys{"a", "c", "d0"});
    CHECK(top.common_prefixes == Keys{"b/", "d/", "e/"});
    CHECK(top.next.empty());
    CHECK(keys_of(page("b/", "", 100)) == Keys{"b/1", "b/3"});
    CHECK(page("b/", "", 100).common_prefixes == Keys{"b/2/"});
    CHECK(page("b", "", 100).common_prefixes == Keys{"b/"});
    CHECK(page("e/1/", "", 100).common_prefixes == Keys{"e/1/2/"});
    CHECK(metadata().list({"", "", "2/", 100}).value().common_prefixes == Keys{"b/2/", "e/1/2/"});
    // Whatever the size of the pages, together they hold everything once, in order.
    for (std::size_t limit = 1; limit < 8; ++limit) {
        CAPTURE(limit);
        Keys all;
        std::string after;
        do {
            const auto part = page("", after, limit);
            CHECK(part.objects.size() + part.common_prefixes.size() <= limit);
            for (const auto& stored : part.objects)
                all.push_back(stored.manifest.key);
            all.insert(all.end(), part.common_prefixes.begin(), part.common_prefixes.end());
            REQUIRE(all.size() <= 6);
            after = part.next;
        } while (!after.empty());
        std::ranges::sort(all);
        CHECK(all == Keys{"a", "b/", "c", "d/", "d0", "e/"});
    }
}

TEST_CASE_METHOD(Member, "a damaged record does not hide the others from a list") {
    for (const char* key : {"a", "b", "c"})
        commit(manifest(key, std::string("w-") + key, {}), {});
    store::Batch nonsense;
    nonsense.put(store::Family::manifests, "b", Bytes(20, 0xee));
    require_ok(store().write(nonsense, store::Sync::no));
    const auto page = metadata().list({"", "", "", 10});
    CHECK(keys_of(page) == Keys{"a", "c"});
    CHECK(page->damaged == 1);
    CHECK(metadata().list({"c", "", "", 10}).value().damaged == 0);
}

TEST_CASE("a stored manifest survives its way through the control link, torn ones do not") {
    const StoredManifest stored{manifest("k", "w", {block_number(1)}), 77};
    const Bytes bytes = Metadata::encode_stored(stored);
    const auto back = Metadata::decode_stored(bytes);
    require_ok(back);
    CHECK(back->manifest == stored.manifest);
    CHECK(back->index == 77);
    CHECK_FALSE(Metadata::decode_stored({}));
    CHECK_FALSE(Metadata::decode_stored(ByteView(bytes).first(7)));
    CHECK_FALSE(Metadata::decode_stored(ByteView(bytes).first(bytes.size() - 3)));
}
