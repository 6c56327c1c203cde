#include "actors/consensus/lane_store.hpp"

#include <fmt/format.h>

#include <charconv>

namespace dwcp::consensus {
namespace {

using store::Family;

constexpr LogIndex kNoIndex = 0;

/// The index at the end of a key or in a value; kNoIndex if it is none.
LogIndex parse_index(std::string_view text, int base) {
    LogIndex index = kNoIndex;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), index, base);
    return problem == std::errc() && end == text.data() + text.size() ? index : kNoIndex;
}

std::unexpected<Error> damaged(const std::string& key, const std::string& what) {
    return fail(Errc::corrupted, "lane record " + key + ": " + what,
                "the lane's store is damaged: restore this node from another member");
}

} // namespace

LaneStore::LaneStore(store::Store& store, const std::string& lane, LogIndex dedupe_entries)
    : store_(store), prefix_("lane/" + lane + "/"), dedupe_entries_(dedupe_entries) {}

std::string LaneStore::log_key(LogIndex index) const { return fmt::format("{}log/{:016x}", prefix_, index); }
std::string LaneStore::outcome_key(LogIndex index) const {
    return fmt::format("{}outcome/{:016x}", prefix_, index);
}

Result<LogIndex> LaneStore::applied() const {
    const std::string key = prefix_ + "applied";
    const auto value = store_.get(Family::state, key);
    if (!value) return std::unexpected(value.error());
    if (!*value) return 0;
    const LogIndex index = parse_index(as_text(**value), 10);
    if (index == kNoIndex) return damaged(key, "is not a number");
    return index;
}

Result<Recovered> LaneStore::recover(bool with_ids) const {
    Recovered recovered;
    const auto hard = store_.get(Family::state, prefix_ + "hard");
    if (!hard) return std::unexpected(hard.error());
    if (*hard) {
        auto state = wire::decode_lane_hard_state(**hard);
        if (!state) return std::unexpected(state.error());
        recovered.hard = *state;
    }
    const auto index = applied();
    if (!index) return std::unexpected(index.error());
    recovered.applied = *index;
    if (recovered.applied > recovered.hard.last) {
        return damaged(prefix_ + "applied", fmt::format("{} entries are applied but the log ends at {}",
                                                        recovered.applied, recovered.hard.last));
    }
    if (!with_ids) return recovered;

    const std::string outcomes = prefix_ + "outcome/";
    std::optional<Error> problem;
    const auto scanned =
        store_.scan(Family::state, outcomes, outcomes, [&](std::string_view key, ByteView value) {
            auto outcome = wire::decode_lane_outcome(value);
            if (!outcome) {
                problem = outcome.error();
                return false;
            }
            recovered.ids.emplace_back(std::move(outcome->id), parse_index(key.substr(outcomes.size()), 16));
            return true;
        });
    if (problem) return std::unexpected(*problem);
    if (!scanned) return std::unexpected(scanned.error());
    // What is in the log but not applied yet has no outcome.
    for (LogIndex next = recovered.applied + 1; next <= recovered.hard.last;) {
        const auto records = load(next, recovered.hard.last, kPersistBytesMax);
        if (!records) return std::unexpected(records.error());
        for (const auto& record : *records)
            recovered.ids.emplace_back(record->entry.command.id, record->entry.index);
        next += records->size();
    }
    return recovered;
}

Result<void> LaneStore::persist(const Persist& persist) {
    store::Batch batch;
    for (const auto& record : persist.records) {
        batch.put(Family::state, log_key(record->entry.index), wire::encode(*record));
    }
    batch.put(Family::state, prefix_ + "hard", wire::encode(persist.hard));
    return store_.write(batch, store::Sync::yes);
}

Result<std::vector<wire::LaneOutcome>> LaneStore::apply(const std::vector<RecordRef>& records,
                                                        StateMachine& machine) {
    std::vector<wire::LaneOutcome> outcomes;
    for (const auto& record : records) {
        const Entry& entry = record->entry;
        store::Batch batch;
        wire::LaneOutcome outcome{entry.command.id, entry.time_ms, machine.apply(entry, batch)};
        if (outcome.result.size() > wire::kLaneResultBytesMax) {
            return fail(Errc::internal,
                        fmt::format("the answer to command {} has {} bytes, more than {}", entry.command.id,
                                    outcome.result.size(), wire::kLaneResultBytesMax));
        }
        batch.put(Family::state, outcome_key(entry.index), wire::encode(outcome));
        if (entry.index > dedupe_entries_)
            batch.erase(Family::state, outcome_key(entry.index - dedupe_entries_));
        batch.put(Family::state, prefix_ + "applied", as_bytes(std::to_string(entry.index)));
        if (auto written = store_.write(batch, store::Sync::no); !written)
            return std::unexpected(written.error());
        machine.applied(entry);
        outcomes.push_back(std::move(outcome));
    }
    return outcomes;
}

Result<std::vector<RecordRef>> LaneStore::load(LogIndex from, LogIndex upto, std::size_t bytes_max) const {
    std::vector<RecordRef> records;
    std::optional<Error> problem;
    std::size_t bytes = 0;
    const auto scanned = store_.scan(
        Family::state, prefix_ + "log/", log_key(from), [&](std::string_view key, ByteView value) {
            const LogIndex expected = from + records.size();
            if (expected > upto) return false;
            auto record = wire::decode_lane_record(value);
            if (!record)
                problem = record.error();
            else if (record->entry.index != expected)
                problem = damaged(std::string(key), "out of sequence").error();
            if (problem) return false;
            bytes += wire::entry_bytes(record->entry);
            if (bytes > bytes_max && !records.empty()) return false;
            records.push_back(std::make_shared<const Record>(std::move(*record)));
            return true;
        });
    if (!problem && !scanned) problem = scanned.error();
    if (!problem && records.empty() && from <= upto) problem = damaged(log_key(from), "is missing").error();
    if (problem) return std::unexpected(*problem);
    return records;
}

Result<std::optional<wire::LaneOutcome>> LaneStore::outcome(LogIndex index) const {
    const auto value = store_.get(Family::state, outcome_key(index));
    if (!value) return std::unexpected(value.error());
    if (!*value) return std::nullopt;
    auto outcome = wire::decode_lane_outcome(**value);
    if (!outcome) return std::unexpected(outcome.error());
    return std::move(*outcome);
}

} // namespace dwcp::consensus
