// Parts of a multi-part upload: each is on disk before it is acknowledged, and the upload goes on when its
// client likes.
#include "actors/manager/manager_core_actor.hpp"

#include <utility>

namespace dwcp::manager {

PartReport ManagerActor::report_of(const wire::UploadPart& part) {
    return {part.number, part.size_bytes, part.sha256, part.updated_ms};
}

std::size_t ManagerActor::open_multipart() const {
    return static_cast<std::size_t>(std::ranges::count_if(jobs_, [](const auto& entry) {
        const auto& record = entry.second.record;
        return record.is_multipart() && record.state == State::open;
    }));
}

Job* ManagerActor::find_upload(const WorkloadId& upload, actor::Ticket ticket) {
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

void ManagerActor::begin_part(const BeginPart& request, actor::Ticket ticket) {
    Job* job = find_upload(request.upload, ticket);
    if (!job) return;
    if (auto size = check_size(request.size_bytes); !size) return refuse(ticket, size.error());
    if (!job->attempts.contains(request.attempt)) {
        if (!admit(ticket, request.urgency)) return;
        job->attempts.insert(request.attempt);
    }
    job->last_activity = now();
    settle<Acknowledged>(ticket, Acknowledged{});
}

void ManagerActor::keep_part(const KeepPart& request, actor::Ticket ticket) {
    Job* job = find_upload(request.upload, ticket);
    if (!job) return;
    const auto before = job->parts.find(request.part.number);
    const std::uint64_t replaced = before == job->parts.end() ? 0 : before->second.size_bytes;
    if (auto size = check_size(job->parts_bytes() - replaced + request.part.size_bytes); !size)
        return refuse(ticket, size.error());
    auto part = request.part;
    part.updated_ms = unix_now_ms();
    run_on_disk_for_sure<void>([parts = UploadParts(services_.store), &keeper = services_.keeper,
                                upload = request.upload, part] { return parts.keep(upload, part, keeper); },
                               [this, upload = request.upload, attempt = request.attempt, part, ticket](
                                   Result<void> kept) { part_kept(upload, attempt, part, kept, ticket); });
}

void ManagerActor::part_kept(const WorkloadId& upload, const WorkloadId& attempt,
                             const wire::UploadPart& part, const Result<void>& kept, actor::Ticket ticket) {
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

void ManagerActor::end_part(const EndPart& request, actor::Ticket ticket) {
    end_attempt(request.upload, request.attempt);
    settle<Acknowledged>(ticket, Acknowledged{});
}

void ManagerActor::end_attempt(const WorkloadId& upload, const WorkloadId& attempt) {
    Job* job = find(upload);
    if (job && job->attempts.erase(attempt) != 0) admission_.release();
}

void ManagerActor::forget_parts(const WorkloadId& upload) {
    run_on_disk_for_sure<void>(
        [parts = UploadParts(services_.store), upload] { return parts.forget(upload); }, [](Result<void>) {});
}

void ManagerActor::read_parts(const ReadParts& request, actor::Ticket ticket) {
    run_on_disk<std::vector<wire::UploadPart>>(
        [parts = UploadParts(services_.store), upload = request.upload] { return parts.of(upload); },
        [this, ticket](Result<std::vector<wire::UploadPart>> read) {
            if (read)
                settle<PartsRead>(ticket, PartsRead{std::move(*read)});
            else
                refuse(ticket, read.error());
        });
}

void ManagerActor::query_uploads(const QueryUploads& request, actor::Ticket ticket) {
    settle<UploadReports>(ticket, upload_reports(request));
}

UploadReports ManagerActor::upload_reports(const QueryUploads& request) const {
    UploadReports all;
    const auto add = [&](const wire::JournalRecord& record) -> UploadReport& {
        all.list.push_back({record.manifest.workload,
                            record.manifest.key,
                            record.manifest.content_type,
                            name_of(record.state),
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

} // namespace dwcp::manager
