#include "actors/ramp/ramp_journal.hpp"

#include "protocols/crypto/hash.hpp"
#include "protocols/ramp/wire.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <charconv>

namespace dwcp::ramp {
namespace {

using store::Family;

constexpr const char* kPositionKey = "ramp/position";
constexpr const char* kRecordPrefix = "ramp/record/";
/// Of the digest in a command's id: enough that no two records of one number collide.
constexpr std::size_t kIdDigits = 16;

/// 16 hexadecimal digits, so that keys sort as numbers.
std::string record_key(std::uint64_t seq) { return fmt::format("{}{:016x}", kRecordPrefix, seq); }

std::string text_of(const RampJournal::Position& position) {
    return fmt::format("{} {} {}", position.seq, position.term, position.host);
}

Result<RampJournal::Position> parse_position(std::string_view text) {
    RampJournal::Position position;
    const char* const end = text.data() + text.size();
    const auto seq = std::from_chars(text.data(), end, position.seq);
    if (seq.ec == std::errc() && seq.ptr != end && *seq.ptr == ' ') {
        const auto term = std::from_chars(seq.ptr + 1, end, position.term);
        if (term.ec == std::errc() && term.ptr != end && *term.ptr == ' ') {
            position.host.assign(term.ptr + 1, end);
            return position;
        }
    }
    return fail(Errc::corrupted, "the position of the ramp's journal is unreadable",
                "this node's store is damaged: restore it from another member");
}

bool fits(const Record& record, const NodeName& proposer, const RampJournal::Position& last) {
    if (record.seq != last.seq + 1) return false;
    if (record.kind == Record::Kind::took_over)
        return record.term == last.term + 1 && record.node == proposer;
    return record.term == last.term && proposer == last.host;
}

} // namespace

bool RampJournal::Position::lets_direct(const NodeName& from, const Directive& directive) const {
    const bool says_nothing = directive.term == 0;
    if (says_nothing) return from == host;
    return !directive.shifts() || (from == host && directive.term == term);
}

Result<void> RampJournal::check(const consensus::Command& command) const {
    const auto record = decode_record(command.payload);
    if (!record) return std::unexpected(record.error());
    return {};
}

Bytes RampJournal::apply(const consensus::Entry& entry, store::Batch& batch) {
    const auto record = decode_record(entry.command.payload);
    const auto last = position();
    if (!record || !last) {
        // check() let no nonsense in, so this node's own store or version is at fault: it follows no further.
        log::error("ramp_record_unreadable",
                   {{"index", entry.index}, {"why", (record ? last.error() : record.error()).message}});
        return to_bytes(kRecordStale);
    }
    if (!fits(*record, entry.proposer, *last)) return to_bytes(kRecordStale);
    const bool new_host = record->kind == Record::Kind::took_over;
    const Position now{record->seq, record->term, new_host ? record->node : last->host};
    batch.put(Family::state, record_key(record->seq), entry.command.payload);
    batch.put(Family::state, kPositionKey, as_bytes(text_of(now)));
    return to_bytes(kRecordTaken);
}

void RampJournal::applied(const consensus::Entry&) {
    const std::lock_guard lock(mutex_);
    if (wake_) wake_();
}

Result<RampJournal::Position> RampJournal::position() const {
    const auto value = store_.get(Family::state, kPositionKey);
    if (!value) return std::unexpected(value.error());
    return *value ? parse_position(as_text(**value)) : Position{};
}

Result<std::vector<Record>> RampJournal::read(std::uint64_t after, std::size_t limit) const {
    std::vector<Record> records;
    std::optional<Error> problem;
    const auto scanned = store_.scan(Family::state, kRecordPrefix, record_key(after + 1),
                                     [&](std::string_view, ByteView value) {
                                         if (records.size() >= limit) return false;
                                         auto record = decode_record(value);
                                         if (!record)
                                             problem = record.error();
                                         else
                                             records.push_back(std::move(*record));
                                         return !problem;
                                     });
    if (problem) return std::unexpected(*problem);
    if (!scanned) return std::unexpected(scanned.error());
    return records;
}

void RampJournal::watch(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
}

consensus::Command command_of(const Record& record) {
    Bytes payload = encode(record);
    const std::string digest = crypto::sha256(payload).hex().substr(0, kIdDigits);
    return {fmt::format("ramp-{}-{}-{}", record.term, record.seq, digest), std::move(payload)};
}

} // namespace dwcp::ramp
