// Start, recovery from the journal, and which request goes where.
#include "actors/manager/manager_actor.hpp"

#include "actors/consensus/messages.hpp"
#include "actors/manager/instance.hpp"
#include "actors/manager/manager_core_actor.hpp"
#include "runtime/log/log.hpp"

#include <array>
#include <utility>

namespace dwcp::manager {
namespace {

constexpr std::array<const char*, 4> kStateNames{"open", "sealed", "committed", "failed"};
/// Reading the journal again after the disk refused it.
constexpr Duration kRecoverAgainAfter = std::chrono::milliseconds(500);
/// Requests that wait for the journal to be read, which takes milliseconds; each may hold a block.
constexpr std::size_t kHeldBackMax = 256;

} // namespace

const char* name_of(State state) { return kStateNames.at(static_cast<std::size_t>(state)); }

ManagerActor::ManagerActor(caf::actor_config& config, actor::ActorContext context, ManagerOptions options,
                           ManagerServices services)
    : Actor(config, std::move(context)), options_(std::move(options)), services_(services),
      journal_(services.store), admission_(options_.admission), random_(now().time_since_epoch().count()),
      retries_("manager", kAskAgain, random_.next()), steps_(options_.self, path()) {}

caf::behavior ManagerActor::handlers() {
    // There from the start: a series that appears with its first increment has no rate yet.
    for (const auto reason : {RefusalReason::rate, RefusalReason::in_flight, RefusalReason::latency})
        admission_refusals(reason);
    workloads_in(State::open);
    workloads_in(State::sealed);
    not_ready_yet();
    listen_for_withdrawal();
    recover();
    after(kHousekeepingEvery, [this] { housekeeping(); });
    const auto at_once = [this]<class Request>(Handle<Request> handle) {
        return on_later<Request>(
            [this, handle](const Request& r, actor::Ticket t) { (this->*handle)(r, t); });
    };
    const auto once_ready = [this]<class Request>(Handle<Request> handle) {
        return on_later<Request>([this, handle](const Request& r, actor::Ticket t) {
            when_ready(t, [this, handle, r, t] { (this->*handle)(r, t); });
        });
    };
    return {
        once_ready(&ManagerActor::begin),
        once_ready(&ManagerActor::put_block),
        once_ready(&ManagerActor::seal),
        once_ready(&ManagerActor::abort_put),
        once_ready(&ManagerActor::begin_part),
        once_ready(&ManagerActor::keep_part),
        once_ready(&ManagerActor::end_part),
        once_ready(&ManagerActor::query_uploads),
        at_once(&ManagerActor::read_parts),
        at_once(&ManagerActor::erase),
        at_once(&ManagerActor::fetch),
        once_ready(&ManagerActor::query_workloads),
        on<consensus::PeerChanged>(
            [this](const consensus::PeerChanged& change) -> Result<consensus::Subscribed> {
                if (change.peer.up) peer_up(change.peer.name);
                return consensus::Subscribed{};
            }),
    };
}

/// Timers keep an ended actor's memory until they fire, so what is large goes at once.
void ManagerActor::ended() {
    withdrawal_.reset();
    jobs_.clear();
    held_back_.clear();
    finished_index_.clear();
    finished_.clear();
}

void ManagerActor::when_ready(actor::Ticket ticket, std::function<void()> request) {
    if (ready_) {
        request();
    } else if (held_back_.size() < kHeldBackMax) {
        held_back_.push_back(std::move(request));
    } else {
        refuse(ticket, {Errc::resource_exhausted, path() + " is still reading its journal", "try again"});
    }
}

void ManagerActor::recover() {
    const auto mine = [key_of = options_](const std::string& key) {
        return instance_for(key, key_of.instances) == key_of.instance;
    };
    run_on_disk<Recovered>(
        [journal = journal_, mine, &keeper = services_.keeper] { return journal.recover(mine, keeper); },
        [this](Result<Recovered> recovered) {
            if (!recovered) {
                log::error("journal_unreadable", {{"why", recovered.error().render()}}, {.actor = path()});
                after(kRecoverAgainAfter, [this] { recover(); });
                return;
            }
            take_up(std::move(*recovered));
        });
}

void ManagerActor::take_up(Recovered recovered) {
    for (auto& finished : recovered.finished)
        remember({std::move(finished), false});
    for (auto& open : recovered.open) {
        const WorkloadId id = open.manifest.workload;
        Job& job = jobs_[id];
        job.record = std::move(open);
        job.begun = true;
        lease_release(job);
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
    now_ready();
    for (auto& request : std::exchange(held_back_, {}))
        request();
}

void ManagerActor::resume(SealedWorkload sealed) {
    const WorkloadId id = sealed.record.manifest.workload;
    Job& job = jobs_[id];
    job.record = std::move(sealed.record);
    job.all_blocks = std::move(sealed.all_blocks);
    job.begun = true;
    job.resumed = true;
    lease_release(job);
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

Job* ManagerActor::find(const WorkloadId& id) {
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : &found->second;
}

void ManagerActor::write_journal(Job& job, store::Sync sync, std::function<void(Result<void>)> then) {
    job.record.updated_ms = unix_now_ms();
    run_on_disk<void>([journal = journal_, record = job.record, sync] { return journal.write(record, sync); },
                      std::move(then));
}

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
