#include "protocols/wire/manifest.hpp"

#include "protocols/wire/schema/objects.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <utility>

namespace dwcp::wire {
namespace {

// One record is at most an index block of references with some slack; a reader stops there whatever the bytes
// claim.
constexpr std::size_t kRecordBytesMax = kRefsPerIndexBlock * 48 + (64U << 10);

template<class Root, class Fill>
Bytes encode_root(Fill fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Root>());
    const auto words = capnp::messageToFlatArray(message);
    const auto bytes = words.asBytes();
    return {bytes.begin(), bytes.end()};
}

// Cap'n Proto wants aligned words; records come from byte strings that need not be. kj's exceptions end here.
template<class Root, class Read>
auto decode_root(ByteView bytes, const char* what, Read read)
    -> decltype(read(std::declval<typename Root::Reader>())) {
    if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0 || bytes.size() > kRecordBytesMax) {
        return fail(Errc::invalid_argument, std::string(what) + " of " + std::to_string(bytes.size()) +
                                                " bytes is empty, torn or too long");
    }
    std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
    std::memcpy(words.data(), bytes.data(), bytes.size());
    try {
        capnp::ReaderOptions options;
        options.traversalLimitInWords = words.size() * 2;
        options.nestingLimit = 8;
        capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()), options);
        return read(reader.getRoot<Root>());
    } catch (const kj::Exception& e) {
        return fail(Errc::invalid_argument,
                    std::string(what) + " is malformed: " + e.getDescription().cStr());
    }
}

// With its length, so that a text with a zero byte stays what it is. Valid as long as the string.
capnp::Text::Reader text(const std::string& value) { return {value.c_str(), value.size()}; }

std::string string(capnp::Text::Reader value) { return {value.cStr(), value.size()}; }

void put(schema::BlockRef::Builder out, const BlockRef& ref) {
    std::uint64_t words[4];
    std::memcpy(words, ref.hash.bytes.data(), sizeof words);
    out.setHash0(words[0]);
    out.setHash1(words[1]);
    out.setHash2(words[2]);
    out.setHash3(words[3]);
    out.setRawBytes(ref.raw_bytes);
    out.setStoredBytes(ref.stored_bytes);
    out.setCodec(static_cast<std::uint8_t>(ref.codec.codec));
    out.setLevel(ref.codec.level);
}

Result<BlockRef> get(schema::BlockRef::Reader in) {
    BlockRef ref;
    const std::uint64_t words[4] = {in.getHash0(), in.getHash1(), in.getHash2(), in.getHash3()};
    std::memcpy(ref.hash.bytes.data(), words, sizeof words);
    ref.raw_bytes = in.getRawBytes();
    ref.stored_bytes = in.getStoredBytes();
    ref.codec = {static_cast<Codec>(in.getCodec()), in.getLevel()};
    if (auto ok = check_block_ref(ref); !ok) return std::unexpected(ok.error());
    return ref;
}

Result<std::vector<BlockRef>> get(capnp::List<schema::BlockRef>::Reader in, std::size_t count_max) {
    if (in.size() > count_max) {
        return fail(Errc::too_large, std::to_string(in.size()) + " block references, at most " +
                                         std::to_string(count_max) + " are allowed");
    }
    std::vector<BlockRef> refs;
    refs.reserve(in.size());
    for (auto item : in) {
        auto ref = get(item);
        if (!ref) return std::unexpected(ref.error());
        refs.push_back(*ref);
    }
    return refs;
}

template<class ListBuilder, class T>
void put_all(ListBuilder out, const std::vector<T>& values) {
    for (unsigned i = 0; i < values.size(); ++i) {
        if constexpr (std::is_same_v<T, BlockRef>)
            put(out[i], values[i]);
        else
            out.set(i, text(values[i]));
    }
}

Result<std::vector<NodeName>> get_names(capnp::List<capnp::Text>::Reader in) {
    if (in.size() > kReplicasMax) return fail(Errc::too_large, "more than 16 replicas");
    std::vector<NodeName> names;
    for (auto name : in) {
        if (name.size() == 0 || name.size() > 63) return fail(Errc::invalid_argument, "impossible node name");
        names.push_back(string(name));
    }
    return names;
}

void put(schema::Manifest::Builder out, const Manifest& manifest) {
    out.setKey(text(manifest.key));
    out.setWorkload(text(manifest.workload));
    out.setSizeBytes(manifest.size_bytes);
    out.setSha256(kj::arrayPtr(manifest.sha256.bytes.data(), manifest.sha256.bytes.size()));
    out.setContentType(text(manifest.content_type));
    out.setCreatedMs(manifest.created_ms);
    put_all(out.initReplicas(static_cast<unsigned>(manifest.replicas.size())), manifest.replicas);
    put_all(out.initBlocks(static_cast<unsigned>(manifest.blocks.size())), manifest.blocks);
    put_all(out.initIndexBlocks(static_cast<unsigned>(manifest.index_blocks.size())), manifest.index_blocks);
}

Result<Manifest> get(schema::Manifest::Reader in) {
    Manifest manifest;
    manifest.key = string(in.getKey());
    if (auto ok = check_key(manifest.key); !ok) return std::unexpected(ok.error());
    manifest.workload = string(in.getWorkload());
    manifest.content_type = string(in.getContentType());
    if (manifest.workload.size() > 64 || manifest.content_type.size() > kContentTypeBytesMax) {
        return fail(Errc::too_large, "manifest of '" + manifest.key + "': a text field is over its limit");
    }
    manifest.size_bytes = in.getSizeBytes();
    manifest.created_ms = in.getCreatedMs();
    // A workload that is still open has no digest yet.
    if (in.getSha256().size() == manifest.sha256.bytes.size()) {
        std::copy(in.getSha256().begin(), in.getSha256().end(), manifest.sha256.bytes.begin());
    } else if (in.getSha256().size() != 0) {
        return fail(Errc::invalid_argument, "manifest of '" + manifest.key + "': digest of a wrong length");
    }
    auto replicas = get_names(in.getReplicas());
    if (!replicas) return std::unexpected(replicas.error());
    manifest.replicas = std::move(*replicas);
    auto blocks = get(in.getBlocks(), kInlineBlocksMax);
    if (!blocks) return std::unexpected(blocks.error());
    manifest.blocks = std::move(*blocks);
    auto index = get(in.getIndexBlocks(), kIndexBlocksMax);
    if (!index) return std::unexpected(index.error());
    manifest.index_blocks = std::move(*index);
    if (!manifest.blocks.empty() && !manifest.index_blocks.empty()) {
        return fail(Errc::invalid_argument, "manifest of '" + manifest.key + "' lists its blocks twice");
    }
    return manifest;
}

std::uint64_t raw_bytes_of(const std::vector<BlockRef>& blocks) {
    std::uint64_t total = 0;
    for (const auto& ref : blocks)
        total += ref.raw_bytes;
    return total;
}

// A reader finds a byte of the object by adding up block lengths, so they must be right.
Result<void> check_size(const Manifest& manifest) {
    const bool possible = manifest.index_blocks.empty()
                              ? raw_bytes_of(manifest.blocks) == manifest.size_bytes
                              : manifest.size_bytes <= std::uint64_t{kObjectBlocksMax} * kBlockBytes;
    if (possible) return {};
    return fail(Errc::invalid_argument, "manifest of '" + manifest.key + "': its blocks do not add up to " +
                                            std::to_string(manifest.size_bytes) + " bytes");
}

void put(schema::Condition::Builder out, const Condition& condition) {
    out.setKind(static_cast<std::uint8_t>(condition.kind));
    auto versions = out.initVersions(static_cast<unsigned>(condition.versions.size()));
    for (unsigned i = 0; i < condition.versions.size(); ++i)
        versions.set(i, kj::arrayPtr(condition.versions[i].bytes.data(), sizeof(Hash256)));
}

Result<Hash256> get_hash(capnp::Data::Reader in, const char* what) {
    Hash256 hash;
    if (in.size() != hash.bytes.size())
        return fail(Errc::invalid_argument, std::string(what) + ": digest of a wrong length");
    std::copy(in.begin(), in.end(), hash.bytes.begin());
    return hash;
}

Result<Condition> get(schema::Condition::Reader in) {
    Condition condition{static_cast<Condition::Kind>(in.getKind()), {}};
    if (in.getVersions().size() > kConditionVersionsMax)
        return fail(Errc::too_large, "a condition that names too many versions");
    for (auto version : in.getVersions()) {
        auto hash = get_hash(version, "condition");
        if (!hash) return std::unexpected(hash.error());
        condition.versions.push_back(*hash);
    }
    if (auto possible = check_condition(condition); !possible) return std::unexpected(possible.error());
    return condition;
}

template<class Builder>
void put_totals(Builder out, const BlockTotals& totals) {
    out.setBlocks(totals.blocks);
    out.setStoredBytes(totals.stored_bytes);
    auto counts = out.initCodecs(static_cast<unsigned>(totals.by_codec.size()));
    unsigned i = 0;
    for (const auto& [choice, blocks] : totals.by_codec) {
        auto count = counts[i++];
        count.setCodec(static_cast<std::uint8_t>(choice.codec));
        count.setLevel(choice.level);
        count.setBlocks(blocks);
    }
}

Result<BlockTotals> get_totals(schema::JournalRecord::Reader in) {
    BlockTotals totals{in.getBlocks(), in.getStoredBytes(), {}};
    if (in.getCodecs().size() > kCodecsCountedMax) {
        return fail(Errc::too_large, "journal record with impossibly many codecs");
    }
    for (auto count : in.getCodecs()) {
        if (count.getCodec() > static_cast<std::uint8_t>(Codec::brotli)) {
            return fail(Errc::invalid_argument, "journal record with an unknown codec");
        }
        totals.by_codec[{static_cast<Codec>(count.getCodec()), count.getLevel()}] += count.getBlocks();
    }
    return totals;
}

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0 (RFC 3629: no overlong forms, no
// surrogates).
std::size_t utf8_sequence(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<Byte>(text[i]) : Byte{0}; };
    const Byte first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
        (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) {
        return 0;
    }
    return length;
}

bool is_clean_text(std::string_view text) {
    while (!text.empty()) {
        const auto length = utf8_sequence(text);
        const Byte first = static_cast<Byte>(text[0]);
        if (length == 0 || first < 0x20 || first == 0x7f) return false;
        text.remove_prefix(length);
    }
    return true;
}

} // namespace

Result<void> check_key(std::string_view key) {
    const auto refuse = [&](const char* why) {
        return fail(Errc::invalid_argument, std::string("object key: ") + why,
                    "use 1 to 1024 bytes of UTF-8 such as dir/file.txt");
    };
    if (key.empty()) return refuse("it is empty");
    if (key.size() > kKeyBytesMax) return refuse("it is longer than 1024 bytes");
    if (!is_clean_text(key)) return refuse("it holds control characters or is not UTF-8");
    for (std::size_t begin = 0; begin <= key.size();) {
        const auto end = std::min(key.find('/', begin), key.size());
        const auto segment = key.substr(begin, end - begin);
        if (segment.empty()) return refuse("it has an empty segment (a leading, trailing or double slash)");
        if (segment == "." || segment == "..") return refuse("'.' and '..' are not allowed as segments");
        begin = end + 1;
    }
    return {};
}

Result<void> check_block_ref(const BlockRef& ref) {
    if (ref.raw_bytes == 0 || ref.raw_bytes > kBlockBytes || ref.stored_bytes == 0 ||
        ref.stored_bytes > kEncodedBlockBytesMax || ref.codec.codec > Codec::brotli) {
        return fail(Errc::invalid_argument, "block reference with an impossible length or codec");
    }
    return {};
}

void BlockTotals::add(const BlockRef& ref) {
    ++blocks;
    stored_bytes += ref.stored_bytes;
    ++by_codec[ref.codec];
}

Bytes encode(const Manifest& manifest) {
    return encode_root<schema::Manifest>([&](auto out) { put(out, manifest); });
}

Result<Manifest> decode_manifest(ByteView bytes) {
    return decode_root<schema::Manifest>(bytes, "manifest",
                                         [](auto in) -> Result<Manifest> { return get(in); });
}

Bytes encode_block_list(const std::vector<BlockRef>& blocks) {
    return encode_root<schema::BlockList>(
        [&](auto out) { put_all(out.initBlocks(static_cast<unsigned>(blocks.size())), blocks); });
}

Result<std::vector<BlockRef>> decode_block_list(ByteView bytes) {
    return decode_root<schema::BlockList>(bytes, "block list", [](auto in) -> Result<std::vector<BlockRef>> {
        return get(in.getBlocks(), kRefsPerIndexBlock);
    });
}

Bytes encode(const MetadataCommand& command) {
    return encode_root<schema::MetadataCommand>([&](auto out) {
        if (command.erase)
            out.setErase(text(command.key));
        else
            put(out.initCommit(), command.manifest);
        out.setBase(command.base);
        if (command.condition.kind != Condition::Kind::none) put(out.initCondition(), command.condition);
    });
}

Result<MetadataCommand> decode_metadata_command(ByteView bytes) {
    return decode_root<schema::MetadataCommand>(
        bytes, "metadata command", [](auto in) -> Result<MetadataCommand> {
            MetadataCommand command;
            auto condition = get(in.getCondition());
            if (!condition) return std::unexpected(condition.error());
            command.condition = std::move(*condition);
            if (in.isErase()) {
                command.erase = true;
                command.key = string(in.getErase());
                if (auto ok = check_key(command.key); !ok) return std::unexpected(ok.error());
                return command;
            }
            if (!in.isCommit()) return fail(Errc::unimplemented, "metadata command of a newer version");
            auto manifest = get(in.getCommit());
            if (!manifest) return std::unexpected(manifest.error());
            if (auto ok = check_size(*manifest); !ok) return std::unexpected(ok.error());
            command.manifest = std::move(*manifest);
            command.key = command.manifest.key;
            command.base = in.getBase();
            return command;
        });
}

Bytes encode(const JournalRecord& record) {
    return encode_root<schema::JournalRecord>([&](auto out) {
        out.setState(static_cast<schema::JournalRecord::State>(record.state));
        put(out.initManifest(), record.manifest);
        out.setReason(text(record.reason));
        out.setUpdatedMs(record.updated_ms);
        out.setBase(record.base);
        put_all(out.initPlacement(static_cast<unsigned>(record.placement.size())), record.placement);
        out.setIndex(record.index);
        put_totals(out, record.totals);
        if (record.condition.kind != Condition::Kind::none) put(out.initCondition(), record.condition);
        out.setFailure(static_cast<std::uint16_t>(record.failure));
        out.setExpiresMs(record.expires_ms);
        if (record.pinned) {
            out.setPinnedCodec(static_cast<std::uint8_t>(static_cast<unsigned>(record.pinned->codec) + 1));
            out.setPinnedLevel(record.pinned->level);
        }
    });
}

namespace {

/// What a record says beyond where its workload stands.
Result<void> get_wishes(schema::JournalRecord::Reader in, JournalRecord& record) {
    auto condition = get(in.getCondition());
    if (!condition) return std::unexpected(condition.error());
    record.condition = std::move(*condition);
    record.expires_ms = in.getExpiresMs();
    const auto failure = static_cast<Errc>(in.getFailure());
    record.failure = in.getFailure() <= static_cast<std::uint16_t>(kErrcLast) ? failure : Errc::internal;
    const unsigned pinned = in.getPinnedCodec();
    if (pinned > static_cast<unsigned>(Codec::brotli) + 1)
        return fail(Errc::invalid_argument, "journal record with an unknown codec");
    if (pinned != 0) record.pinned = CodecChoice{static_cast<Codec>(pinned - 1), in.getPinnedLevel()};
    return {};
}

} // namespace

Result<JournalRecord> decode_journal_record(ByteView bytes) {
    return decode_root<schema::JournalRecord>(bytes, "journal record", [](auto in) -> Result<JournalRecord> {
        JournalRecord record;
        if (static_cast<std::uint16_t>(in.getState()) > 3) {
            return fail(Errc::unimplemented, "journal record of a newer version");
        }
        record.state = static_cast<JournalRecord::State>(in.getState());
        auto manifest = get(in.getManifest());
        if (!manifest) return std::unexpected(manifest.error());
        record.manifest = std::move(*manifest);
        record.reason = string(in.getReason());
        record.updated_ms = in.getUpdatedMs();
        record.base = in.getBase();
        auto placement = get_names(in.getPlacement());
        if (!placement) return std::unexpected(placement.error());
        record.placement = std::move(*placement);
        record.index = in.getIndex();
        auto totals = get_totals(in);
        if (!totals) return std::unexpected(totals.error());
        record.totals = std::move(*totals);
        if (auto wishes = get_wishes(in, record); !wishes) return std::unexpected(wishes.error());
        return record;
    });
}

Bytes encode(const UploadPart& part) {
    return encode_root<schema::UploadPart>([&](auto out) {
        out.setNumber(static_cast<std::uint16_t>(part.number));
        out.setSizeBytes(part.size_bytes);
        out.setSha256(kj::arrayPtr(part.sha256.bytes.data(), part.sha256.bytes.size()));
        out.setUpdatedMs(part.updated_ms);
        put_all(out.initBlocks(static_cast<unsigned>(part.blocks.size())), part.blocks);
    });
}

Result<UploadPart> decode_upload_part(ByteView bytes) {
    return decode_root<schema::UploadPart>(bytes, "upload part", [](auto in) -> Result<UploadPart> {
        UploadPart part;
        part.number = in.getNumber();
        part.size_bytes = in.getSizeBytes();
        part.updated_ms = in.getUpdatedMs();
        auto hash = get_hash(in.getSha256(), "upload part");
        if (!hash) return std::unexpected(hash.error());
        part.sha256 = *hash;
        auto blocks = get(in.getBlocks(), kRefsPerIndexBlock);
        if (!blocks) return std::unexpected(blocks.error());
        part.blocks = std::move(*blocks);
        if (part.number == 0 || part.number > kPartNumberMax || raw_bytes_of(part.blocks) != part.size_bytes)
            return fail(Errc::invalid_argument, "upload part with an impossible number or size");
        return part;
    });
}

Bytes encode(const TransactionRecord& record) {
    return encode_root<schema::TransactionRecord>([&](auto out) {
        out.setIndex(record.index);
        out.setTimeMs(record.time_ms);
        out.setProposer(text(record.proposer));
        out.setPayloadBytes(record.payload_bytes);
        out.setPayloadSha256(
            kj::arrayPtr(record.payload_sha256.bytes.data(), record.payload_sha256.bytes.size()));
    });
}

Result<TransactionRecord> decode_transaction_record(ByteView bytes) {
    return decode_root<schema::TransactionRecord>(
        bytes, "transaction record", [](auto in) -> Result<TransactionRecord> {
            TransactionRecord record;
            record.index = in.getIndex();
            record.time_ms = in.getTimeMs();
            record.proposer = string(in.getProposer());
            record.payload_bytes = in.getPayloadBytes();
            auto hash = get_hash(in.getPayloadSha256(), "transaction record");
            if (!hash) return std::unexpected(hash.error());
            record.payload_sha256 = *hash;
            return record;
        });
}

Bytes encode(const NodeSpace& space) {
    return encode_root<schema::NodeSpace>([&](auto out) {
        out.setCapacityBytes(space.capacity_bytes);
        out.setUsedBytes(space.used_bytes);
        out.setDraining(space.draining);
    });
}

Result<NodeSpace> decode_node_space(ByteView bytes) {
    return decode_root<schema::NodeSpace>(bytes, "node space", [](auto in) -> Result<NodeSpace> {
        return NodeSpace{in.getCapacityBytes(), in.getUsedBytes(), in.getDraining()};
    });
}

} // namespace dwcp::wire
