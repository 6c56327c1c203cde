// Records from a peer or a damaged disk: refused by name, never a crash, never an impossible length.
#include "protocols/base/random.hpp"
#include "protocols/wire/schema/objects.capnp.h"
#include "tests/unit/records/sample_records.hpp"
#include "tests/unit/wire/seed.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::test;

namespace {

template<class T>
Errc code_of(const Result<T>& result) {
    REQUIRE_FALSE(result);
    CHECK_FALSE(result.error().message.empty());
    return result.error().code;
}

/// Encodes what our own encoder would not.
template<class Root, class Fill>
Bytes build(Fill fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Root>());
    const auto words = capnp::messageToFlatArray(message);
    return {words.asBytes().begin(), words.asBytes().end()};
}

void check_refs(const std::vector<BlockRef>& list, std::size_t count_max) {
    CHECK(list.size() <= count_max);
    for (const auto& ref : list)
        REQUIRE(wire::check_block_ref(ref));
}

void check_manifest(const wire::Manifest& manifest) {
    REQUIRE(wire::check_key(manifest.key));
    CHECK(manifest.workload.size() <= 64);
    CHECK(manifest.content_type.size() <= wire::kContentTypeBytesMax);
    CHECK(manifest.replicas.size() <= wire::kReplicasMax);
    for (const auto& name : manifest.replicas)
        CHECK((!name.empty() && name.size() <= 63));
    check_refs(manifest.blocks, wire::kInlineBlocksMax);
    check_refs(manifest.index_blocks, wire::kIndexBlocksMax);
}

/// Whatever comes out is possible, and comes back as it is.
void feed(ByteView bytes) {
    if (const auto manifest = wire::decode_manifest(bytes)) {
        check_manifest(*manifest);
        REQUIRE(wire::decode_manifest(wire::encode(*manifest)) == *manifest);
    }
    if (const auto list = wire::decode_block_list(bytes)) {
        check_refs(*list, wire::kRefsPerIndexBlock);
        REQUIRE(wire::decode_block_list(wire::encode_block_list(*list)) == *list);
    }
    if (const auto command = wire::decode_metadata_command(bytes)) {
        REQUIRE(wire::check_key(command->key));
        if (!command->erase) check_manifest(command->manifest);
        REQUIRE(wire::check_condition(command->condition));
    }
    if (const auto record = wire::decode_journal_record(bytes)) {
        check_manifest(record->manifest);
        CHECK(record->placement.size() <= wire::kReplicasMax);
        CHECK(record->totals.by_codec.size() <= wire::kCodecsCountedMax);
        REQUIRE(wire::decode_journal_record(wire::encode(*record)) == *record);
    }
    if (const auto part = wire::decode_upload_part(bytes)) {
        CHECK((part->number > 0 && part->number <= wire::kPartNumberMax));
        CHECK(raw_bytes_of(part->blocks) == part->size_bytes);
        check_refs(part->blocks, wire::kRefsPerIndexBlock);
        REQUIRE(wire::decode_upload_part(wire::encode(*part)) == *part);
    }
    if (const auto record = wire::decode_transaction_record(bytes)) {
        REQUIRE(wire::decode_transaction_record(wire::encode(*record)) == *record);
    }
    if (const auto space = wire::decode_node_space(bytes)) {
        REQUIRE(wire::decode_node_space(wire::encode(*space)) == *space);
    }
}

std::vector<Bytes> samples() {
    return {wire::encode(sample_manifest()),
            wire::encode_block_list(refs(40)),
            wire::encode(wire::MetadataCommand{false, "k", sample_manifest()}),
            wire::encode(wire::MetadataCommand{true, "k/l", {}}),
            wire::encode(sample_journal_record()),
            wire::encode(sample_part()),
            wire::encode(wire::MetadataCommand{
                true, "k", {}, 0, {wire::Condition::Kind::is_one_of, {hash_number(1)}}}),
            wire::encode(sample_transaction()),
            wire::encode(wire::NodeSpace{100, 50, true})};
}

} // namespace

TEST_CASE("a record that is empty, torn or too long is refused") {
    for (const auto& bytes : {Bytes{}, Bytes(7), Bytes(4), Bytes(2U << 20)}) {
        CHECK(code_of(wire::decode_manifest(bytes)) == Errc::invalid_argument);
        CHECK(code_of(wire::decode_block_list(bytes)) == Errc::invalid_argument);
        CHECK(code_of(wire::decode_metadata_command(bytes)) == Errc::invalid_argument);
        CHECK(code_of(wire::decode_journal_record(bytes)) == Errc::invalid_argument);
        CHECK(code_of(wire::decode_transaction_record(bytes)) == Errc::invalid_argument);
        CHECK(code_of(wire::decode_node_space(bytes)) == Errc::invalid_argument);
    }
}

TEST_CASE("a manifest over a limit is refused") {
    auto manifest = sample_manifest();
    SECTION("too many blocks") { manifest.blocks = refs(wire::kInlineBlocksMax + 1); }
    SECTION("too many index blocks") {
        manifest.blocks.clear();
        manifest.index_blocks = refs(wire::kIndexBlocksMax + 1);
    }
    SECTION("too many replicas") { manifest.replicas.assign(wire::kReplicasMax + 1, "n"); }
    SECTION("a long workload id") { manifest.workload = std::string(65, 'w'); }
    SECTION("a long content type") { manifest.content_type = std::string(256, 't'); }
    CHECK(code_of(wire::decode_manifest(wire::encode(manifest))) == Errc::too_large);
}

TEST_CASE("a manifest with an impossible field is refused") {
    auto manifest = sample_manifest();
    SECTION("an empty block") { manifest.blocks[1].raw_bytes = 0; }
    SECTION("a block that is too long") { manifest.blocks[1].raw_bytes = kBlockBytes + 1; }
    SECTION("a block without bytes") { manifest.blocks[1].stored_bytes = 0; }
    SECTION("a block encoded to more than it may be") { manifest.blocks[1].stored_bytes = kBlockBytes + 1; }
    SECTION("an unknown codec") { manifest.blocks[1].codec.codec = static_cast<Codec>(5); }
    SECTION("a nameless replica") { manifest.replicas[0].clear(); }
    SECTION("a long replica name") { manifest.replicas[0] = std::string(64, 'n'); }
    SECTION("a key that climbs") { manifest.key = "a/../b"; }
    SECTION("two block lists") { manifest.index_blocks = refs(1); }
    CHECK(code_of(wire::decode_manifest(wire::encode(manifest))) == Errc::invalid_argument);
}

TEST_CASE("a digest of a wrong length is refused") {
    const auto short_digest = build<wire::schema::Manifest>([](auto out) {
        out.setKey("k");
        out.setSha256(kj::arrayPtr(reinterpret_cast<const capnp::byte*>("abc"), 3));
    });
    CHECK(code_of(wire::decode_manifest(short_digest)) == Errc::invalid_argument);
    const auto no_digest = build<wire::schema::TransactionRecord>([](auto out) { out.setProposer("p"); });
    CHECK(code_of(wire::decode_transaction_record(no_digest)) == Errc::invalid_argument);
}

TEST_CASE("an impossible condition or part is refused") {
    using Kind = wire::Condition::Kind;
    const auto code = [](const wire::Condition& condition) {
        return code_of(wire::decode_metadata_command(wire::encode({true, "k", {}, 0, condition})));
    };
    CHECK(code({static_cast<Kind>(5), {}}) == Errc::invalid_argument);
    CHECK(code({Kind::absent, {hash_number(1)}}) == Errc::invalid_argument);
    CHECK(code({Kind::is_one_of, std::vector<Hash256>(wire::kConditionVersionsMax + 1)}) == Errc::too_large);

    auto part = sample_part();
    SECTION("number 0") { part.number = 0; }
    SECTION("a number too high") { part.number = wire::kPartNumberMax + 1; }
    SECTION("a wrong size") { ++part.size_bytes; }
    CHECK(code_of(wire::decode_upload_part(wire::encode(part))) == Errc::invalid_argument);
}

TEST_CASE("a commit whose blocks do not add up to its size is refused") {
    auto manifest = sample_manifest();
    manifest.size_bytes += 1;
    CHECK(code_of(wire::decode_metadata_command(wire::encode({false, manifest.key, manifest}))) ==
          Errc::invalid_argument);
    manifest.blocks.clear();
    manifest.index_blocks = refs(1);
    manifest.size_bytes = UINT64_MAX;
    CHECK(code_of(wire::decode_metadata_command(wire::encode({false, manifest.key, manifest}))) ==
          Errc::invalid_argument);
}

TEST_CASE("what a newer version wrote is named as such") {
    const auto state = build<wire::schema::JournalRecord>(
        [](auto out) { out.setState(static_cast<wire::schema::JournalRecord::State>(9)); });
    CHECK(code_of(wire::decode_journal_record(state)) == Errc::unimplemented);
}

TEST_CASE("a journal record with impossible totals is refused") {
    const auto with_codecs = [](unsigned count, std::uint8_t codec) {
        return build<wire::schema::JournalRecord>([&](auto out) {
            out.initManifest().setKey("k");
            auto list = out.initCodecs(count);
            for (auto item : list)
                item.setCodec(codec);
        });
    };
    CHECK(wire::decode_journal_record(with_codecs(1, 4)));
    CHECK(code_of(wire::decode_journal_record(with_codecs(65, 1))) == Errc::too_large);
    CHECK(code_of(wire::decode_journal_record(with_codecs(1, 5))) == Errc::invalid_argument);
}

TEST_CASE("a short message that announces a long list is refused") {
    // A list of half a billion empty structs costs its sender sixteen bytes.
    std::uint64_t words[4] = {};
    words[0] = std::uint64_t{3} << 32;                                   // one segment of three words
    words[1] = std::uint64_t{1} << 48;                                   // root: no data, one pointer
    words[2] = 1U | (std::uint64_t{7} << 32) | (std::uint64_t{0} << 35); // a composite list right behind
    words[3] = (std::uint64_t{0x1fffffff} << 2);                         // of 2^29 - 1 elements of size zero
    Bytes bytes(sizeof words);
    std::memcpy(bytes.data(), words, sizeof words);
    CHECK_FALSE(wire::decode_block_list(bytes));
}

TEST_CASE("every truncation of every record is refused or possible") {
    for (const auto& sample : samples()) {
        for (std::size_t length = 0; length < sample.size(); ++length)
            feed(ByteView(sample).first(length));
        feed(sample);
    }
}

TEST_CASE("random damage to any record is refused or possible") {
    Random random(test::seed());
    const auto all = samples();
    for (int round = 0; round < 20'000; ++round) {
        Bytes bytes = all[random.below(all.size())];
        for (auto left = 1 + random.below(4); left > 0; --left) {
            const auto at = random.below(bytes.size());
            bytes[at] = random.below(3) == 0 ? Byte{0xff} : static_cast<Byte>(random.next());
        }
        feed(bytes);
    }
}
