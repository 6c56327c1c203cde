#include "tests/unit/records/sample_records.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::test;

namespace {

template<class T>
T require_value(Result<T> result) {
    if (!result) FAIL(result.error().render());
    return std::move(*result);
}

} // namespace

TEST_CASE("a manifest comes back as it was") {
    for (const std::size_t blocks : {0U, 1U, 3U, 256U}) {
        const auto manifest = sample_manifest(blocks);
        CHECK(require_value(wire::decode_manifest(wire::encode(manifest))) == manifest);
    }
    auto long_object = sample_manifest(0);
    long_object.index_blocks = refs(wire::kIndexBlocksMax);
    CHECK(require_value(wire::decode_manifest(wire::encode(long_object))) == long_object);
}

TEST_CASE("a manifest comes back from bytes that are not aligned") {
    const auto manifest = sample_manifest();
    const Bytes encoded = wire::encode(manifest);
    Bytes shifted(1);
    shifted.insert(shifted.end(), encoded.begin(), encoded.end());
    CHECK(require_value(wire::decode_manifest(ByteView(shifted).subspan(1))) == manifest);
}

TEST_CASE("a block list comes back as it was, up to a full index block") {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, wire::kRefsPerIndexBlock}) {
        const auto list = refs(count);
        const Bytes encoded = wire::encode_block_list(list);
        CHECK(encoded.size() <= kBlockBytes);
        REQUIRE(require_value(wire::decode_block_list(encoded)) == list);
    }
}

TEST_CASE("a commit and an erase come back as they were") {
    const wire::MetadataCommand commit{false, sample_manifest().key, sample_manifest(), 77};
    const auto committed = require_value(wire::decode_metadata_command(wire::encode(commit)));
    CHECK_FALSE(committed.erase);
    CHECK(committed.key == commit.key);
    CHECK(committed.manifest == commit.manifest);
    CHECK(committed.base == 77);

    const auto erased = require_value(wire::decode_metadata_command(wire::encode({true, "a/b", {}})));
    CHECK(erased.erase);
    CHECK(erased.key == "a/b");
    CHECK(erased.condition.kind == wire::Condition::Kind::none);

    using Kind = wire::Condition::Kind;
    for (const auto& condition :
         {wire::Condition{Kind::absent, {}}, wire::Condition{Kind::exists, {}},
          wire::Condition{Kind::is_one_of, {hash_number(1), hash_number(2)}},
          wire::Condition{Kind::is_one_of, {}}, wire::Condition{Kind::is_none_of, {hash_number(3)}}}) {
        for (const bool erase : {true, false}) {
            const wire::MetadataCommand command{erase, sample_manifest().key,
                                                erase ? wire::Manifest{} : sample_manifest(), 7, condition};
            CHECK(require_value(wire::decode_metadata_command(wire::encode(command))).condition == condition);
        }
    }
}

TEST_CASE("a condition holds as RFC 9110 says") {
    using Kind = wire::Condition::Kind;
    const auto a = hash_number(1), b = hash_number(2), c = hash_number(3);
    struct Row {
        wire::Condition condition;
        bool of_none, of_a, of_c;
    };
    for (const auto& [condition, of_none, of_a, of_c] :
         {Row{{Kind::none, {}}, true, true, true}, Row{{Kind::absent, {}}, true, false, false},
          Row{{Kind::exists, {}}, false, true, true}, Row{{Kind::is_one_of, {a, b}}, false, true, false},
          Row{{Kind::is_one_of, {}}, false, false, false},
          Row{{Kind::is_none_of, {a, b}}, true, false, true}}) {
        CAPTURE(static_cast<int>(condition.kind));
        CHECK(wire::holds(condition, std::nullopt) == of_none);
        CHECK(wire::holds(condition, a) == of_a);
        CHECK(wire::holds(condition, c) == of_c);
        CHECK(wire::check_condition(condition));
    }
    CHECK(wire::describe_failure({Kind::absent, {}}, a).find(a.hex()) != std::string::npos);
    CHECK(wire::describe_failure({Kind::exists, {}}, std::nullopt) == "there is no such object");
}

TEST_CASE("a part of an upload comes back as it was") {
    for (const std::size_t blocks : {std::size_t{0}, std::size_t{3}, wire::kRefsPerIndexBlock})
        CHECK(require_value(wire::decode_upload_part(wire::encode(sample_part(blocks)))) ==
              sample_part(blocks));
}

TEST_CASE("a commit with the longest manifest fits a command of the lane") {
    auto manifest = sample_manifest(wire::kInlineBlocksMax);
    manifest.key = std::string(wire::kKeyBytesMax, 'k');
    manifest.content_type = std::string(wire::kContentTypeBytesMax, 't');
    manifest.replicas.assign(wire::kReplicasMax, std::string(63, 'n'));
    const wire::Condition condition{wire::Condition::Kind::is_one_of,
                                    std::vector<Hash256>(wire::kConditionVersionsMax)};
    CHECK(wire::encode(wire::MetadataCommand{false, manifest.key, manifest, 1, condition}).size() <
          32U << 10);
}

TEST_CASE("a journal record comes back as it was, in every state") {
    using State = wire::JournalRecord::State;
    auto record = sample_journal_record();
    CHECK(record.totals.blocks == 4);
    CHECK(record.totals.by_codec.size() == 2);
    for (const auto state : {State::open, State::sealed, State::committed, State::failed}) {
        record.state = state;
        CHECK(require_value(wire::decode_journal_record(wire::encode(record))) == record);
    }
    wire::JournalRecord open;
    open.manifest.key = "k";
    open.manifest.workload = "w";
    CHECK(require_value(wire::decode_journal_record(wire::encode(open))) == open);
}

TEST_CASE("a transaction and a node's space come back as they were") {
    CHECK(require_value(wire::decode_transaction_record(wire::encode(sample_transaction()))) ==
          sample_transaction());
    const wire::NodeSpace space{1ULL << 50, 12345, true};
    CHECK(require_value(wire::decode_node_space(wire::encode(space))) == space);
}

TEST_CASE("a text with a zero byte is not cut") {
    auto record = sample_journal_record();
    record.reason = std::string("left\0right", 10);
    record.manifest.content_type = std::string("a\0b", 3);
    CHECK(require_value(wire::decode_journal_record(wire::encode(record))) == record);
}

TEST_CASE("keys that name an object are taken") {
    const std::string taken[] = {"a",
                                 "a/b/c",
                                 "with space.txt",
                                 "ünïcode/文件",
                                 "...",
                                 "..a/b..",
                                 ".hidden",
                                 "a.b/..c",
                                 "-",
                                 "%2e%2e",
                                 "\\",
                                 std::string(wire::kKeyBytesMax, 'k'),
                                 "\xf4\x8f\xbf\xbf",
                                 "\xc2\xa0"};
    for (const auto& key : taken) {
        INFO(key);
        CHECK(wire::check_key(key));
    }
}

TEST_CASE("keys that could be read in two ways are refused") {
    using namespace std::string_literals;
    const std::string refused[] = {
        ""s,     "/"s,    "/a"s,   "a/"s,    "a//b"s,   "."s,
        ".."s,   "a/.."s, "../a"s, "a/./b"s, "a/../b"s, "a\nb"s,
        "a\tb"s, "\x7f"s, "a\0b"s, "\0"s,    "\x1f"s,   std::string(wire::kKeyBytesMax + 1, 'k')};
    for (const auto& key : refused) {
        INFO(key);
        const auto verdict = wire::check_key(key);
        REQUIRE_FALSE(verdict);
        CHECK(verdict.error().code == Errc::invalid_argument);
        CHECK_FALSE(verdict.error().remedy.empty());
    }
}

TEST_CASE("keys that are not UTF-8 are refused") {
    const std::string refused[] = {"\x80",             // a continuation alone
                                   "a\xc3",            // cut short
                                   "\xc3(",            // no continuation
                                   "\xc0\x80",         // overlong NUL
                                   "\xc1\xbf",         // overlong
                                   "\xe0\x80\xaf",     // overlong slash
                                   "\xf0\x80\x80\x80", // overlong
                                   "\xed\xa0\x80",     // surrogate
                                   "\xf4\x90\x80\x80", // above U+10FFFF
                                   "\xf5\x80\x80\x80",
                                   "\xfe",
                                   "\xff",
                                   "ok/\xe2\x82"};
    for (const auto& key : refused)
        CHECK_FALSE(wire::check_key(key));
}
