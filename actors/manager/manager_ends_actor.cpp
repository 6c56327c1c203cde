// How workloads end: outcomes, aborts and what is told of them; deletes, and housekeeping.
#include "actors/compression/codec.hpp"
#include "actors/consensus/messages.hpp"
#include "actors/manager/manager_core_actor.hpp"
#include "protocols/wire/limits.hpp"
#include "runtime/log/log.hpp"

#include <functional>
#include <utility>

namespace dwcp::manager {
namespace {

/// An upload whose client sends nothing for this long is given up; the HTTP side's own idle limit is far
/// below.
constexpr Duration kOpenIdleMax = std::chrono::minutes(10);
/// Writing an outcome that the disk refused, e.g. because it is full.
constexpr Duration kOutcomeAgainAfter = std::chrono::seconds(1);
/// Reports kept for people who ask what became of a workload; about 1 KiB each.
constexpr std::size_t kFinishedKept = 2000;

/// The same in every life of the node.
Error failure_of(const wire::JournalRecord& record) {
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

} // namespace

void ManagerActor::finish(const WorkloadId& id, std::uint64_t index) {
    Job* job = find(id);
    if (!job || !job->machine) return;
    job->machine->committed();
    job->record.state = State::committed;
    job->record.index = index;
    probe_.committed.add();
    log::debug("workload_committed", {{"key", job->record.manifest.key}, {"index", index}},
               {.actor = path(), .trace = id});
    const auto took = now() - job->sealed_at;
    probe_.seconds.observe(std::chrono::duration<double>(took).count());
    if (!job->resumed) admission_.committed(took, now()); // else it began in an earlier life
    job->served_by = job->lease.release();
    count_finished(*job);
    end(id);
}

void ManagerActor::give_up(const WorkloadId& id, const Error& why) {
    Job* job = find(id);
    if (!job) return;
    job->record.state = State::failed;
    job->record.failure = why.code;
    job->record.reason = why.message.substr(0, wire::kErrorTextBytesMax);
    probe_.failed.add();
    count_failed(*job, why.code);
    // Refusing what the client's own condition forbids is no trouble that an operator should see.
    if (why.code != Errc::condition_failed)
        services_.events.record("workload_failed", id,
                                {{"key", job->record.manifest.key}, {"reason", why.message}}, id);
    end(id);
}

void ManagerActor::give_up(const WorkloadId& id, const std::string& reason) {
    give_up(id, {Errc::cancelled, reason, {}});
}

void ManagerActor::end(const WorkloadId& id) {
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
    const auto& kept = remember({std::move(job.record), job.resumed, releases_of(job)});
    for (const auto ticket : job.starting)
        answer_finished(kept, ticket);
    for (const auto ticket : job.waiting)
        answer_finished(kept, ticket);
}

void ManagerActor::journal_outcome(const wire::JournalRecord& record) {
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

const Finished& ManagerActor::remember(Finished finished) {
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

void ManagerActor::answer_finished(const Finished& finished, actor::Ticket ticket) {
    const auto& record = finished.record;
    if (record.state == State::failed) {
        refuse(ticket, failure_of(record));
        return;
    }
    PutReceipt receipt{record.manifest,      record.index, record.totals.stored_bytes,
                       record.totals.blocks, {},           finished.releases};
    for (const auto& [choice, blocks] : record.totals.by_codec)
        receipt.blocks_by_codec[std::string(compression::to_string(choice))] = blocks;
    settle<PutReceipt>(ticket, std::move(receipt));
}

void ManagerActor::abort_put(const AbortPut& request, actor::Ticket ticket) {
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

void ManagerActor::release(const WorkloadId& id) {
    run_on_disk_for_sure<void>(
        [&keeper = services_.keeper, id]() -> Result<void> {
            keeper.release(id);
            return {};
        },
        [](Result<void>) {});
}

void ManagerActor::erase(const DeleteObject& request, actor::Ticket ticket) {
    if (!wanted(ticket, request.deadline, "the delete was submitted")) return;
    wire::MetadataCommand command{true, request.key, {}, 0, request.condition};
    const auto deadline = std::min(request.deadline, now() + kCommitDeadline);
    ask_until_answered<consensus::SubmitCommand>(
        "consensus/metadata", {{request.id, wire::encode(command)}, deadline - now(), request.id}, deadline,
        [this, ticket, id = request.id, begin = trace::mark()](const consensus::CommandCommitted& committed) {
            const auto verdict = check_outcome(committed.result);
            steps_.committed(id, committed.index, begin, problem_of(verdict));
            if (!verdict) return refuse(ticket, verdict.error());
            const bool existed = verdict->outcome == Metadata::Outcome::replaced;
            settle<ObjectDeleted>(ticket, ObjectDeleted{existed, committed.index});
        },
        [this, ticket](const Error& error) { refuse(ticket, error); });
}

void ManagerActor::housekeeping() {
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

void ManagerActor::query_workloads(const QueryWorkloads& request, actor::Ticket ticket) {
    settle<WorkloadReports>(ticket, reports(request));
}

WorkloadReports ManagerActor::reports(const QueryWorkloads& request) const {
    WorkloadReports all;
    // What the journal does not have yet may leave no trace.
    const auto add = [&](const wire::JournalRecord& record, bool resumed, bool journaled = true) {
        const std::string state = journaled ? name_of(record.state) : kStarting;
        if (!request.id.empty() && record.manifest.workload != request.id) return;
        if (!request.state.empty() && state != request.state) return;
        ++all.counts[state];
        all.list.push_back({record.manifest.workload, record.manifest.key, state, record.reason, path(),
                            record.updated_ms, record.manifest.size_bytes, record.index, resumed});
    };
    for (const auto& [id, job] : jobs_)
        add(job.record, job.resumed, job.begun);
    for (auto it = finished_.rbegin(); it != finished_.rend(); ++it)
        add(it->record, it->resumed);
    std::ranges::stable_sort(all.list, std::greater{}, &WorkloadReport::updated_ms);
    if (all.list.size() > request.limit) all.list.resize(std::min(request.limit, kReportsMax));
    return all;
}

} // namespace dwcp::manager
