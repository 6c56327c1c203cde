#include "protocols/consensus/client_table.hpp"

#include <algorithm>
#include <span>
#include <string_view>

namespace dwcp::consensus {
namespace {

/// Next place in the order of use, then the oldest that may still be taken.
const std::string kCounters = "n";
constexpr std::size_t kFixedBytes = 8 + 8 + 8 + 4;

std::string client_key(const std::string& id) { return "c/" + id; }

/// In which place a client was last heard of; sorts by place.
std::string place_key(std::uint64_t place) {
    auto digits = std::to_string(place);
    return "o/" + std::string(20 - digits.size(), '0') + digits;
}

void append(Bytes& out, std::uint64_t value, std::size_t bytes = 8) {
    for (auto shift = 8 * bytes; shift > 0; shift -= 8)
        out.push_back(static_cast<Byte>(value >> (shift - 8)));
}

std::uint64_t read(ByteView bytes) {
    std::uint64_t value = 0;
    for (const auto byte : bytes)
        value = value << 8 | byte;
    return value;
}

struct Record {
    std::uint64_t sequence = 0;
    std::uint64_t place = 0;
    Outcome outcome;
};

Bytes encode(const Record& record) {
    Bytes out;
    append(out, record.sequence);
    append(out, record.place);
    append(out, record.outcome.height);
    append(out, record.outcome.index, 4);
    const auto& result = record.outcome.result;
    const auto length = static_cast<std::ptrdiff_t>(std::min(result.size(), kOutcomeBytesMax));
    out.insert(out.end(), result.begin(), result.begin() + length);
    return out;
}

Result<Record> decode(const std::string& id, const Bytes& bytes) {
    if (bytes.size() < kFixedBytes || bytes.size() > kFixedBytes + kOutcomeBytesMax)
        return fail(Errc::corrupted, "the record of client " + id + " in a lane's state is malformed",
                    "remove this replica's lane state so that it fetches the others'");
    const ByteView view(bytes);
    Record record;
    record.sequence = read(view.subspan(0, 8));
    record.place = read(view.subspan(8, 8));
    record.outcome.height = read(view.subspan(16, 8));
    record.outcome.index = static_cast<std::uint32_t>(read(view.subspan(24, 4)));
    record.outcome.result.assign(bytes.begin() + kFixedBytes, bytes.end());
    return record;
}

} // namespace

Result<ClientTable::Verdict> ClientTable::check(const std::string& id, std::uint64_t sequence) const {
    const auto bytes = keys_.get(client_key(id));
    if (!bytes) return Fresh{};
    auto record = decode(id, *bytes);
    if (!record) return std::unexpected(record.error());
    if (sequence > record->sequence) return Fresh{};
    if (sequence < record->sequence) return TooOld{record->sequence};
    return Duplicate{std::move(record->outcome)};
}

Result<void> ClientTable::record(const std::string& id, std::uint64_t sequence, const Outcome& outcome) {
    std::uint64_t next = 0;
    std::uint64_t oldest = 0;
    if (const auto counters = keys_.get(kCounters)) {
        if (counters->size() != 16)
            return fail(Errc::corrupted, "the counters of a lane's client table are malformed",
                        "remove this replica's lane state so that it fetches the others'");
        next = read(ByteView(*counters).subspan(0, 8));
        oldest = read(ByteView(*counters).subspan(8, 8));
    }
    if (const auto bytes = keys_.get(client_key(id))) {
        const auto before = decode(id, *bytes);
        if (!before) return std::unexpected(before.error());
        keys_.erase(place_key(before->place));
    }
    keys_.put(client_key(id), encode({.sequence = sequence, .place = next, .outcome = outcome}));
    keys_.put(place_key(next), to_bytes(id));
    ++next;
    // One place more is taken with each command, so at most one falls out.
    for (; next - oldest > entries_; ++oldest) {
        const auto forgotten = keys_.get(place_key(oldest));
        if (!forgotten) continue; // heard of again since
        keys_.erase(client_key(std::string(as_text(*forgotten))));
        keys_.erase(place_key(oldest));
    }
    Bytes counters;
    append(counters, next);
    append(counters, oldest);
    keys_.put(kCounters, std::move(counters));
    return {};
}

} // namespace dwcp::consensus
