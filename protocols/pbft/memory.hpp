// What the engine keeps on disk, so that a restart never signs anything against what it signed before and
// still reports what it had prepared.
//
//   key                  value                                      why
//   earliest             view, 8 bytes big endian                   EngineOptions::earliest_view
//   stable               Certificate (checkpoint)                   where the window begins
//   change               Message with its own ViewChange            no vote below it; never signed otherwise
//   new_view             Message with the NewView of its view       what the view proposed again
//   proposal/SLOT        Certificate without votes                  accepted in a view: no other one is
//   prepared/SLOT        Certificate (prepare)                      reported in view changes
//   block/SLOT/DIGEST    Block                                      can be voted for and given to others
//
// Votes have no records of their own: in a view a replica prepares and commits nothing but the proposal that
// it accepted there, and that is on record before it votes. SLOT has 20 digits, so keys sort like slots.
#pragma once

#include "protocols/consensus/engine.hpp"
#include "protocols/pbft/slot.hpp"

#include <map>
#include <optional>

namespace dwcp::pbft {

std::string proposal_key(consensus::Height slot);
std::string prepared_key(consensus::Height slot);
std::string block_key(consensus::Height slot, const Hash256& digest);
inline constexpr std::string_view kEarliestKey = "earliest";
inline constexpr std::string_view kStableKey = "stable";
inline constexpr std::string_view kChangeKey = "change";
inline constexpr std::string_view kNewViewKey = "new_view";

Bytes view_record(consensus::View view);
Bytes proposal_record(const consensus::Committee& committee, consensus::Height slot,
                      const Proposal& proposal);

struct Remembered {
    consensus::View earliest = 0;
    std::optional<consensus::Certificate> stable;
    consensus::MessageRef change;   ///< Null: none. Holds a Signed with a ViewChange.
    consensus::MessageRef new_view; ///< Null: none. Holds a Signed with a NewView.
    std::map<consensus::Height, Slot> slots;
};
/// Errc::corrupted: a key or value that this engine did not write.
Result<Remembered> remember(const consensus::EngineOptions& options, const consensus::EngineMemory& memory);

} // namespace dwcp::pbft
