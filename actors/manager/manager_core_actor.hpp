// The manager's insides, for the manager_*_actor.cpp files alone; everybody else includes manager_actor.hpp.
// One .cpp a subject:
//
//   manager_actor.cpp         start, recovery from the journal, which request goes where
//   manager_intake_actor.cpp  taking a workload in: admission, placement, blocks
//   manager_parts_actor.cpp   parts of a multi-part upload
//   manager_commit_actor.cpp  from the seal to the receipt
//   manager_ends_actor.cpp    outcomes, aborts, deletes, reports, housekeeping
//   manager_fetch_actor.cpp   blocks for downloads
//   manager_release_actor.cpp which release ships a workload, and what is counted of it
#pragma once

#include "actors/allocator/messages.hpp"
#include "actors/manager/journal.hpp"
#include "actors/manager/manager_actor.hpp"
#include "actors/manager/manager_probe.hpp"
#include "actors/manager/messages.hpp"
#include "actors/manager/upload_parts.hpp"
#include "actors/manager/workload.hpp"
#include "actors/manager/workload_steps.hpp"
#include "runtime/resilience/retries.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace dwcp::manager {

using State = wire::JournalRecord::State;

/// As reports name the states of a journal record.
const char* name_of(State state);

/// Trying a full disk queue again.
inline constexpr Duration kAskAgainAfter = std::chrono::milliseconds(20);
/// Asking an actor again that is just being restarted or has too much to do. A restart takes some tries of
/// every request that is under way, so one retry a request is in the budget.
inline constexpr breaker::RetryOptions kAskAgain{
    {std::chrono::milliseconds(10), std::chrono::milliseconds(500)}, 0, 100, 100};
inline constexpr Duration kAskDeadline = std::chrono::seconds(10);
inline constexpr Duration kCommitDeadline = std::chrono::seconds(10);
inline constexpr Duration kHousekeepingEvery = std::chrono::seconds(30);

/// One workload in memory.
struct Job {
    Counted counted;
    wire::JournalRecord record;
    std::vector<Hash256> all_blocks;     ///< Index blocks included; filled at the seal.
    std::optional<Workload> machine;     ///< From the seal on.
    std::vector<actor::Ticket> starting; ///< Who waits for the placement and the first journal record.
    std::vector<actor::Ticket> waiting;  ///< Who wants the receipt.
    bool begun = false;                  ///< Placed and journaled: blocks may come.
    bool sealing = false;
    bool resumed = false;
    bool admitted = true;                      ///< Holds a place of the bulkhead.
    std::set<WorkloadId> attempts;             ///< Parts on their way; each holds a place.
    std::map<std::uint32_t, PartReport> parts; ///< Acknowledged ones of a multi-part upload.
    std::size_t ships_in_flight = 0;
    std::deque<std::function<void()>> ship_waiters; ///< Answers held back while too much is in flight.
    std::set<NodeName> ship_later; ///< Replicas that failed to take a block: they get theirs at the seal.
    TimePoint last_activity{};
    TimePoint sealed_at{};
    trace::Mark admission{};
    trace::Mark sealing_since{};

    release::Lease lease;
    release::Release served_by = release::Release::stable;   ///< At the end, for reports.
    release::Release selected_by = release::Release::stable; ///< The last block's codec.
    std::uint64_t route = 0; ///< Counts moves to another release; answers to what was asked before are void.
    /// Told to shipments under way when they are.
    std::shared_ptr<std::atomic<bool>> abandoned = std::make_shared<std::atomic<bool>>(false);
    Duration delay{};    ///< Injected.
    bool blamed = false; ///< A step failed that is ours; if its client gives up now, it is for that.
    TimePoint seal_asked_at{};
    std::size_t on_the_wire = 0; ///< Sends and shipments under way, since `wire_since`.
    TimePoint wire_since{};
    Duration wire{}; ///< How long there were some.

    bool takes_blocks() const { return begun && record.state == State::open && !sealing; }
    std::uint64_t parts_bytes() const {
        std::uint64_t total = 0;
        for (const auto& [number, part] : parts)
            total += part.size_bytes;
        return total;
    }
};

/// A workload that ended, kept for reports and for a client that asks for its receipt again.
struct Finished {
    wire::JournalRecord record;
    bool resumed = false;
    std::string releases{}; ///< Which served it, as the client is told; empty: not known any more.
};

/// Decides for the workloads of this instance (instance_for(key) is its own) in one thread at a time; disk,
/// peers and other actors answer in closures that run inside it. What always holds:
///
///   - A workload is in jobs_ while it is under way and in finished_ once it ended, never in both; only end()
///     and refuse_begin() take it out of jobs_. So a closure that comes back looks its job up again by id.
///   - Nothing is acknowledged before the journal has it; what is asked of workloads before the journal is
///     read waits in held_back_.
///   - Each place of admission_ is held by one job (admitted) or one part (attempts), and freed once.
///   - Blocks stay pinned in the keeper under the workload's id until its outcome is journaled.
///   - A job's tickets are answered: starting once it has begun or could not, waiting when it ends,
///     ship_waiters when fewer blocks are under way or it ends.
class ManagerActor final : public actor::Actor {
  public:
    ManagerActor(caf::actor_config& config, actor::ActorContext context, ManagerOptions options,
                 ManagerServices services);

  protected:
    caf::behavior handlers() override;
    /// Timers keep an ended actor's memory until they fire, so what is large goes at once.
    void ended() override;

  private:
    template<class Request>
    using Handle = void (ManagerActor::*)(const Request&, actor::Ticket);

    // --- start: read the journal

    /// Requests that arrive while the journal is being read wait: they may belong to a workload in it.
    void when_ready(actor::Ticket ticket, std::function<void()> request);
    void recover();
    void take_up(Recovered recovered);
    void resume(SealedWorkload sealed);

    // --- taking a workload in

    void begin(const BeginPut& request, actor::Ticket ticket);
    Result<void> check_request(const BeginPut& request) const;
    Result<void> check_size(std::uint64_t size_bytes) const;
    /// Takes a place for what `ticket` asks for; else refuses it.
    bool admit(actor::Ticket ticket, const health::Urgency& urgency);
    /// Whether its client still waits for `what`; else refuses it.
    bool wanted(actor::Ticket ticket, TimePoint deadline, const char* what);
    /// The workload in memory, as its client described it.
    Job& open_job(const BeginPut& request);
    void find_places(const BeginPut& request);
    void journal_open(const WorkloadId& id, const allocator::ReplicasPlaced& placed);
    void begun(const WorkloadId& id);
    /// A workload that could not begin leaves no trace: nothing was promised to its client.
    void refuse_begin(const WorkloadId& id, const Error& error);
    /// Gives back the places that a workload holds, each once.
    void free_place(Job& job);
    void put_block(const PutBlock& request, actor::Ticket ticket);
    void store_block(const WorkloadId& id, const EncodedBlock& block, actor::Ticket ticket);
    void block_stored(const WorkloadId& id, const EncodedBlock& block, actor::Ticket ticket);
    /// Sends the block to the replicas while the client still uploads. Whether it arrived is settled at the
    /// seal: a replica that lacks it says so then.
    void ship_early(Job& job, const EncodedBlock& block);
    void ship_ended(const WorkloadId& id, std::uint64_t route, const NodeName& peer, std::uint64_t bytes,
                    const Result<void>& sent, const trace::Mark& begin);

    // --- releases

    void listen_for_withdrawal();
    void lease_release(Job& job);
    links::Pool pool_of(const Job& job) const;
    links::Pool pool_for_reading() const;
    /// By an injected fault of the canary: true if the workload was refused for it.
    bool struck(const WorkloadId& id, Job& job);
    void canary_withdrawn();
    void move_to_stable(const WorkloadId& id);
    /// The workload, if the release that asked still has it.
    Job* find_on(const WorkloadId& id, std::uint64_t route);
    void left(Job& job);
    void arrived(Job& job);
    void count_finished(Job& job);
    void count_failed(Job& job, Errc code);
    /// A step of it failed, and its client will end it for that.
    void blame(const WorkloadId& id, const Error& error);
    std::string releases_of(const Job& job) const;

    // --- parts of a multi-part upload

    static PartReport report_of(const wire::UploadPart& part);
    std::size_t open_multipart() const;
    /// The upload, if it takes parts now; else the request is refused.
    Job* find_upload(const WorkloadId& upload, actor::Ticket ticket);
    void begin_part(const BeginPart& request, actor::Ticket ticket);
    void keep_part(const KeepPart& request, actor::Ticket ticket);
    void part_kept(const WorkloadId& upload, const WorkloadId& attempt, const wire::UploadPart& part,
                   const Result<void>& kept, actor::Ticket ticket);
    void end_part(const EndPart& request, actor::Ticket ticket);
    void end_attempt(const WorkloadId& upload, const WorkloadId& attempt);
    void forget_parts(const WorkloadId& upload);
    void read_parts(const ReadParts& request, actor::Ticket ticket);
    void query_uploads(const QueryUploads& request, actor::Ticket ticket);
    UploadReports upload_reports(const QueryUploads& request) const;

    // --- from the seal to the receipt

    void seal(const SealPut& request, actor::Ticket ticket);
    Result<void> check_whole(const SealPut& request) const;
    void journal_seal(Job& job, const SealPut& request);
    void write_seal(const WorkloadId& id, const SealPut& request);
    void seal_ended(const WorkloadId& id, Result<SealedWorkload> sealed);
    /// `committed_at`: where the lane has it already; 0: it does not.
    void start_machine(Job& job, std::uint64_t committed_at = 0);
    void perform(const WorkloadId& id, const Actions& actions);
    void perform_one(const WorkloadId& id, const ConfirmReplica& action);
    void perform_one(const WorkloadId& id, const ShipBlocks& action);
    void perform_one(const WorkloadId& id, const Reroute& action);
    void perform_one(const WorkloadId& id, const JournalPlacement&);
    void perform_one(const WorkloadId& id, const CommitManifest&);
    void perform_one(const WorkloadId& id, const WakeAt& action);
    /// Feeds an event to a workload that may have ended meanwhile.
    template<class Event>
    void feed(const WorkloadId& id, Event event) {
        Job* job = find(id);
        if (job && job->machine) perform(id, event(*job->machine));
    }
    /// Asks for the hashes from `first` on, as many as one question holds, and goes on with the rest.
    void confirm_from(const WorkloadId& id, const NodeName& peer, std::size_t first);
    void confirmation(const WorkloadId& id, std::uint64_t route, const NodeName& peer, std::size_t next,
                      const Result<std::vector<Hash256>>& missing);
    void shipment(const WorkloadId& id, std::uint64_t route, const NodeName& peer,
                  const Result<void>& shipped);
    void commit_refused(const WorkloadId& id, const Error& error);
    /// What the lane answered to a command of ours: whether it took effect, else why not.
    static Result<Metadata::Verdict> check_outcome(ByteView answer);
    void peer_up(const NodeName& peer);

    // --- ends, deletes and housekeeping

    void finish(const WorkloadId& id, std::uint64_t index);
    void give_up(const WorkloadId& id, const Error& why);
    void give_up(const WorkloadId& id, const std::string& reason);
    /// Journals the outcome, answers who waits, frees the workload's place and keeps its report.
    void end(const WorkloadId& id);
    /// The outcome need not be durable: an open record fails again and a sealed one commits again, to the
    /// same answer. But it must be written in the end, and the pins stay until then.
    void journal_outcome(const wire::JournalRecord& record);
    const Finished& remember(Finished finished);
    void answer_finished(const Finished& finished, actor::Ticket ticket);
    void abort_put(const AbortPut& request, actor::Ticket ticket);
    void release(const WorkloadId& id);
    void housekeeping();
    void erase(const DeleteObject& request, actor::Ticket ticket);
    void query_workloads(const QueryWorkloads& request, actor::Ticket ticket);
    WorkloadReports reports(const QueryWorkloads& request) const;

    // --- blocks for downloads

    void fetch(const FetchBlock& request, actor::Ticket ticket);
    /// Tries the replicas from number `next` on; what one delivers intact is kept here if this node should
    /// have had it.
    void fetch_from(const FetchBlock& request, std::size_t next, const Error& last, actor::Ticket ticket);
    void check_fetched(const FetchBlock& request, std::size_t next, const NodeName& peer,
                       const Result<EncodedBlock>& block, actor::Ticket ticket);

    // --- what all of these use

    Job* find(const WorkloadId& id);
    void write_journal(Job& job, store::Sync sync, std::function<void(Result<void>)> then);

    /// Runs `work` on a disk worker and `then` with its result back in this actor. `work` may outlive the
    /// actor: it holds copies and what belongs to the node, never `this`.
    template<class T>
    void run_on_disk(std::function<Result<T>()> work, std::function<void(Result<T>)> then) {
        if (!queue_on_disk<T>(work, then))
            then(fail(Errc::resource_exhausted, "the disk queue is full", "slow down, then try again"));
    }
    /// The same for what must not be refused: waits for room in the queue.
    template<class T>
    void run_on_disk_for_sure(std::function<Result<T>()> work, std::function<void(Result<T>)> then) {
        if (!queue_on_disk<T>(work, then))
            after(kAskAgainAfter, [=, this] { run_on_disk_for_sure<T>(work, then); });
    }
    template<class T>
    bool queue_on_disk(const std::function<Result<T>()>& work, const std::function<void(Result<T>)>& then) {
        return services_.disk.try_submit([work, then, post = poster()] {
            auto result = std::make_shared<Result<T>>(work());
            post([result, then] { then(std::move(*result)); });
        });
    }
    /// Asks again while the other actor is being restarted or overloaded; other errors, the deadline and the
    /// budget of retries end it.
    template<class Request>
    void ask_until_answered(const std::string& to, Request request, TimePoint deadline,
                            std::function<void(const typename Request::Reply&)> on_reply,
                            std::function<void(const Error&)> on_error) {
        retries_.began(now());
        try_to_ask<Request>(to, std::move(request), deadline, std::move(on_reply), std::move(on_error), 1);
    }
    template<class Request>
    void try_to_ask(const std::string& to, Request request, TimePoint deadline,
                    std::function<void(const typename Request::Reply&)> on_reply,
                    std::function<void(const Error&)> on_error, std::uint32_t tries) {
        ask<Request>(to, request, std::max<Duration>(deadline - now(), std::chrono::milliseconds(1)),
                     on_reply, [=, this](const Error& error) {
                         const bool passing =
                             error.code == Errc::unavailable || error.code == Errc::resource_exhausted;
                         if (!passing) return on_error(error);
                         const auto delay = retries_.next(tries, now(), deadline);
                         if (!delay) return on_error(error);
                         after(*delay, [=, this] {
                             try_to_ask<Request>(to, request, deadline, on_reply, on_error, tries + 1);
                         });
                     });
    }

    const ManagerOptions options_;
    const ManagerServices services_;
    Journal journal_;
    Admission admission_;
    Random random_;
    resilience::Retries retries_;
    const WorkloadSteps steps_;
    ManagerProbe probe_;
    bool ready_ = false;
    std::shared_ptr<const std::function<void()>> withdrawal_; ///< Keeps the switch telling us.
    std::vector<std::function<void()>> held_back_;
    std::map<WorkloadId, Job> jobs_;
    std::list<Finished> finished_; ///< Oldest first.
    std::map<WorkloadId, std::list<Finished>::const_iterator> finished_index_;
};

} // namespace dwcp::manager
