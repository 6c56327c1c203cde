// One of each record of the store, with every field filled.
#pragma once

#include "protocols/wire/manifest.hpp"

namespace dwcp::test {

inline Hash256 hash_number(std::uint64_t number) {
    Hash256 hash;
    for (std::size_t i = 0; i < hash.bytes.size(); ++i)
        hash.bytes[i] = static_cast<Byte>((number + 1) * 37 + i * 11);
    std::memcpy(hash.bytes.data(), &number, sizeof number);
    return hash;
}

inline BlockRef ref_number(std::uint64_t number) {
    return {hash_number(number),
            {Codec::zstd, 3},
            static_cast<std::uint32_t>(1 + number * 7 % kBlockBytes),
            static_cast<std::uint32_t>(1 + number * 3 % kBlockBytes)};
}

inline std::vector<BlockRef> refs(std::size_t count) {
    std::vector<BlockRef> list;
    for (std::size_t i = 0; i < count; ++i)
        list.push_back(ref_number(i));
    return list;
}

inline std::uint64_t raw_bytes_of(const std::vector<BlockRef>& list) {
    std::uint64_t total = 0;
    for (const auto& ref : list)
        total += ref.raw_bytes;
    return total;
}

inline wire::Manifest sample_manifest(std::size_t blocks = 3) {
    wire::Manifest manifest;
    manifest.key = "docs/übersicht 1.txt";
    manifest.workload = "0123456789abcdef0123456789abcdef";
    manifest.blocks = refs(blocks);
    manifest.size_bytes = raw_bytes_of(manifest.blocks);
    manifest.sha256 = hash_number(99);
    manifest.content_type = "text/plain";
    manifest.created_ms = 1'700'000'000'123;
    manifest.replicas = {"site-a", "site-b", std::string(63, 'n')};
    return manifest;
}

inline wire::JournalRecord sample_journal_record() {
    wire::JournalRecord record;
    record.state = wire::JournalRecord::State::sealed;
    record.manifest = sample_manifest();
    for (const auto& ref : record.manifest.blocks)
        record.totals.add(ref);
    record.totals.add({hash_number(7), {Codec::none, 0}, 10, 10});
    record.placement = {"site-b", "site-c"};
    record.reason = "none, all is well";
    record.updated_ms = 1'700'000'000'456;
    record.index = 42;
    record.base = 41;
    record.condition = {wire::Condition::Kind::is_one_of, {hash_number(1), hash_number(2)}};
    record.failure = Errc::too_large;
    record.expires_ms = 1'800'000'000'000;
    record.pinned = CodecChoice{Codec::zstd, -3};
    return record;
}

inline wire::UploadPart sample_part(std::size_t blocks = 3) {
    const auto list = refs(blocks);
    return {10'000, raw_bytes_of(list), hash_number(98), 1'700'000'000'999, list};
}

inline wire::TransactionRecord sample_transaction() {
    return {7, 1'700'000'000'789, "site-c", 12, hash_number(5)};
}

} // namespace dwcp::test
