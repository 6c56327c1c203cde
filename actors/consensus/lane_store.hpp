// A lane's log, hard state and outcomes in the node's store, all in Family::state under "lane/<name>/":
//
//   hard               the log's end, chain and epoch (wire::LaneHardState); written with the records that it
//   covers log/<index>        wire::LaneRecord; kept for ever, since a member may be away for any length
//   applied            index of the last entry applied; written together with that entry's effects
//   outcome/<index>    what the command was answered (wire::LaneOutcome), for whoever asks again;
//   kDedupeEntries are kept
//
// Indexes are 16 hexadecimal digits, so that keys sort as numbers. A record costs its command plus about 200
// bytes.
//
// Calls block on the disk. One thread at a time may persist(), one may apply(); the rest is thread-safe.
#pragma once

#include "actors/consensus/state_machine.hpp"
#include "protocols/consensus/majority_write.hpp"
#include "runtime/store/store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dwcp::consensus {

class LaneStore {
  public:
    LaneStore(store::Store& store, const std::string& lane, LogIndex dedupe_entries = kDedupeEntries);

    /// What the next life starts with. `with_ids`: also the ids to remember, which reads all outcomes.
    Result<Recovered> recover(bool with_ids) const;
    /// On disk when it returns.
    Result<void> persist(const Persist& persist);
    /// Applies each record in a write of its own, so that an entry finds the effects of the one before in the
    /// store. Not synced: the log is, so a crash at worst applies the last ones again, from the state before
    /// them.
    Result<std::vector<wire::LaneOutcome>> apply(const std::vector<RecordRef>& records,
                                                 StateMachine& machine);
    /// Records from `from` on, none above `upto`: one, then as many as fit `bytes_max`.
    Result<std::vector<RecordRef>> load(LogIndex from, LogIndex upto, std::size_t bytes_max) const;
    /// nullopt: not applied yet, or too long ago.
    Result<std::optional<wire::LaneOutcome>> outcome(LogIndex index) const;

  private:
    std::string log_key(LogIndex index) const;
    std::string outcome_key(LogIndex index) const;
    Result<LogIndex> applied() const;

    store::Store& store_;
    const std::string prefix_;
    const LogIndex dedupe_entries_;
};

} // namespace dwcp::consensus
