// Taking a workload in: admission, placement, the first journal record, and its blocks.
#include "actors/allocator/messages.hpp"
#include "actors/compression/messages.hpp"
#include "actors/manager/instance.hpp"
#include "actors/manager/manager_core_actor.hpp"
#include "protocols/wire/limits.hpp"
#include "runtime/log/log.hpp"

#include <utility>

namespace dwcp::manager {
namespace {

/// Blocks of one workload on their way to replicas; above it the client waits. 32 MiB keep 8 streams busy at
/// 100 ms.
constexpr std::size_t kShipsInFlightMax = 32;

} // namespace

void ManagerActor::begin(const BeginPut& request, actor::Ticket ticket) {
    if (Job* job = find(request.id)) { // asked twice
        if (job->begun)
            settle<PutBegun>(ticket, PutBegun{job->record.placement});
        else
            job->starting.push_back(ticket);
        return;
    }
    if (const auto done = finished_index_.find(request.id); done != finished_index_.end()) {
        refuse(ticket,
               {Errc::already_exists, "workload " + request.id + " has ended already", "begin a new one"});
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
    if (!admit(ticket, request.urgency)) return;
    Job& job = open_job(request);
    job.starting.push_back(ticket);
    if (!struck(request.id, job)) find_places(request);
}

Result<void> ManagerActor::check_request(const BeginPut& request) const {
    if (auto key = wire::check_key(request.key); !key) return key;
    if (request.id.empty() || request.id.size() > wire::kWorkloadIdBytesMax ||
        request.content_type.size() > wire::kContentTypeBytesMax) {
        return fail(Errc::invalid_argument, "the workload's id or content type is impossible",
                    "an id has 1 to 64 characters, a content type at most 255");
    }
    return check_size(request.size_bytes.value_or(0));
}

Result<void> ManagerActor::check_size(std::uint64_t size_bytes) const {
    if (size_bytes <= options_.object_bytes_max) return {};
    return fail(Errc::too_large,
                "the object is larger than manager.object_bytes_max = " +
                    std::to_string(options_.object_bytes_max) + " bytes",
                "split it");
}

bool ManagerActor::wanted(actor::Ticket ticket, TimePoint deadline, const char* what) {
    const auto wanted = health::still_wanted(deadline, now(), what);
    if (!wanted) refuse(ticket, wanted.error());
    return wanted.has_value();
}

bool ManagerActor::admit(actor::Ticket ticket, const health::Urgency& urgency) {
    if (!wanted(ticket, urgency.deadline, "the workload was admitted")) return false;
    if (options_.admission_now) admission_.change_limits(options_.admission_now(), now());
    auto admitted = admission_.admit(now(), urgency.priority);
    if (admitted) return true;
    admission_refusals(admitted.error().reason).add();
    refuse(ticket, admitted.error().error);
    return false;
}

Job& ManagerActor::open_job(const BeginPut& request) {
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
    lease_release(job);
    return job;
}

void ManagerActor::find_places(const BeginPut& request) {
    const std::uint32_t replicas = request.replicas ? request.replicas : options_.replicas_default;
    ask_until_answered<allocator::PlaceReplicas>(
        "allocator/0", {request.id, request.size_bytes.value_or(0), replicas, {}},
        std::min(request.urgency.deadline, now() + kAskDeadline),
        [this, id = request.id, begin = trace::mark()](const allocator::ReplicasPlaced& placed) {
            steps_.allocated(id, begin);
            journal_open(id, placed);
        },
        [this, id = request.id, begin = trace::mark()](const Error& error) {
            steps_.allocated(id, begin, error.message);
            refuse_begin(id, error);
        });
}

void ManagerActor::journal_open(const WorkloadId& id, const allocator::ReplicasPlaced& placed) {
    Job* job = find(id);
    if (!job) return; // aborted meanwhile
    job->record.manifest.replicas = placed.nodes;
    job->record.placement = placed.nodes;
    // The id of a multi-part upload is a promise: it outlives a crash.
    const auto sync = job->record.is_multipart() ? store::Sync::yes : store::Sync::no;
    write_journal(*job, sync, [this, id, begin = trace::mark()](Result<void> written) {
        steps_.journaled(id, begin, problem_of(written));
        if (written)
            begun(id);
        else
            refuse_begin(id, written.error());
    });
}

void ManagerActor::begun(const WorkloadId& id) {
    Job* job = find(id);
    if (!job) return;
    probe_.accepted.add();
    steps_.admitted(id, job->admission);
    job->begun = true;
    if (job->record.is_multipart()) free_place(*job); // between its parts it holds nothing up
    log::debug("workload_accepted", {{"key", job->record.manifest.key}}, {.actor = path(), .trace = id});
    for (const auto ticket : std::exchange(job->starting, {}))
        settle<PutBegun>(ticket, PutBegun{job->record.placement});
}

void ManagerActor::refuse_begin(const WorkloadId& id, const Error& error) {
    auto node = jobs_.extract(id);
    if (node.empty()) return;
    services_.uploads.remove(id);
    free_place(node.mapped());
    count_failed(node.mapped(), error.code);
    steps_.admitted(id, node.mapped().admission, error.message);
    for (const auto ticket : node.mapped().starting)
        refuse(ticket, error);
}

void ManagerActor::free_place(Job& job) {
    if (std::exchange(job.admitted, false)) admission_.release();
    for (std::size_t i = 0; i < job.attempts.size(); ++i)
        admission_.release();
    job.attempts.clear();
}

void ManagerActor::put_block(const PutBlock& request, actor::Ticket ticket) {
    Job* job = find(request.id);
    if (!job || !job->takes_blocks()) {
        refuse(ticket, {Errc::precondition_failed, "workload " + request.id + " takes no blocks now",
                        "begin a new one"});
        return;
    }
    if (!wanted(ticket, request.deadline, "the block was encoded")) return;
    job->last_activity = now();
    const auto upload = services_.uploads.find(request.id);
    const auto instance = instance_for(request.id, options_.compression_instances);
    ask_until_answered<compression::EncodeBlock>(
        "compression/" + std::to_string(instance),
        {request.id, request.raw, upload ? upload->codec : std::nullopt, job->record.manifest.key},
        std::min(request.deadline, now() + kAskDeadline),
        [this, ticket, id = request.id, index = request.index,
         begin = trace::mark()](const compression::BlockEncoded& encoded) {
            steps_.encoded(id, index, encoded.block, encoded.reason, begin);
            if (Job* of = find(id)) of->selected_by = encoded.release;
            store_block(id, encoded.block, ticket);
        },
        [this, ticket, id = request.id](const Error& error) {
            blame(id, error);
            refuse(ticket, error);
        });
}

void ManagerActor::store_block(const WorkloadId& id, const EncodedBlock& block, actor::Ticket ticket) {
    run_on_disk<void>([&keeper = services_.keeper, block, id] { return keeper.take_in(block, id); },
                      [this, block, id, ticket, begin = trace::mark()](Result<void> stored) {
                          steps_.kept(id, block.bytes->size(), begin, problem_of(stored));
                          if (stored) return block_stored(id, block, ticket);
                          blame(id, stored.error());
                          refuse(ticket, stored.error());
                      });
}

void ManagerActor::block_stored(const WorkloadId& id, const EncodedBlock& block, actor::Ticket ticket) {
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

void ManagerActor::ship_early(Job& job, const EncodedBlock& block) {
    const WorkloadId id = job.record.manifest.workload;
    for (const auto& peer : job.record.placement) {
        if (peer == options_.self || job.ship_later.contains(peer)) continue;
        ++job.ships_in_flight;
        left(job);
        services_.data.send_block(
            peer, block, id, now() + options_.data_deadline,
            [this, id, route = job.route, peer, bytes = block.bytes->size(), begin = trace::mark(),
             post = poster()](Result<void> sent) {
                post([=, this] { ship_ended(id, route, peer, bytes, sent, begin); });
            },
            pool_of(job));
    }
}

void ManagerActor::ship_ended(const WorkloadId& id, std::uint64_t route, const NodeName& peer,
                              std::uint64_t bytes, const Result<void>& sent, const trace::Mark& begin) {
    steps_.shipped(id, peer, 1, bytes, begin, problem_of(sent));
    Job* job = find_on(id, route);
    if (!job) return;
    --job->ships_in_flight;
    arrived(*job);
    const bool away = !sent && sent.error().code != Errc::resource_exhausted;
    // Else each block for a replica that is away would hold the client up until its deadline.
    if (away) job->ship_later.insert(peer);
    while (job->ships_in_flight <= kShipsInFlightMax && !job->ship_waiters.empty()) {
        auto answer = std::move(job->ship_waiters.front());
        job->ship_waiters.pop_front();
        answer();
    }
}

} // namespace dwcp::manager
