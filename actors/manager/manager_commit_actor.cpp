// From the seal to the receipt: the journal's record of all blocks, then what the workload's machine asks
// for.
#include "actors/allocator/messages.hpp"
#include "actors/consensus/messages.hpp"
#include "actors/manager/manager_core_actor.hpp"
#include "actors/manager/ship_blocks.hpp"
#include "protocols/wire/limits.hpp"
#include "runtime/log/log.hpp"

#include <utility>
#include <variant>

namespace dwcp::manager {

void ManagerActor::seal(const SealPut& request, actor::Ticket ticket) {
    if (const auto done = finished_index_.find(request.id); done != finished_index_.end()) {
        answer_finished(*done->second, ticket);
        return;
    }
    Job* job = find(request.id);
    if (!job) {
        refuse(ticket,
               {Errc::precondition_failed, "workload " + request.id + " is not known", "begin a new one"});
        return;
    }
    if (!job->begun) {
        refuse(ticket, {Errc::precondition_failed, "workload " + request.id + " has not begun",
                        "wait for the answer to the begin"});
        return;
    }
    job->waiting.push_back(ticket);
    if (!job->takes_blocks()) return;
    if (auto wanted = health::still_wanted(request.deadline, now(), "the workload was sealed"); !wanted) {
        job->waiting.pop_back();
        // The parts of a multi-part upload stay: its client may complete it yet.
        if (!job->record.is_multipart()) give_up(request.id, wanted.error());
        return refuse(ticket, wanted.error());
    }
    if (auto whole = check_whole(request); !whole)
        give_up(request.id, whole.error());
    else
        journal_seal(*job, request);
}

Result<void> ManagerActor::check_whole(const SealPut& request) const {
    if (auto size = check_size(request.size_bytes); !size) return size;
    std::uint64_t total = 0;
    for (const auto& ref : request.blocks)
        total += ref.raw_bytes;
    if (total == request.size_bytes) return {};
    return fail(Errc::invalid_argument, "its blocks hold " + std::to_string(total) + " bytes, not " +
                                            std::to_string(request.size_bytes));
}

void ManagerActor::journal_seal(Job& job, const SealPut& request) {
    job.sealing = true;
    job.sealing_since = trace::mark();
    job.seal_asked_at = now();
    if (!job.admitted) { // the last step of an upload whose parts were all admitted
        admission_.resume(1);
        job.admitted = true;
    }
    if (job.delay == Duration::zero()) return write_seal(request.id, request);
    after(job.delay, [this, request] { write_seal(request.id, request); });
}

void ManagerActor::write_seal(const WorkloadId& id, const SealPut& request) {
    const Job* job = find(id);
    if (!job) return;
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
        [this, id](Result<SealedWorkload> sealed) { seal_ended(id, std::move(sealed)); });
}

void ManagerActor::seal_ended(const WorkloadId& id, Result<SealedWorkload> sealed) {
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

void ManagerActor::start_machine(Job& job, std::uint64_t committed_at) {
    const WorkloadId id = job.record.manifest.workload; // the job may end meanwhile
    job.sealed_at = now();
    job.counted.seal();
    job.machine.emplace(options_.self, job.record.placement, options_.timing, random_.next());
    if (committed_at != 0)
        finish(id, committed_at);
    else
        perform(id, job.machine->start(now()));
}

void ManagerActor::perform(const WorkloadId& id, const Actions& actions) {
    for (const auto& action : actions) {
        if (!find(id)) return;
        std::visit([&](const auto& what) { perform_one(id, what); }, action);
    }
}

void ManagerActor::perform_one(const WorkloadId& id, const ConfirmReplica& action) {
    confirm_from(id, action.peer, 0);
}

void ManagerActor::confirm_from(const WorkloadId& id, const NodeName& peer, std::size_t first) {
    const auto& all = find(id)->all_blocks;
    const auto last = std::min(all.size(), first + wire::kSyncHashesMax);
    std::vector<Hash256> slice(all.begin() + static_cast<std::ptrdiff_t>(first),
                               all.begin() + static_cast<std::ptrdiff_t>(last));
    if (slice.empty()) { // an empty object has nothing to confirm
        feed(id, [&](Workload& machine) { return machine.confirmed(peer, {}, now()); });
        return;
    }
    services_.data.sync(
        peer, std::move(slice), id, now() + options_.data_deadline,
        [this, id, route = find(id)->route, peer, last, begin = trace::mark(),
         post = poster()](Result<std::vector<Hash256>> missing) {
            post([this, id, route, peer, last, begin, missing = std::move(missing)] {
                steps_.confirmed(id, peer, missing ? missing->size() : 0, begin, problem_of(missing));
                confirmation(id, route, peer, last, missing);
            });
        },
        pool_of(*find(id)));
}

void ManagerActor::confirmation(const WorkloadId& id, std::uint64_t route, const NodeName& peer,
                                std::size_t next, const Result<std::vector<Hash256>>& missing) {
    Job* job = find_on(id, route);
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

void ManagerActor::perform_one(const WorkloadId& id, const ShipBlocks& action) {
    Job& job = *find(id);
    left(job);
    ship_blocks({action.peer, id, action.hashes, options_.data_deadline, pool_of(job), job.abandoned},
                services_.keeper, services_.data, services_.disk,
                [this, id, route = job.route, peer = action.peer, blocks = action.hashes.size(),
                 begin = trace::mark(), post = poster()](Result<void> shipped) {
                    post([=, this] {
                        steps_.shipped(id, peer, blocks, 0, begin, problem_of(shipped));
                        shipment(id, route, peer, shipped);
                    });
                });
}

void ManagerActor::shipment(const WorkloadId& id, std::uint64_t route, const NodeName& peer,
                            const Result<void>& shipped) {
    Job* job = find_on(id, route);
    if (!job) return;
    arrived(*job);
    if (!shipped) {
        log::debug("ship_failed", {{"peer", peer}, {"why", shipped.error().message}},
                   {.actor = path(), .trace = id});
    }
    feed(id, [&](Workload& machine) {
        return shipped ? machine.shipped(peer, now()) : machine.peer_failed(peer, now());
    });
}

void ManagerActor::perform_one(const WorkloadId& id, const Reroute& action) {
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

void ManagerActor::perform_one(const WorkloadId& id, const JournalPlacement&) {
    Job& job = *find(id);
    job.record.placement = job.machine->placement();
    job.record.manifest.replicas = job.record.placement;
    // Losing this write only means that a restart tries the earlier placement first.
    write_journal(job, store::Sync::no, [](Result<void>) {});
}

void ManagerActor::perform_one(const WorkloadId& id, const CommitManifest&) {
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
            commit_refused(id, error);
        });
}

void ManagerActor::commit_refused(const WorkloadId& id, const Error& error) {
    log::debug("commit_failed", {{"why", error.message}}, {.actor = path(), .trace = id});
    if (error.code == Errc::invalid_argument || error.code == Errc::too_large) {
        give_up(id, {error.code, "the metadata lane refused its manifest: " + error.message, {}});
        return;
    }
    feed(id, [&](Workload& machine) { return machine.commit_failed(now()); });
}

void ManagerActor::perform_one(const WorkloadId& id, const WakeAt& action) {
    after(std::max(Duration::zero(), action.when - now()),
          [this, id] { feed(id, [&](Workload& machine) { return machine.tick(now()); }); });
}

Result<Metadata::Verdict> ManagerActor::check_outcome(ByteView answer) {
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

void ManagerActor::peer_up(const NodeName& peer) {
    std::vector<WorkloadId> ids;
    for (auto& [id, job] : jobs_) {
        job.ship_later.erase(peer);
        if (job.machine) ids.push_back(id);
    }
    for (const auto& id : ids)
        feed(id, [&](Workload& machine) { return machine.peer_up(peer, now()); });
}

} // namespace dwcp::manager
