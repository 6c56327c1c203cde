// The journal of the ramp: what the control lane drives. It holds the ramp's records
// (protocols/ramp/ramp.hpp) in their order, in Family::state under "ramp/":
//
//   position       sequence number, term and host after the last record, as text
//   record/<seq>   the record, encoded (protocols/ramp/wire.hpp); kept for ever: it is the ramp's history
//
// A record is taken only if its number is the last one's plus one, and its term fits: a took_over opens the
// next term and is proposed by the node that it names, any other record is proposed by the host of the term.
// What does not fit is answered "stale" and changes nothing, so no transition happens twice and a host that
// was replaced can write no more.
//
// Life cycle: one a node, outlives the lane's actors. Thread-safe, as StateMachine demands.
#pragma once

#include "actors/consensus/state_machine.hpp"
#include "protocols/ramp/ramp.hpp"

#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

namespace dwcp::ramp {

/// What the lane answers to a record.
inline constexpr std::string_view kRecordTaken = "taken";
inline constexpr std::string_view kRecordStale = "stale";

class RampJournal final : public consensus::StateMachine {
  public:
    struct Position {
        std::uint64_t seq = 0;
        std::uint64_t term = 0;
        NodeName host; ///< Empty: no ramp was ever begun.

        /// Whether this node may obey a directive that came from that node: one that gives weight, or says
        /// nothing but that its host is there, comes from the host of the term alone; one that takes all
        /// weight away from any member, also from one whose takeover has not come here yet.
        bool lets_direct(const NodeName& from, const Directive& directive) const;
    };

    explicit RampJournal(const store::Store& store) : store_(store) {}

    Result<void> check(const consensus::Command& command) const override;
    Bytes apply(const consensus::Entry& entry, store::Batch& batch) override;
    void applied(const consensus::Entry& entry) override;

    Result<Position> position() const;
    /// The records after number `after`, in order, at most `limit`. Blocks on the disk.
    Result<std::vector<Record>> read(std::uint64_t after, std::size_t limit) const;
    /// `wake` is called after each entry of the lane, on the thread that applied it; the last one given
    /// counts.
    void watch(std::function<void()> wake);

  private:
    const store::Store& store_;
    std::mutex mutex_;
    std::function<void()> wake_;
};

/// The command that proposes a record; its id is the record's own, so that a proposal that is made again is
/// the same command.
consensus::Command command_of(const Record& record);

} // namespace dwcp::ramp
