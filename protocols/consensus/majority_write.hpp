// Majority write: the plain engine of a lane. One configured member, the sequencer, puts commands in order;
// an entry is committed when a majority of the members, the sequencer among them, has it on disk.
//
// Limits, on purpose, until the Byzantine fault tolerant engines replace it:
//   - crash faults only: a member that lies, or a disk that forgets what it acknowledged, is not survived;
//   - no failover: while the sequencer or a majority is away nothing commits; what was accepted commits after
//   its return;
//   - a commit costs two disk writes one after the other (sequencer, then the members) and a round trip;
//   - the log is kept whole: it grows by each command plus about 150 bytes, and a member may be away for any
//   length;
//   - an id is remembered for kDedupeEntries later entries; a command that is sent again after that is
//   ordered again.
//
// Why it is safe. The sequencer writes an entry to its own disk before it sends it and never removes one, so
// every member's log is a prefix of the sequencer's durable log. That is checked, not trusted: each entry
// carries a digest of the whole log up to it (the chain), a member commits only what it compared with the
// sequencer's chain, and a sequencer that learns of a longer log, a later life or another chain than its own
// (its store was lost or is an old copy) stops sequencing for good and says why. A sequencer with an empty
// store asks enough members that one of them would have any committed entry (n - quorum + 1 of the others)
// before it begins: so a new lane starts with these members present.
//
// A pure state machine: step(event, now) returns Effects, which the driver carries out. The driver promises:
// one step at a time; a Persist is on disk before its Persisted is reported, and persists are written in
// order; Apply effects are applied in order; every message received with a tag is answered once, here, with a
// Send of that tag (empty: no message). A crash may lose all steps since the last Persisted. Each life is a
// new object, made from what the disk has.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "protocols/consensus/lane.hpp"
#include "protocols/wire/lane.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace dwcp::consensus {

inline constexpr const char* kMajorityWriteName = "majority-write (no failover, crash faults only)";

/// At 1,000 commands a second it covers retries within 100 s, for about 12 MiB of memory on the sequencer.
inline constexpr LogIndex kDedupeEntries = 100'000;
/// What is accepted but not committed; beyond it submitting is refused. Half a second at the rate of a slow
/// disk.
inline constexpr std::size_t kPendingEntriesMax = 4096;
inline constexpr std::size_t kPendingBytesMax = 4U << 20;
/// Who waits for one command: its submitter, and those who asked again with its id.
inline constexpr std::size_t kClientsPerCommandMax = 64;
/// One synced write: large enough that its cost is shared, small enough that nobody waits long behind it.
inline constexpr std::size_t kPersistBytesMax = 1U << 20;
inline constexpr std::size_t kPersistEntriesMax = 1024;
inline constexpr std::size_t kApplyEntriesMax = 256;
inline constexpr std::size_t kApplyBytesMax = 1U << 20;
/// Entries in one append, so that it fits a control frame.
inline constexpr std::size_t kAppendBytesMax = wire::kLaneMessageBytes - wire::kLaneAppendOverheadBytes;
/// Recent entries kept in memory, so that members that keep up cost no reads.
inline constexpr std::size_t kTailBytesMax = 8U << 20;

struct MajorityWriteOptions {
    std::string lane;
    NodeName self;
    NodeName sequencer;
    std::vector<NodeName> members;          ///< Distinct, the same on every member, with self and sequencer.
    Duration tick = milliseconds(50);       ///< Grain of deadlines and retries.
    Duration heartbeat = milliseconds(500); ///< Three silent ones make a member count as away.
    /// An append without an answer is sent again after this, or twice the round trip that was measured last.
    Duration resend = milliseconds(1000);
    /// But no later than after this; the driver passes answers on for as long, since one that comes late
    /// counts as well.
    Duration resend_max = milliseconds(8000);
    Duration propose_again = milliseconds(250);
    LogIndex dedupe_entries = kDedupeEntries;
};

using Record = wire::LaneRecord;
using RecordRef = std::shared_ptr<const Record>;
using HardState = wire::LaneHardState;

/// The chain's next link: SHA-256 over the link before and every field of the entry.
Hash256 next_chain(const Hash256& previous, const Entry& entry);

/// What a life starts with, read from the member's disk.
struct Recovered {
    HardState hard;
    LogIndex applied = 0;
    /// Sequencer only: ids of the entries after last - dedupe_entries, in the order of the log.
    std::vector<std::pair<std::string, LogIndex>> ids;
};

struct Now {
    TimePoint time{};
    std::uint64_t unix_ms = 0;
};

using ClientId = std::uint64_t;
using Tag = std::uint64_t; ///< 0: nobody waits for an answer to this very message.

// Events.
struct Tick {};
struct Submit {
    ClientId client = 0; ///< Unique in this life; answered exactly once.
    Command command;
    TimePoint deadline{};
};
struct Received {
    NodeName from;
    wire::LaneMessage message;
    Tag tag = 0;
};
/// The driver knows that the append of `round` did not arrive; saves waiting for `resend`.
struct Undelivered {
    NodeName to;
    std::uint64_t round = 0;
};
struct Persisted {
    std::uint64_t ticket = 0;
};
/// Everything up to `upto` is applied.
struct Applied {
    LogIndex upto = 0;
};
/// The answer to a Load; `problem` if the log could not be read.
struct Loaded {
    NodeName reader;
    std::vector<RecordRef> records;
    std::string problem;
};
struct PeerLink {
    NodeName peer;
    bool up = false;
};
using Event = std::variant<Tick, Submit, Received, Undelivered, Persisted, Applied, Loaded, PeerLink>;

// Effects.
struct Send {
    NodeName to;
    std::optional<wire::LaneMessage> message; ///< nullopt only in an answer.
    Tag in_reply_to = 0;                      ///< 0: a message of its own.
};
/// Records (maybe none) and hard state, written together and synced.
struct Persist {
    std::uint64_t ticket = 0;
    std::vector<RecordRef> records;
    HardState hard;
};
/// Read the log's records from `from` on: at least one, then as many as fit `bytes_max`.
struct Load {
    NodeName reader; ///< Empty: for applying here.
    LogIndex from = 0;
    std::size_t bytes_max = 0;
};
struct Committed {
    LogIndex index = 0;
    bool duplicate = false;
};
struct Answer {
    ClientId client = 0;
    Result<Committed> outcome;
};
struct Effects {
    std::vector<Send> sends;
    std::optional<Persist> persist; ///< At most one is under way.
    std::vector<RecordRef> apply;   ///< Consecutive; at most one batch is under way.
    std::vector<Load> loads;        ///< At most one a reader is under way.
    std::vector<Answer> answers;
    std::optional<TimePoint> wake; ///< Send a Tick no later than then; replaces earlier ones.
    std::uint32_t resends = 0;     ///< Messages sent again because no answer came.
};

class MajorityWrite {
  public:
    MajorityWrite(MajorityWriteOptions options, Recovered recovered);

    /// Once, before the first step.
    Effects start(Now now);
    Effects step(Event event, Now now);

    Status status(TimePoint now) const;
    /// Highest entry on this member's disk.
    LogIndex durable() const { return durable_; }
    LogIndex committed() const { return committed_; }
    LogIndex applied() const { return applied_; }
    /// Why this sequencer refuses to sequence; empty: it does not.
    const std::string& halted() const { return halted_; }

  protected:
    std::uint32_t quorum_; ///< Protected so that a test can break it and see its suite fail.

  private:
    struct Client {
        ClientId id;
        TimePoint deadline;
    };
    /// A command of clients of this member, until it is applied here.
    struct Pending {
        Command command;
        std::size_t bytes = 0;
        std::vector<Client> clients = {};
        TimePoint next_try = {};
        bool accepted = false; ///< In the log of the sequencer's present life.
    };
    struct Peer {
        bool linked = false;
        bool known = false; ///< Told its log's length since it was last silent.
        bool loading = false;
        bool hold = false; ///< The last append brought nothing: wait for the next tick.
        LogIndex match = 0;
        std::uint64_t round = 0; ///< Of the append under way; 0: none.
        LogIndex told = 0;       ///< Commit index in the last message to it.
        TimePoint sent{};        ///< Whatever was sent last.
        TimePoint asked{};       ///< When `round` was sent.
        Duration patience{};     ///< Until it is sent again; 0: `resend`.
        std::deque<std::pair<std::uint64_t, TimePoint>>
            given_up; ///< Rounds that were sent again, and when they were sent first.
        TimePoint heard{};
        std::string problem;
    };
    /// An append to answer once the disk has `upto`.
    struct Waiting {
        NodeName from;
        Tag tag;
        std::uint64_t epoch;
        std::uint64_t round;
        LogIndex upto;
    };

    void on(const Tick&);
    void on(Submit& submit);
    void on(Received& received);
    void on(const Undelivered& undelivered);
    void on(const Persisted& persisted);
    void on(const Applied& applied);
    void on(Loaded& loaded);
    void on(const PeerLink& link);

    // Every member.
    bool is_sequencer() const { return options_.self == options_.sequencer; }
    bool is_heard(const Peer& peer, TimePoint now) const;
    void try_pending(const std::string& id);
    void try_all_pending();
    void expire_pending();
    void settle(const std::string& id, const Result<Committed>& outcome);
    void push_record(Entry entry, const Hash256& chain);
    std::optional<std::vector<RecordRef>> from_tail(LogIndex first, LogIndex last, std::size_t entries_max,
                                                    std::size_t bytes_max) const;
    void trim_tail();
    void flush();
    void pump_apply();
    void apply_now(std::vector<RecordRef> records);
    void answer_tag(const NodeName& to, Tag tag, std::optional<wire::LaneMessage> message);
    void set_wake();
    std::string why_unavailable(TimePoint now) const;

    // The sequencer.
    Result<void> can_assign() const;
    void assign(Command command, const NodeName& proposer);
    void prune_ids();
    void on_propose(const NodeName& from, std::uint64_t epoch, wire::LanePropose& propose, Tag tag);
    void on_appended(const NodeName& from, std::uint64_t epoch, const wire::LaneAppended& appended);
    void on_loaded_for(const NodeName& name, Peer& peer, Loaded& loaded);
    std::size_t confirmations_needed() const;
    void form_if_confirmed();
    void halt(std::string why);
    void advance_commit();
    void tell_commit(const NodeName& name, Peer& peer);
    void tend_peers();
    void give_up_round(Peer& peer);
    void measure_round_trip(Peer& peer, std::uint64_t round);
    void announce_availability();
    void pump(const NodeName& name, Peer& peer);
    void send_append(const NodeName& name, Peer& peer, const Hash256& chain,
                     const std::vector<RecordRef>& records);
    void send_notice(const NodeName& name, Peer& peer);
    wire::LaneAppend notice() const;
    std::uint32_t heard_members(TimePoint now) const;

    // The others.
    void on_append(const NodeName& from, std::uint64_t epoch, wire::LaneAppend& append, Tag tag);
    void begin_epoch(std::uint64_t epoch);
    void take_entries(wire::LaneAppend& append);
    void answer_waiting();
    wire::LaneMessage appended(std::uint64_t epoch, std::uint64_t round) const;
    void on_proposed(std::uint64_t epoch, const wire::LaneProposed& proposed);
    std::string why_sequencer_unavailable(TimePoint now) const;

    const MajorityWriteOptions options_;
    Effects effects_;
    Now now_;

    std::uint64_t epoch_ = 0;
    bool formed_ = false;
    bool began_ = false; ///< This life's epoch is on disk.
    bool hard_dirty_ = false;
    std::string halted_;

    LogIndex last_ = 0; ///< Highest entry taken in; on disk up to durable_.
    Hash256 last_chain_;
    LogIndex durable_ = 0;
    Hash256 durable_chain_;
    LogIndex committed_ = 0;
    LogIndex applied_ = 0;

    std::deque<RecordRef> tail_; ///< Consecutive, ends at last_.
    Hash256 tail_base_;          ///< Chain before the tail's first record.
    std::size_t tail_bytes_ = 0;

    std::deque<RecordRef> unwritten_;
    std::uint64_t last_ticket_ = 0;
    std::optional<Persist> writing_; ///< Without its records.
    std::vector<RecordRef> applying_;
    bool loading_ = false;
    std::string problem_; ///< Why the log could not be read for applying.

    std::map<std::string, Pending> pending_;
    std::size_t pending_bytes_ = 0;

    std::map<NodeName, Peer> peers_;
    std::uint64_t last_round_ = 0;
    bool announced_available_ = false;
    std::uint64_t last_time_ms_ = 0;
    std::size_t uncommitted_bytes_ = 0;
    std::unordered_map<std::string, LogIndex> ids_;                  ///< Only looked up, never walked.
    std::deque<std::pair<LogIndex, std::string_view>> ids_in_order_; ///< The views are of ids_' keys.

    LogIndex verified_ = 0; ///< Compared with the sequencer's chain in this epoch.
    bool diverged_ = false;
    bool sequencer_available_ = false;
    std::string sequencer_note_;
    std::deque<Waiting> waiting_;
};

} // namespace dwcp::consensus
