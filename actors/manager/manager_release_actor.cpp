// Which release of the manager ships a workload: "one-stream-1" sends every block to a peer over one TCP
// stream, the canary "multi-stream-1" over as many as the stream controller finds best. Withdrawal of the
// canary, and what is counted of both.
#include "actors/manager/manager_core_actor.hpp"
#include "runtime/log/log.hpp"

#include <stdexcept>
#include <utility>

namespace dwcp::manager {
namespace {

/// Errors that are not the client's doing, nor a refusal that tells it to come later.
bool is_ours(Errc code) {
    return code == Errc::unavailable || code == Errc::io_error || code == Errc::internal ||
           code == Errc::corrupted || code == Errc::deadline_exceeded;
}

} // namespace

release::ReleaseNames release_names() {
    return {"manager", "one-stream-1", "multi-stream-1",
            "microseconds in which a workload had blocks on their way to replicas"};
}

void ManagerActor::listen_for_withdrawal() {
    if (services_.releases == nullptr) return;
    withdrawal_ =
        services_.releases->on_withdrawn([this, post = poster()] { post([this] { canary_withdrawn(); }); });
}

void ManagerActor::lease_release(Job& job) {
    if (services_.releases != nullptr) job.lease = services_.releases->route(job.record.manifest.key);
}

links::Pool ManagerActor::pool_of(const Job& job) const {
    const bool one = services_.releases != nullptr && job.lease.release() == release::Release::stable;
    return one ? links::Pool::one_stream : links::Pool::multi_stream;
}

links::Pool ManagerActor::pool_for_reading() const {
    const bool one = services_.releases != nullptr && services_.releases->canary_percent() < 100;
    return one ? links::Pool::one_stream : links::Pool::multi_stream;
}

bool ManagerActor::struck(const WorkloadId& id, Job& job) {
    if (services_.canary_faults == nullptr || job.lease.release() != release::Release::canary) return false;
    const auto strike = services_.canary_faults->strike("manager");
    if (strike.crash) {
        job.lease.failed();
        throw std::runtime_error("injected fault: the canary release crashes");
    }
    job.delay = strike.latency;
    if (!strike.error) return false;
    job.lease.failed();
    refuse_begin(id, {Errc::unavailable, "injected fault: the canary release fails", "send it again"});
    return true;
}

void ManagerActor::canary_withdrawn() {
    std::vector<WorkloadId> revoked;
    for (const auto& [id, job] : jobs_) {
        if (job.lease.revoked()) revoked.push_back(id);
    }
    for (const auto& id : revoked)
        move_to_stable(id);
    if (!revoked.empty()) log::info("canary_withdrawn", {{"workloads", revoked.size()}}, {.actor = path()});
}

void ManagerActor::move_to_stable(const WorkloadId& id) {
    Job* job = find(id);
    if (job == nullptr) return;
    // What the canary still carries may arrive or not; the seal's confirmation names what did not.
    ++job->route;
    *std::exchange(job->abandoned, std::make_shared<std::atomic<bool>>(false)) = true;
    job->on_the_wire = 0;
    job->ships_in_flight = 0;
    job->lease.move_to_stable();
    for (auto& answer : std::exchange(job->ship_waiters, {}))
        answer();
    feed(id, [&](Workload& machine) { return machine.ask_again(now()); });
}

Job* ManagerActor::find_on(const WorkloadId& id, std::uint64_t route) {
    Job* job = find(id);
    return job != nullptr && job->route == route ? job : nullptr;
}

void ManagerActor::left(Job& job) {
    if (job.on_the_wire++ == 0) job.wire_since = now();
}

void ManagerActor::arrived(Job& job) {
    if (job.on_the_wire > 0 && --job.on_the_wire == 0) job.wire += now() - job.wire_since;
}

void ManagerActor::count_finished(Job& job) {
    if (job.resumed) return; // its clock stood still while nobody ran
    const auto wire_us = std::chrono::duration_cast<std::chrono::microseconds>(job.wire).count();
    job.lease.finished(now() - job.seal_asked_at, job.record.manifest.size_bytes,
                       static_cast<std::uint64_t>(wire_us));
}

void ManagerActor::count_failed(Job& job, Errc code) {
    if (job.blamed || is_ours(code)) job.lease.failed();
}

void ManagerActor::blame(const WorkloadId& id, const Error& error) {
    if (Job* job = find(id); job != nullptr && is_ours(error.code)) job->blamed = true;
}

std::string ManagerActor::releases_of(const Job& job) const {
    if (services_.releases == nullptr) return {};
    return "manager=" + std::string(release::to_string(job.served_by)) +
           ", selector=" + std::string(release::to_string(job.selected_by));
}

} // namespace dwcp::manager
