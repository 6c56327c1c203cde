#include "actors/manager/manager_actor.hpp"

#include "actors/allocator/messages.hpp"
#include "actors/compression/codec.hpp"
#include "actors/compression/messages.hpp"
#include "actors/consensus/messages.hpp"
#include "actors/manager/instance.hpp"
#include "actors/manager/journal.hpp"
#include "actors/manager/messages.hpp"
#include "actors/manager/ship_blocks.hpp"
#include "actors/manager/workload_steps.hpp"
#include "protocols/wire/limits.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <set>
#include <utility>

namespace dwcp::manager {
namespace {

using State = wire::JournalRecord::State;

/// As reports name the states of a journal record.
constexpr std::array<const char*, 4> kStateNames{"open", "sealed", "committed", "failed"};

/// Blocks of one workload on their way to replicas; above it the client waits. 32 MiB keep 8 streams busy at
/// 100 ms.
constexpr std::size_t kShipsInFlightMax = 32;
/// An upload whose client sends nothing for this long is given up; the HTTP side's own idle limit is far
/// below.
constexpr Duration kOpenIdleMax = std::chrono::minutes(10);
constexpr Duration kHousekeepingEvery = std::chrono::seconds(30);
/// Reading the journal again after the disk refused it.
constexpr Duration kRecoverAgainAfter = std::chrono::milliseconds(500);
/// Requests that wait for the journal to be read, which takes milliseconds; each may hold a block.
constexpr std::size_t kHeldBackMax = 256;
/// Writing an outcome that the disk refused, e.g. because it is full.
constexpr Duration kOutcomeAgainAfter = std::chrono::seconds(1);
/// Asking an actor that is just being restarted, or a full disk queue, and for how long in all.
constexpr Duration kAskAgainAfter = std::chrono::milliseconds(20);
constexpr Duration kAskDeadline = std::chrono::seconds(10);
constexpr Duration kCommitDeadline = std::chrono::seconds(10);

struct Probe {
    metrics::Counter accepted =
        metrics::counter("dwcp_manager_workloads_accepted_total", "Workloads admitted and journaled.");
    metrics::Counter committed =
        metrics::counter("dwcp_manager_workloads_committed_total", "Workloads whose manifest was committed.");
    metrics::Counter failed =
        metrics::counter("dwcp_manager_workloads_failed_total", "Workloads given up with a reason.");
    metrics::Counter resumed = metrics::counter("dwcp_manager_workloads_resumed_total",
                                                "Workloads taken up again from the journal.");
    metrics::Counter rerouted = metrics::counter("dwcp_manager_replicas_rerouted_total",
                                                 "Replicas placed anew because a node stayed away.");
    metrics::Histogram seconds =
        metrics::histogram("dwcp_manager_commit_duration_seconds",
                           "From the seal of a workload to its receipt.", metrics::duration_bounds());
};

metrics::Counter admission_refusals(RefusalReason reason) {
    return metrics::counter("dwcp_manager_admission_refusals_total",
                            "Workloads that were not admitted, by the limit that was reached.",
                            {{"reason", std::string(to_string(reason))}});
}

metrics::Gauge workloads_in(State state) {
    return metrics::gauge("dwcp_manager_workloads", "Workloads under way, by state.",
                          {{"state", state == State::sealed ? "sealed" : "open"}});
}

/// Keeps the number of workloads in each state right whatever becomes of the one that holds it.
class Counted {
  public:
    Counted() { state_.add(1); }
    ~Counted() { state_.add(-1); }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

    void seal() {
        state_.add(-1);
        state_ = workloads_in(State::sealed);
        state_.add(1);
    }

  private:
    metrics::Gauge state_ = workloads_in(State::open);
};

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
};

class ManagerActor final : public actor::Actor {
  public:
    ManagerActor(caf::actor_config& config, actor::ActorContext context, ManagerOptions options,
                 ManagerServices services)
        : Actor(config, std::move(context)), options_(std::move(options)), services_(services),
          journal_(services.store), admission_(options_.admission), random_(now().time_since_epoch().count()),
          steps_(options_.self, path()) {}

  protected:
    caf::behavior handlers() override {
        // There from the start: a series that appears with its first increment has no rate yet.
        for (const auto reason : {RefusalReason::rate, RefusalReason::in_flight})
            admission_refusals(reason);
        workloads_in(State::open);
        workloads_in(State::sealed);
        recover();
        after(kHousekeepingEvery, [this] { housekeeping(); });
        return {
            on_later<BeginPut>(
                [this](const BeginPut& r, actor::Ticket t) { when_ready(t, [=, this] { begin(r, t); }); }),
            on_later<PutBlock>([this](const PutBlock& r, actor::Ticket t) {
                when_ready(t, [=, this] { put_block(r, t); });
            }),
            on_later<SealPut>(
                [this](const SealPut& r, actor::Ticket t) { when_ready(t, [=, this] { seal(r, t); }); }),
            on_later<AbortPut>([this](const AbortPut& r, actor::Ticket t) {
                when_ready(t, [=, this] { abort_put(r, t); });
            }),
            on_later<BeginPart>([this](const BeginPart& r, actor::Ticket t) {
                when_ready(t, [=, this] { begin_part(r, t); });
            }),
            on_later<KeepPart>([this](const KeepPart& r, actor::Ticket t) {
                when_ready(t, [=, this] { keep_part(r, t); });
            }),
            on_later<EndPart>(
                [this](const EndPart& r, actor::Ticket t) { when_ready(t, [=, this] { end_part(r, t); }); }),
            on_later<QueryUploads>([this](const QueryUploads& r, actor::Ticket t) {
                when_ready(t, [=, this] { settle<UploadReports>(t, upload_reports(r)); });
            }),
            on_later<ReadParts>([this](const ReadParts& r, actor::Ticket t) { read_parts(r, t); }),
            on_later<DeleteObject>([this](const DeleteObject& r, actor::Ticket t) { erase(r, t); }),
            on_later<FetchBlock>([this](const FetchBlock& r, actor::Ticket t) { fetch(r, t); }),
            on_later<QueryWorkloads>([this](const QueryWorkloads& r, actor::Ticket t) {
                when_ready(t, [=, this] { settle<WorkloadReports>(t, reports(r)); });
            }),
            on<consensus::PeerChanged>(
                [this](const consensus::PeerChanged& change) -> Result<consensus::Subscribed> {
                    if (change.peer.up) peer_up(change.peer.name);
                    return consensus::Subscribed{};
                }),
        };
    }

    /// Timers keep an ended actor's memory until they fire, so what is large goes at once.
    void ended() override {
        jobs_.clear();
        held_back_.clear();
        finished_index_.clear();
        finished_.clear();
    }

  private:
    // --- start: read the journal

    /// Requests that arrive while the journal is being read wait: they may belong to a workload in it.
    void when_ready(actor::Ticket ticket, std::function<void()> request) {
        if (ready_) {
            request();
        } else if (held_back_.size() < kHeldBackMax) {
            held_back_.push_back(std::move(request));
        } else {
            refuse(ticket, {Errc::resource_exhausted, path() + " is still reading its journal", "try again"});
        }
    }

    void recover() {
        const auto mine = [key_of = options_](const std::string& key) {
            return instance_for(key, key_of.instances) == key_of.instance;
        };
        run_on_disk<Recovered>(
            [journal = journal_, mine, &keeper = services_.keeper] { return journal.recover(mine, keeper); },
            [this](Result<Recovered> recovered) {
                if (!recovered) {
                    log::error("journal_unreadable", {{"why", recovered.error().render()}},
                               {.actor = path()});
                    after(kRecoverAgainAfter, [this] { recover(); });
                    return;
                }
                take_up(std::move(*recovered));
            });
    }

    void take_up(Recovered recovered) {
        for (auto& finished : recovered.finished)
            remember({std::move(finished), false});
        for (auto& open : recovered.open) {
            const WorkloadId id = open.manifest.workload;
            Job& job = jobs_[id];
            job.record = std::move(open);
            job.begun = true;
            job.last_activity = now();
            if (job.record.is_multipart()) { // its client goes on when it likes
                job.admitted = false;
                services_.uploads.add(id, {job.record.pinned});
                for (const auto& [number, part] : recovered.parts[id])
                    job.parts[number] = report_of(part);
                continue;
            }
            admission_.resume(1);
            if (!services_.uploads.find(id))
                give_up(id, "the node restarted before the upload was complete; send it again");
        }
        for (auto& sealed : recovered.sealed)
            resume(std::move(sealed));
        ready_ = true;
        for (auto& request : std::exchange(held_back_, {}))
            request();
    }

    void resume(SealedWorkload sealed) {
        const WorkloadId id = sealed.record.manifest.workload;
        Job& job = jobs_[id];
        job.record = std::move(sealed.record);
        job.all_blocks = std::move(sealed.all_blocks);
        job.begun = true;
        job.resumed = true;
        admission_.resume(1);
        probe_.resumed.add();
        services_.events.record("workload_resumed", id, {{"key", job.record.manifest.key}}, id);
        run_on_disk_for_sure<std::optional<StoredManifest>>(
            [&metadata = services_.metadata, key = job.record.manifest.key] { return metadata.find(key); },
            [this, id](Result<std::optional<StoredManifest>> found) {
                Job* resumed = find(id);
                if (!resumed) return;
                // An earlier life committed it and ended before it could say so.
                const bool done = found && *found && (*found)->manifest.workload == id;
                start_machine(*resumed, done ? (*found)->index : 0);
            });
    }

    // --- taking a workload in

    Result<void> check_request(const BeginPut& request) const {
        if (auto key = wire::check_key(request.key); !key) return key;
        if (request.id.empty() || request.id.size() > wire::kWorkloadIdBytesMax ||
            request.content_type.size() > wire::kContentTypeBytesMax) {
            return fail(Errc::invalid_argument, "the workload's id or content type is impossible",
                        "an id has 1 to 64 characters, a content type at most 255");
        }
        return check_size(request.size_bytes.value_or(0));
    }

    Result<void> check_size(std::uint64_t size_bytes) const {
        if (size_bytes <= options_.object_bytes_max) return {};
        return fail(Errc::too_large,
                    "the object is larger than manager.object_bytes_max = " +
                        std::to_string(options_.object_bytes_max) + " bytes",
                    "split it");
    }

    void begin(const BeginPut& request, actor::Ticket ticket) {
        if (Job* job = find(request.id)) { // asked twice
            if (job->begun)
                settle<PutBegun>(ticket, PutBegun{job->record.placement});
            else
                job->starting.push_back(ticket);
            return;
        }
        if (const auto done = finished_index_.find(request.id); done != finished_index_.end()) {
            refuse(ticket, {Errc::already_exists, "workload " + request.id + " has ended already",
                            "begin a new one"});
            return;
        }
        if (auto possible = check_request(request); !possible) {
            refuse(ticket, possible.error());
            return;
        }
        if (request.expires_ms != 0 && open_multipart() >= options_.uploads_open_max) {
            refuse(ticket, {Errc::resource_exhausted, "manager.uploads_open_max multi-part uploads are open",
                            "complete or delete one of those that GET /v1/uploads lists"});
            return;
        }
        if (options_.admission_now) admission_.change_limits(options_.admission_now(), now());
        if (auto admitted = admission_.admit(now()); !admitted) {
            admission_refusals(admitted.error().reason).add();
            refuse(ticket, admitted.error().error);
            return;
        }
        services_.uploads.add(request.id, {request.codec});
        Job& job = jobs_[request.id];
        job.record.manifest.key = request.key;
        job.record.manifest.workload = request.id;
        job.record.manifest.content_type = request.content_type;
        job.record.manifest.created_ms = unix_now_ms();
        job.record.condition = request.condition;
        job.record.expires_ms = request.expires_ms;
        job.record.pinned = request.codec;
        job.last_activity = now();
        job.admission = trace::mark();
        job.starting.push_back(ticket);
        find_places(request);
    }

    void find_places(const BeginPut& request) {
        const std::uint32_t replicas = request.replicas ? request.replicas : options_.replicas_default;
        ask_until_answered<allocator::PlaceReplicas>(
            "allocator/0", {request.id, request.size_bytes.value_or(0), replicas, {}}, now() + kAskDeadline,
            [this, id = request.id, begin = trace::mark()](const allocator::ReplicasPlaced& placed) {
                steps_.allocated(id, begin);
                journal_open(id, placed);
            },
            [this, id = request.id, begin = trace::mark()](const Error& error) {
                steps_.allocated(id, begin, error.message);
                refuse_begin(id, error);
            });
    }

    void journal_open(const WorkloadId& id, const allocator::ReplicasPlaced& placed) {
        Job* job = find(id);
        if (!job) return; // aborted meanwhile
        job->record.manifest.replicas = placed.nodes;
        job->record.placement = placed.nodes;
        // The id of a multi-part upload is a promise: it outlives a crash.
        const auto sync = job->record.is_multipart() ? store::Sync::yes : store::Sync::no;
        write_journal(*job, sync, [this, id, begin = trace::mark()](Result<void> written) {
            steps_.journaled(id, begin, problem_of(written));
            if (!written) {
                refuse_begin(id, written.error());
                return;
            }
            Job* open = find(id);
            if (!open) return;
            probe_.accepted.add();
            steps_.admitted(id, open->admission);
            open->begun = true;
            if (open->record.is_multipart()) free_place(*open); // between its parts it holds nothing up
            log::debug("workload_accepted", {{"key", open->record.manifest.key}},
                       {.actor = path(), .trace = id});
            for (const auto ticket : std::exchange(open->starting, {}))
                settle<PutBegun>(ticket, PutBegun{open->record.placement});
        });
    }

    /// A workload that could not begin leaves no trace: nothing was promised to its client.
    void refuse_begin(const WorkloadId& id, const Error& error) {
        auto node = jobs_.extract(id);
        if (node.empty()) return;
        services_.uploads.remove(id);
        free_place(node.mapped());
        steps_.admitted(id, node.mapped().admission, error.message);
        for (const auto ticket : node.mapped().starting)
            refuse(ticket, error);
    }

    void put_block(const PutBlock& request, actor::Ticket ticket) {
        Job* job = find(request.id);
        if (!job || !job->takes_blocks()) {
            refuse(ticket, {Errc::precondition_failed, "workload " + request.id + " takes no blocks now",
                            "begin a new one"});
            return;
        }
        job->last_activity = now();
        const auto upload = services_.uploads.find(request.id);
        const auto instance = instance_for(request.id, options_.compression_instances);
        ask_until_answered<compression::EncodeBlock>(
            "compression/" + std::to_string(instance),
            {request.id, request.raw, upload ? upload->codec : std::nullopt}, now() + kAskDeadline,
            [this, ticket, id = request.id, index = request.index,
             begin = trace::mark()](const compression::BlockEncoded& encoded) {
                steps_.encoded(id, index, encoded.block, encoded.reason, begin);
                store_block(id, encoded.block, ticket);
            },
            [this, ticket](const Error& error) { refuse(ticket, error); });
    }

    void store_block(const WorkloadId& id, const EncodedBlock& block, actor::Ticket ticket) {
        run_on_disk<void>([&keeper = services_.keeper, block, id] { return keeper.take_in(block, id); },
                          [this, block, id, ticket, begin = trace::mark()](Result<void> stored) {
                              steps_.kept(id, block.bytes->size(), begin, problem_of(stored));
                              if (stored)
                                  block_stored(id, block, ticket);
                              else
                                  refuse(ticket, stored.error());
                          });
    }

    void block_stored(const WorkloadId& id, const EncodedBlock& block, actor::Ticket ticket) {
        Job* job = find(id);
        if (!job) {
            release(id); // the workload was ended while the block was being pinned
            refuse(ticket, {Errc::cancelled, "the workload was ended", {}});
            return;
        }
        ship_early(*job, block);
        const BlockRef ref{block.hash, block.codec, block.raw_bytes,
                           static_cast<std::uint32_t>(block.bytes->size())};
        auto answer = [this, ticket, ref] { settle<BlockAccepted>(ticket, BlockAccepted{ref}); };
        if (job->ships_in_flight <= kShipsInFlightMax)
            answer();
        else
            job->ship_waiters.push_back(std::move(answer));
    }

    /// Sends the block to the replicas while the client still uploads. Whether it arrived is settled at the
    /// seal: a replica that lacks it says so then.
    void ship_early(Job& job, const EncodedBlock& block) {
        const WorkloadId id = job.record.manifest.workload;
        for (const auto& peer : job.record.placement) {
            if (peer == options_.self || job.ship_later.contains(peer)) continue;
            ++job.ships_in_flight;
            services_.data.send_block(peer, block, id, now() + options_.data_deadline,
                                      [this, id, peer, bytes = block.bytes->size(), begin = trace::mark(),
                                       post = poster()](Result<void> sent) {
                                          post([=, this] { ship_ended(id, peer, bytes, sent, begin); });
                                      });
        }
    }

    void ship_ended(const WorkloadId& id, const NodeName& peer, std::uint64_t bytes, const Result<void>& sent,
                    const trace::Mark& begin) {
        steps_.shipped(id, peer, 1, bytes, begin, problem_of(sent));
        Job* job = find(id);
        if (!job) return;
        --job->ships_in_flight;
        const bool away = !sent && sent.error().code != Errc::resource_exhausted;
        // Else each block for a replica that is away would hold the client up until its deadline.
        if (away) job->ship_later.insert(peer);
        while (job->ships_in_flight <= kShipsInFlightMax && !job->ship_waiters.empty()) {
            auto answer = std::move(job->ship_waiters.front());
            job->ship_waiters.pop_front();
            answer();
        }
    }

    // --- parts of a multi-part upload

    static PartReport report_of(const wire::UploadPart& part) {
        return {part.number, part.size_bytes, part.sha256, part.updated_ms};
    }

    std::size_t open_multipart() const {
        return static_cast<std::size_t>(std::ranges::count_if(jobs_, [](const auto& entry) {
            const auto& record = entry.second.record;
            return record.is_multipart() && record.state == State::open;
        }));
    }

    /// The upload, if it takes parts now; else the request is refused.
    Job* find_upload(const WorkloadId& upload, actor::Ticket ticket) {
        Job* job = find(upload);
        if (job && job->record.is_multipart() && job->takes_blocks()) return job;
        if (job || finished_index_.contains(upload))
            refuse(ticket, {Errc::precondition_failed, "upload " + upload + " takes no parts any more",
                            "GET /v1/workloads/" + upload + " says what became of it"});
        else
            refuse(ticket, {Errc::not_found, "this node knows no upload " + upload,
                            "ask the node that opened it; GET /v1/uploads lists the open ones"});
        return nullptr;
    }

    void begin_part(const BeginPart& request, actor::Ticket ticket) {
        Job* job = find_upload(request.upload, ticket);
        if (!job) return;
        if (auto size = check_size(request.size_bytes); !size) return refuse(ticket, size.error());
        if (!job->attempts.contains(request.attempt)) {
            if (auto admitted = admission_.admit(now()); !admitted) {
                admission_refusals(admitted.error().reason).add();
                refuse(ticket, admitted.error().error);
                return;
            }
            job->attempts.insert(request.attempt);
        }
        job->last_activity = now();
        settle<Acknowledged>(ticket, Acknowledged{});
    }

    void keep_part(const KeepPart& request, actor::Ticket ticket) {
        Job* job = find_upload(request.upload, ticket);
        if (!job) return;
        const auto before = job->parts.find(request.part.number);
        const std::uint64_t replaced = before == job->parts.end() ? 0 : before->second.size_bytes;
        if (auto size = check_size(job->parts_bytes() - replaced + request.part.size_bytes); !size)
            return refuse(ticket, size.error());
        auto part = request.part;
        part.updated_ms = unix_now_ms();
        run_on_disk_for_sure<void>(
            [parts = UploadParts(services_.store), &keeper = services_.keeper, upload = request.upload,
             part] { return parts.keep(upload, part, keeper); },
            [this, upload = request.upload, attempt = request.attempt, part, ticket](Result<void> kept) {
                part_kept(upload, attempt, part, kept, ticket);
            });
    }

    void part_kept(const WorkloadId& upload, const WorkloadId& attempt, const wire::UploadPart& part,
                   const Result<void>& kept, actor::Ticket ticket) {
        end_attempt(upload, attempt);
        if (!kept) return refuse(ticket, kept.error());
        Job* job = find(upload);
        if (!job) { // it ended meanwhile
            forget_parts(upload);
            release(upload);
            return refuse(ticket, {Errc::cancelled, "the upload was ended", {}});
        }
        job->parts[part.number] = report_of(part);
        job->last_activity = now();
        settle<Acknowledged>(ticket, Acknowledged{});
    }

    void end_part(const EndPart& request, actor::Ticket ticket) {
        end_attempt(request.upload, request.attempt);
        settle<Acknowledged>(ticket, Acknowledged{});
    }

    void end_attempt(const WorkloadId& upload, const WorkloadId& attempt) {
        Job* job = find(upload);
        if (job && job->attempts.erase(attempt) != 0) admission_.release();
    }

    void forget_parts(const WorkloadId& upload) {
        run_on_disk_for_sure<void>(
            [parts = UploadParts(services_.store), upload] { return parts.forget(upload); },
            [](Result<void>) {});
    }

    void read_parts(const ReadParts& request, actor::Ticket ticket) {
        run_on_disk<std::vector<wire::UploadPart>>(
            [parts = UploadParts(services_.store), upload = request.upload] { return parts.of(upload); },
            [this, ticket](Result<std::vector<wire::UploadPart>> read) {
                if (read)
                    settle<PartsRead>(ticket, PartsRead{std::move(*read)});
                else
                    refuse(ticket, read.error());
            });
    }

    UploadReports upload_reports(const QueryUploads& request) const {
        UploadReports all;
        const auto add = [&](const wire::JournalRecord& record) -> UploadReport& {
            all.list.push_back({record.manifest.workload,
                                record.manifest.key,
                                record.manifest.content_type,
                                kStateNames.at(static_cast<std::size_t>(record.state)),
                                record.manifest.created_ms,
                                record.expires_ms,
                                record.placement,
                                {},
                                0});
            return all.list.back();
        };
        for (const auto& [id, job] : jobs_) {
            if (!job.record.is_multipart() || !job.begun) continue;
            if (request.id.empty() ? job.record.state != State::open : request.id != id) continue;
            auto& report = add(job.record);
            report.size_bytes = job.parts_bytes();
            if (request.id.empty()) continue;
            for (const auto& [number, part] : job.parts)
                report.parts.push_back(part);
        }
        const auto done = finished_index_.find(request.id);
        if (done != finished_index_.end() && done->second->record.is_multipart()) add(done->second->record);
        std::ranges::sort(all.list, {}, &UploadReport::created_ms);
        return all;
    }

    /// Gives back the places that a workload holds, each once.
    void free_place(Job& job) {
        if (std::exchange(job.admitted, false)) admission_.release();
        for (std::size_t i = 0; i < job.attempts.size(); ++i)
            admission_.release();
        job.attempts.clear();
    }

    // --- from the seal to the receipt

    void seal(const SealPut& request, actor::Ticket ticket) {
        if (const auto done = finished_index_.find(request.id); done != finished_index_.end()) {
            answer_finished(*done->second, ticket);
            return;
        }
        Job* job = find(request.id);
        if (!job) {
            refuse(ticket, {Errc::precondition_failed, "workload " + request.id + " is not known",
                            "begin a new one"});
            return;
        }
        if (!job->begun) {
            refuse(ticket, {Errc::precondition_failed, "workload " + request.id + " has not begun",
                            "wait for the answer to the begin"});
            return;
        }
        job->waiting.push_back(ticket);
        if (!job->takes_blocks()) return;
        if (auto whole = check_whole(request); !whole) {
            give_up(request.id, whole.error());
            return;
        }
        job->sealing = true;
        job->sealing_since = trace::mark();
        if (!job->admitted) { // the last step of an upload whose parts were all admitted
            admission_.resume(1);
            job->admitted = true;
        }
        auto record = job->record;
        record.state = State::sealed;
        if (request.condition) record.condition = *request.condition;
        record.manifest.size_bytes = request.size_bytes;
        record.manifest.sha256 = request.sha256;
        record.base = services_.metadata.last_applied();
        record.updated_ms = unix_now_ms();
        run_on_disk_for_sure<SealedWorkload>(
            [journal = journal_, &keeper = services_.keeper, record = std::move(record),
             blocks = request.blocks] { return journal.seal(record, blocks, keeper); },
            [this, id = request.id](Result<SealedWorkload> sealed) { seal_ended(id, std::move(sealed)); });
    }

    Result<void> check_whole(const SealPut& request) const {
        if (auto size = check_size(request.size_bytes); !size) return size;
        std::uint64_t total = 0;
        for (const auto& ref : request.blocks)
            total += ref.raw_bytes;
        if (total == request.size_bytes) return {};
        return fail(Errc::invalid_argument, "its blocks hold " + std::to_string(total) + " bytes, not " +
                                                std::to_string(request.size_bytes));
    }

    void seal_ended(const WorkloadId& id, Result<SealedWorkload> sealed) {
        Job* job = find(id);
        if (!job) return;
        job->sealing = false;
        steps_.sealed(id, job->sealing_since, problem_of(sealed));
        if (!sealed) {
            give_up(id, sealed.error());
            return;
        }
        services_.uploads.remove(id);
        job->record = std::move(sealed->record);
        job->all_blocks = std::move(sealed->all_blocks);
        start_machine(*job);
    }

    /// `committed_at`: where the lane has it already; 0: it does not.
    void start_machine(Job& job, std::uint64_t committed_at = 0) {
        const WorkloadId id = job.record.manifest.workload; // the job may end meanwhile
        job.sealed_at = now();
        job.counted.seal();
        job.machine.emplace(options_.self, job.record.placement, options_.timing, random_.next());
        if (committed_at != 0)
            finish(id, committed_at);
        else
            perform(id, job.machine->start(now()));
    }

    void perform(const WorkloadId& id, const Actions& actions) {
        for (const auto& action : actions) {
            if (!find(id)) return;
            std::visit([&](const auto& what) { perform_one(id, what); }, action);
        }
    }

    /// Feeds an event to a workload that may have ended meanwhile.
    template<class Event>
    void feed(const WorkloadId& id, Event event) {
        Job* job = find(id);
        if (job && job->machine) perform(id, event(*job->machine));
    }

    void perform_one(const WorkloadId& id, const ConfirmReplica& action) { confirm_from(id, action.peer, 0); }

    /// Asks for the hashes from `first` on, as many as one question holds, and goes on with the rest.
    void confirm_from(const WorkloadId& id, const NodeName& peer, std::size_t first) {
        const auto& all = find(id)->all_blocks;
        const auto last = std::min(all.size(), first + wire::kSyncHashesMax);
        std::vector<Hash256> slice(all.begin() + static_cast<std::ptrdiff_t>(first),
                                   all.begin() + static_cast<std::ptrdiff_t>(last));
        if (slice.empty()) { // an empty object has nothing to confirm
            feed(id, [&](Workload& machine) { return machine.confirmed(peer, {}, now()); });
            return;
        }
        services_.data.sync(peer, std::move(slice), id, now() + options_.data_deadline,
                            [this, id, peer, last, begin = trace::mark(),
                             post = poster()](Result<std::vector<Hash256>> missing) {
                                post([this, id, peer, last, begin, missing = std::move(missing)] {
                                    steps_.confirmed(id, peer, missing ? missing->size() : 0, begin,
                                                     problem_of(missing));
                                    confirmation(id, peer, last, missing);
                                });
                            });
    }

    void confirmation(const WorkloadId& id, const NodeName& peer, std::size_t next,
                      const Result<std::vector<Hash256>>& missing) {
        Job* job = find(id);
        if (!job || !job->machine) return;
        if (!missing) {
            log::debug("confirm_failed", {{"peer", peer}, {"why", missing.error().message}},
                       {.actor = path(), .trace = id});
            feed(id, [&](Workload& machine) { return machine.peer_failed(peer, now()); });
        } else if (missing->empty() && next < job->all_blocks.size()) {
            confirm_from(id, peer, next);
        } else {
            feed(id, [&](Workload& machine) { return machine.confirmed(peer, *missing, now()); });
        }
    }

    void perform_one(const WorkloadId& id, const ShipBlocks& action) {
        ship_blocks({action.peer, id, action.hashes, options_.data_deadline}, services_.keeper,
                    services_.data, services_.disk,
                    [this, id, peer = action.peer, blocks = action.hashes.size(), begin = trace::mark(),
                     post = poster()](Result<void> shipped) {
                        post([=, this] {
                            steps_.shipped(id, peer, blocks, 0, begin, problem_of(shipped));
                            shipment(id, peer, shipped);
                        });
                    });
    }

    void shipment(const WorkloadId& id, const NodeName& peer, const Result<void>& shipped) {
        if (!shipped) {
            log::debug("ship_failed", {{"peer", peer}, {"why", shipped.error().message}},
                       {.actor = path(), .trace = id});
        }
        feed(id, [&](Workload& machine) {
            return shipped ? machine.shipped(peer, now()) : machine.peer_failed(peer, now());
        });
    }

    void perform_one(const WorkloadId& id, const Reroute& action) {
        const Job& job = *find(id);
        ask<allocator::PlaceReplicas>(
            "allocator/0",
            {id,
             job.record.manifest.size_bytes,
             static_cast<std::uint32_t>(job.record.placement.size()),
             {action.away}},
            kAskDeadline,
            [this, id](const allocator::ReplicasPlaced& placed) {
                probe_.rerouted.add();
                feed(id, [&](Workload& machine) { return machine.rerouted(placed.nodes, now()); });
            },
            [this, id](const Error&) {
                feed(id, [&](Workload& machine) { return machine.reroute_failed(now()); });
            });
    }

    void perform_one(const WorkloadId& id, const JournalPlacement&) {
        Job& job = *find(id);
        job.record.placement = job.machine->placement();
        job.record.manifest.replicas = job.record.placement;
        // Losing this write only means that a restart tries the earlier placement first.
        write_journal(job, store::Sync::no, [](Result<void>) {});
    }

    void perform_one(const WorkloadId& id, const CommitManifest&) {
        const Job& job = *find(id);
        wire::MetadataCommand command{false, job.record.manifest.key, job.record.manifest, job.record.base,
                                      job.record.condition};
        ask<consensus::SubmitCommand>(
            "consensus/metadata", {{id, wire::encode(command)}, kCommitDeadline, id}, kCommitDeadline * 2,
            [this, id, begin = trace::mark()](const consensus::CommandCommitted& committed) {
                const auto taken = check_outcome(committed.result);
                steps_.committed(id, committed.index, begin, problem_of(taken));
                if (!taken)
                    give_up(id, taken.error());
                else
                    finish(id, committed.index);
            },
            [this, id, begin = trace::mark()](const Error& error) {
                steps_.committed(id, 0, begin, error.message);
                log::debug("commit_failed", {{"why", error.message}}, {.actor = path(), .trace = id});
                if (error.code == Errc::invalid_argument || error.code == Errc::too_large) {
                    give_up(id, {error.code, "the metadata lane refused its manifest: " + error.message, {}});
                    return;
                }
                feed(id, [&](Workload& machine) { return machine.commit_failed(now()); });
            });
    }

    /// What the lane answered to a command of ours: whether it took effect, else why not.
    static Result<Metadata::Verdict> check_outcome(ByteView answer) {
        using Outcome = Metadata::Outcome;
        auto verdict = Metadata::read_answer(answer);
        if (!verdict) return verdict;
        switch (verdict->outcome) {
        case Outcome::expired:
            return fail(Errc::cancelled,
                        "it was sealed too long ago to tell its commit from a repeated one; look whether the "
                        "object is there, and send it again if not");
        case Outcome::condition_failed:
            return fail(Errc::condition_failed, "the request's condition does not hold: " + verdict->found,
                        "look at the object as it is now, then decide again");
        case Outcome::undecided:
            return fail(Errc::corrupted,
                        "this node's record of the object is damaged, so it cannot decide "
                        "the request's condition",
                        "send the request to another node");
        default:
            return verdict;
        }
    }

    void perform_one(const WorkloadId& id, const WakeAt& action) {
        after(std::max(Duration::zero(), action.when - now()),
              [this, id] { feed(id, [&](Workload& machine) { return machine.tick(now()); }); });
    }

    void peer_up(const NodeName& peer) {
        std::vector<WorkloadId> ids;
        for (auto& [id, job] : jobs_) {
            job.ship_later.erase(peer);
            if (job.machine) ids.push_back(id);
        }
        for (const auto& id : ids)
            feed(id, [&](Workload& machine) { return machine.peer_up(peer, now()); });
    }

    // --- ends

    void finish(const WorkloadId& id, std::uint64_t index) {
        Job* job = find(id);
        if (!job || !job->machine) return;
        job->machine->committed();
        job->record.state = State::committed;
        job->record.index = index;
        probe_.committed.add();
        log::debug("workload_committed", {{"key", job->record.manifest.key}, {"index", index}},
                   {.actor = path(), .trace = id});
        probe_.seconds.observe(std::chrono::duration<double>(now() - job->sealed_at).count());
        end(id);
    }

    void give_up(const WorkloadId& id, const Error& why) {
        Job* job = find(id);
        if (!job) return;
        job->record.state = State::failed;
        job->record.failure = why.code;
        job->record.reason = why.message.substr(0, wire::kErrorTextBytesMax);
        probe_.failed.add();
        // Refusing what the client's own condition forbids is no trouble that an operator should see.
        if (why.code != Errc::condition_failed)
            services_.events.record("workload_failed", id,
                                    {{"key", job->record.manifest.key}, {"reason", why.message}}, id);
        end(id);
    }
    void give_up(const WorkloadId& id, const std::string& reason) {
        give_up(id, {Errc::cancelled, reason, {}});
    }

    /// Journals the outcome, answers who waits, frees the workload's place and keeps its report.
    void end(const WorkloadId& id) {
        auto node = jobs_.extract(id);
        Job& job = node.mapped();
        job.record.updated_ms = unix_now_ms();
        // Reports and receipts do without, and the journal stays quick to read.
        job.record.manifest.blocks.clear();
        job.record.manifest.index_blocks.clear();
        services_.uploads.remove(id);
        free_place(job);
        journal_outcome(job.record);
        for (auto& answer : job.ship_waiters)
            answer();
        const auto& kept = remember({std::move(job.record), job.resumed});
        for (const auto ticket : job.starting)
            answer_finished(kept, ticket);
        for (const auto ticket : job.waiting)
            answer_finished(kept, ticket);
    }

    /// The outcome need not be durable: an open record fails again and a sealed one commits again, to the
    /// same answer. But it must be written in the end, and the pins stay until then.
    void journal_outcome(const wire::JournalRecord& record) {
        run_on_disk_for_sure<void>(
            [journal = journal_, &keeper = services_.keeper, &store = services_.store, record] {
                auto written = journal.write(record, store::Sync::no);
                if (!written && written.error().code != Errc::precondition_failed) return written;
                if (record.is_multipart()) {
                    if (auto forgotten = UploadParts(store).forget(record.manifest.workload); !forgotten)
                        return forgotten;
                }
                keeper.release(record.manifest.workload);
                return Result<void>();
            },
            [this, record](Result<void> written) {
                if (!written) after(kOutcomeAgainAfter, [this, record] { journal_outcome(record); });
            });
    }

    const Finished& remember(Finished finished) {
        const auto id = finished.record.manifest.workload;
        finished_.push_back(std::move(finished));
        finished_index_[id] = std::prev(finished_.end());
        if (finished_.size() > kFinishedKept) {
            const auto oldest = finished_.front().record.manifest.workload;
            finished_index_.erase(oldest);
            finished_.pop_front();
            run_on_disk<void>([journal = journal_, oldest] { return journal.forget(oldest); },
                              [](Result<void>) {});
        }
        return finished_.back();
    }

    /// The same in every life of the node.
    static Error failure_of(const wire::JournalRecord& record) {
        const std::string failed = "the workload failed: " + record.reason;
        switch (record.failure) {
        case Errc::condition_failed:
            return {record.failure, record.reason, "look at the object as it is now, then decide again"};
        case Errc::invalid_argument:
        case Errc::precondition_failed:
        case Errc::too_large:
            return {record.failure, failed, "mend the request; sending it again as it is will not help"};
        default: // ours, whatever it was: the client did nothing wrong
            return {Errc::cancelled, failed, "send it again"};
        }
    }

    void answer_finished(const Finished& finished, actor::Ticket ticket) {
        const auto& record = finished.record;
        if (record.state == State::failed) {
            refuse(ticket, failure_of(record));
            return;
        }
        PutReceipt receipt{
            record.manifest, record.index, record.totals.stored_bytes, record.totals.blocks, {}};
        for (const auto& [choice, blocks] : record.totals.by_codec)
            receipt.blocks_by_codec[std::string(compression::to_string(choice))] = blocks;
        settle<PutReceipt>(ticket, std::move(receipt));
    }

    void abort_put(const AbortPut& request, actor::Ticket ticket) {
        const Job* job = find(request.id);
        if (!job) {
            // Begun in an earlier life of this actor, which did not come to journal it.
            services_.uploads.remove(request.id);
            release(request.id);
        } else if (!job->begun || job->takes_blocks()) {
            give_up(request.id, request.reason);
        } // else it is sealed, past its client: it completes
        settle<Acknowledged>(ticket, Acknowledged{});
    }

    void release(const WorkloadId& id) {
        run_on_disk_for_sure<void>(
            [&keeper = services_.keeper, id]() -> Result<void> {
                keeper.release(id);
                return {};
            },
            [](Result<void>) {});
    }

    void housekeeping() {
        std::vector<WorkloadId> idle;
        std::vector<WorkloadId> alive;
        std::vector<WorkloadId> expired;
        for (auto& [id, job] : jobs_) {
            const bool is_idle = job.takes_blocks() && now() - job.last_activity > kOpenIdleMax;
            if (!job.record.is_multipart())
                (is_idle ? idle : alive).push_back(id);
            else
                (job.takes_blocks() && unix_now_ms() > job.record.expires_ms ? expired : alive).push_back(id);
            if (is_idle) free_place(job); // of parts whose end nobody told
        }
        for (const auto& id : expired)
            give_up(id, "the multi-part upload was not completed before it expired");
        for (const auto& id : idle)
            give_up(id, "no block came for 10 minutes");
        run_on_disk<void>(
            [&keeper = services_.keeper, alive = std::move(alive)]() -> Result<void> {
                for (const auto& id : alive)
                    keeper.renew(id);
                return {};
            },
            [](Result<void>) {});
        after(kHousekeepingEvery, [this] { housekeeping(); });
    }

    // --- the rest

    void erase(const DeleteObject& request, actor::Ticket ticket) {
        wire::MetadataCommand command{true, request.key, {}, 0, request.condition};
        ask_until_answered<consensus::SubmitCommand>(
            "consensus/metadata", {{request.id, wire::encode(command)}, kCommitDeadline, request.id},
            now() + kCommitDeadline,
            [this, ticket, id = request.id,
             begin = trace::mark()](const consensus::CommandCommitted& committed) {
                const auto verdict = check_outcome(committed.result);
                steps_.committed(id, committed.index, begin, problem_of(verdict));
                if (!verdict) return refuse(ticket, verdict.error());
                const bool existed = verdict->outcome == Metadata::Outcome::replaced;
                settle<ObjectDeleted>(ticket, ObjectDeleted{existed, committed.index});
            },
            [this, ticket](const Error& error) { refuse(ticket, error); });
    }

    void fetch(const FetchBlock& request, actor::Ticket ticket) {
        run_on_disk<SharedBytes>(
            [&keeper = services_.keeper, hash = request.ref.hash] { return keeper.read(hash); },
            [this, request, ticket, begin = trace::mark()](Result<SharedBytes> raw) {
                // A block that is not kept here is no failure: then its "fetch" is the step.
                if (raw || raw.error().code != Errc::not_found)
                    steps_.read(request.trace, raw ? (*raw)->size() : 0, begin, problem_of(raw));
                if (raw) {
                    settle<BlockFetched>(ticket, BlockFetched{std::move(*raw)});
                } else if (raw.error().code == Errc::not_found || raw.error().code == Errc::corrupted) {
                    fetch_from(request, 0, raw.error(), ticket);
                } else {
                    refuse(ticket, raw.error());
                }
            });
    }

    /// Tries the replicas from number `next` on; what one delivers intact is kept here if this node should
    /// have had it.
    void fetch_from(const FetchBlock& request, std::size_t next, const Error& last, actor::Ticket ticket) {
        while (next < request.replicas.size() && request.replicas[next] == options_.self)
            ++next;
        if (next >= request.replicas.size()) {
            refuse(ticket,
                   {last.code == Errc::corrupted ? Errc::corrupted : Errc::unavailable,
                    "block " + request.ref.hash.hex() + " cannot be read from any replica: " + last.message,
                    "check `dwcp-shell -c nodes`; try again when its replicas are up"});
            return;
        }
        const auto peer = request.replicas[next];
        services_.data.fetch(peer, request.ref.hash, now() + options_.data_deadline,
                             [this, request, next, ticket, peer, begin = trace::mark(),
                              post = poster()](Result<EncodedBlock> block) {
                                 post([=, this] {
                                     steps_.fetched(request.trace, peer, block ? block->bytes->size() : 0,
                                                    begin, problem_of(block));
                                     check_fetched(request, next, peer, block, ticket);
                                 });
                             });
    }

    void check_fetched(const FetchBlock& request, std::size_t next, const NodeName& peer,
                       const Result<EncodedBlock>& block, actor::Ticket ticket) {
        if (!block) {
            fetch_from(request, next + 1, block.error(), ticket);
            return;
        }
        const bool should_be_here =
            std::ranges::find(request.replicas, options_.self) != request.replicas.end();
        run_on_disk<SharedBytes>(
            [&keeper = services_.keeper, block = *block, wanted = request.ref.hash, should_be_here,
             peer]() -> Result<SharedBytes> {
                if (block.hash != wanted) return fail(Errc::corrupted, peer + " sent another block");
                auto raw = compression::decode_verified(block);
                if (!raw || !should_be_here) return raw;
                if (auto repaired = keeper.repair(block, peer); !repaired) {
                    log::warn("block_repair_failed",
                              {{"hash", wanted.hex()}, {"why", repaired.error().message}});
                }
                return raw;
            },
            [this, request, next, ticket](Result<SharedBytes> raw) {
                if (raw)
                    settle<BlockFetched>(ticket, BlockFetched{std::move(*raw)});
                else
                    fetch_from(request, next + 1, raw.error(), ticket);
            });
    }

    WorkloadReports reports(const QueryWorkloads& request) const {
        WorkloadReports all;
        const auto add = [&](const wire::JournalRecord& record, bool resumed) {
            const std::string state = kStateNames.at(static_cast<std::size_t>(record.state));
            if (!request.id.empty() && record.manifest.workload != request.id) return;
            if (!request.state.empty() && state != request.state) return;
            all.list.push_back({record.manifest.workload, record.manifest.key, state, record.reason, path(),
                                record.updated_ms, record.manifest.size_bytes, record.index, resumed});
        };
        for (const auto& [id, job] : jobs_)
            add(job.record, job.resumed);
        for (auto it = finished_.rbegin(); it != finished_.rend(); ++it)
            add(it->record, it->resumed);
        std::ranges::stable_sort(all.list, std::greater{}, &WorkloadReport::updated_ms);
        if (all.list.size() > request.limit) all.list.resize(std::min(request.limit, kReportsMax));
        return all;
    }

    Job* find(const WorkloadId& id) {
        const auto found = jobs_.find(id);
        return found == jobs_.end() ? nullptr : &found->second;
    }

    void write_journal(Job& job, store::Sync sync, std::function<void(Result<void>)> then) {
        job.record.updated_ms = unix_now_ms();
        run_on_disk<void>(
            [journal = journal_, record = job.record, sync] { return journal.write(record, sync); },
            std::move(then));
    }

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

    /// Asks again while the other actor is being restarted or overloaded; other errors and the deadline end
    /// it.
    template<class Request>
    void ask_until_answered(const std::string& to, Request request, TimePoint deadline,
                            std::function<void(const typename Request::Reply&)> on_reply,
                            std::function<void(const Error&)> on_error) {
        ask<Request>(to, request, std::max<Duration>(deadline - now(), std::chrono::milliseconds(1)),
                     on_reply, [=, this](const Error& error) {
                         const bool passing =
                             error.code == Errc::unavailable || error.code == Errc::resource_exhausted;
                         if (!passing || now() + kAskAgainAfter >= deadline) {
                             on_error(error);
                             return;
                         }
                         after(kAskAgainAfter, [=, this] {
                             ask_until_answered<Request>(to, request, deadline, on_reply, on_error);
                         });
                     });
    }

    /// Reports kept for people who ask what became of a workload; about 1 KiB each.
    static constexpr std::size_t kFinishedKept = 2000;

    const ManagerOptions options_;
    const ManagerServices services_;
    Journal journal_;
    Admission admission_;
    Random random_;
    const WorkloadSteps steps_;
    Probe probe_;
    bool ready_ = false;
    std::vector<std::function<void()>> held_back_;
    std::map<WorkloadId, Job> jobs_;
    std::list<Finished> finished_; ///< Oldest first.
    std::map<WorkloadId, std::list<Finished>::const_iterator> finished_index_;
};

} // namespace

void OpenUploads::add(const WorkloadId& id, Upload upload) {
    const std::lock_guard lock(mutex_);
    uploads_.insert_or_assign(id, upload);
}

void OpenUploads::remove(const WorkloadId& id) {
    const std::lock_guard lock(mutex_);
    uploads_.erase(id);
}

std::optional<OpenUploads::Upload> OpenUploads::find(const WorkloadId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = uploads_.find(id);
    if (found == uploads_.end()) return std::nullopt;
    return found->second;
}

caf::actor spawn_manager(caf::actor_system& system, actor::ActorContext context, ManagerOptions options,
                         ManagerServices services) {
    return system.spawn<ManagerActor>(std::move(context), std::move(options), services);
}

} // namespace dwcp::manager
