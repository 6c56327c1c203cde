#include "actors/gateway/actor_backend_actor.hpp"

#include "protocols/crypto/hash.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/trace/ring.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <future>
#include <thread>

namespace dwcp::gateway {
namespace {

constexpr Duration kRouteDeadline = std::chrono::seconds(5);
constexpr Duration kFindDeadline = std::chrono::seconds(2);
/// A sequencer that restarts is away this long at most; beyond, the client does better to wait outside.
constexpr Duration kLaneWait = std::chrono::seconds(3);
constexpr Duration kLanePoll = std::chrono::milliseconds(20);
constexpr Duration kQueryDeadline = std::chrono::seconds(5);

/// When to stop waiting: after `limit`, or when the client does.
TimePoint until(Duration limit, TimePoint client) {
    return std::min(client, std::chrono::steady_clock::now() + limit);
}

} // namespace

Result<consensus::LogIndex> committed_index(caf::actor_system& system, const actor::Resolver& resolver) {
    const auto status = actor::call(system, resolver, "consensus/metadata", consensus::QueryLane{},
                                    std::chrono::steady_clock::now() + kFindDeadline);
    if (!status) return std::unexpected(status.error());
    const auto& lane = (*status)->status;
    // A sequencer that has just started, or that stopped for good, may know less than was committed.
    if (!lane.available) return fail(Errc::unavailable, "lane " + lane.lane + ": " + lane.note, "try again");
    return lane.committed;
}

ActorBackend::ActorBackend(BackendOptions options, caf::actor_system& system, actor::Resolver& resolver,
                           links::ControlLinks& links, manager::Metadata& metadata,
                           consensus::Transactions& transactions)
    : options_(std::move(options)), system_(system), resolver_(resolver), links_(links), metadata_(metadata),
      transactions_(transactions) {}

template<class Request>
Result<typename Request::Reply> ActorBackend::ask(const std::string& path, const Request& request,
                                                  Duration limit, TimePoint client) {
    auto reply = actor::call(system_, resolver_, path, request, until(limit, client));
    if (!reply) return std::unexpected(reply.error());
    return **reply;
}

Result<void> ActorBackend::wait_until_able_to_commit(const std::string& lane, TimePoint client) {
    const auto deadline = until(kLaneWait, client);
    for (;;) {
        const auto status = actor::call(system_, resolver_, lane, consensus::QueryLane{}, deadline);
        if (status && (*status)->status.available) return {};
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left <= kLanePoll) {
            const std::string why = status ? (*status)->status.note : status.error().message;
            return fail(Errc::unavailable, "nothing can be committed now: " + why,
                        "try again when `dwcp-shell -c status` shows the lane available");
        }
        std::this_thread::sleep_for(kLanePoll); // an HTTP worker: it has nothing else to do
    }
}

Result<RouteDecision> ActorBackend::route(const RouteRequest& request) {
    // A part, and giving an upload up, are this node's own affair.
    const bool changes =
        request.operation == "put" || request.operation == "delete" || request.operation == "transaction";
    if (changes) {
        const char* lane = request.operation == "transaction" ? "consensus/bulk" : "consensus/metadata";
        if (auto able = wait_until_able_to_commit(lane, request.deadline); !able)
            return std::unexpected(able.error());
    }
    return ask("gateway/0", request, kRouteDeadline, request.deadline);
}

Result<manager::PutBegun> ActorBackend::begin_put(const std::string& manager,
                                                  const manager::BeginPut& request) {
    return ask(manager, request, options_.block_deadline, request.urgency.deadline);
}

Result<manager::BlockAccepted> ActorBackend::put_block(const std::string& manager,
                                                       const manager::PutBlock& request) {
    return ask(manager, request, options_.block_deadline, request.deadline);
}

Result<manager::PutReceipt> ActorBackend::seal_put(const std::string& manager,
                                                   const manager::SealPut& request) {
    return ask(manager, request, options_.seal_deadline, request.deadline);
}

Result<void> ActorBackend::abort_put(const std::string& manager, const manager::AbortPut& request) {
    if (auto done = ask(manager, request, kQueryDeadline); !done) return std::unexpected(done.error());
    return {};
}

Result<void> ActorBackend::begin_part(const std::string& manager, const manager::BeginPart& request) {
    if (auto done = ask(manager, request, options_.block_deadline, request.urgency.deadline); !done)
        return std::unexpected(done.error());
    return {};
}

Result<void> ActorBackend::keep_part(const std::string& manager, const manager::KeepPart& request) {
    if (auto done = ask(manager, request, options_.seal_deadline); !done)
        return std::unexpected(done.error());
    return {};
}

void ActorBackend::end_part(const std::string& manager, const manager::EndPart& request) {
    // Nobody waits for the answer: a manager that misses it frees the idle part's place by itself.
    (void)ask(manager, request, kQueryDeadline);
}

Result<manager::UploadReports> ActorBackend::uploads(const manager::QueryUploads& query) {
    manager::UploadReports all;
    for (std::uint32_t i = 0; i < options_.manager_instances; ++i) {
        auto reports = ask("manager/" + std::to_string(i), query, kQueryDeadline);
        if (!reports) return std::unexpected(reports.error());
        std::ranges::move(reports->list, std::back_inserter(all.list));
    }
    std::ranges::sort(all.list, {}, &manager::UploadReport::created_ms);
    return all;
}

Result<manager::PartsRead> ActorBackend::read_parts(const std::string& manager,
                                                    const manager::ReadParts& request) {
    return ask(manager, request, options_.block_deadline);
}

Result<manager::ObjectDeleted> ActorBackend::erase(const std::string& manager,
                                                   const manager::DeleteObject& request) {
    return ask(manager, request, options_.block_deadline, request.deadline);
}

Result<void> ActorBackend::catch_up(TimePoint client) {
    if (options_.sequencer == options_.self) {
        const auto committed = committed_index(system_, resolver_);
        if (!committed) return std::unexpected(committed.error());
        return wait_until_applied(*committed, client);
    }
    const auto now = std::chrono::steady_clock::now();
    if (auto wanted = health::still_wanted(client, now, "the object was looked up"); !wanted) return wanted;
    const auto promise = std::make_shared<std::promise<Result<Bytes>>>();
    auto answer = promise->get_future();
    links_.request(options_.sequencer, kCommittedService, {}, std::min(kFindDeadline, client - now), {},
                   [promise](Result<Bytes> committed) { promise->set_value(std::move(committed)); });
    const auto committed = answer.get();
    if (!committed) {
        return fail(Errc::unavailable,
                    "this node does not know the object and cannot ask " + options_.sequencer +
                        " whether it was put meanwhile: " + committed.error().message,
                    "try again when `dwcp-shell -c nodes` shows " + options_.sequencer + " up");
    }
    consensus::LogIndex index = 0;
    const auto text = as_text(*committed);
    if (std::from_chars(text.data(), text.data() + text.size(), index).ec != std::errc()) {
        return fail(Errc::internal, options_.sequencer + " told a commit index that is no number");
    }
    return wait_until_applied(index, client);
}

Result<void> ActorBackend::wait_until_applied(consensus::LogIndex index, TimePoint client) {
    if (metadata_.wait_until_applied(index, until(kFindDeadline, client))) return {};
    return fail(Errc::unavailable, "this node is still catching up with the metadata lane", "try again");
}

Result<void> ActorBackend::resolve_index(const std::string& manager, wire::Manifest& manifest,
                                         TimePoint client) {
    for (const auto& ref : manifest.index_blocks) {
        auto raw = read_block(manager, {ref, manifest.replicas, {}, client});
        if (!raw) return std::unexpected(raw.error());
        auto listed = wire::decode_block_list(**raw);
        if (!listed) return std::unexpected(listed.error());
        manifest.blocks.insert(manifest.blocks.end(), listed->begin(), listed->end());
    }
    return {};
}

Result<std::optional<wire::Manifest>> ActorBackend::find(const std::string& manager, const std::string& key,
                                                         TimePoint deadline) {
    auto stored = metadata_.find(key);
    if (!stored) return std::unexpected(stored.error());
    if (!*stored) {
        if (auto current = catch_up(deadline); !current) return std::unexpected(current.error());
        stored = metadata_.find(key);
        if (!stored) return std::unexpected(stored.error());
        if (!*stored) return std::nullopt;
    }
    auto manifest = std::move((*stored)->manifest);
    if (auto resolved = resolve_index(manager, manifest, deadline); !resolved)
        return std::unexpected(resolved.error());
    return manifest;
}

Result<std::optional<Hash256>> ActorBackend::current_version(const std::string& key) {
    if (auto current = catch_up(health::kNoDeadline); !current) return std::unexpected(current.error());
    const auto stored = metadata_.find(key);
    if (!stored) return std::unexpected(stored.error());
    return *stored ? std::optional((*stored)->manifest.sha256) : std::nullopt;
}

Result<SharedBytes> ActorBackend::read_block(const std::string& manager, const manager::FetchBlock& request) {
    if (auto held = blocks_.find(request.ref.hash)) return held;
    auto fetched = ask(manager, request, options_.block_deadline, request.deadline);
    if (!fetched) return std::unexpected(fetched.error());
    blocks_.add(request.ref.hash, fetched->raw);
    return std::move(fetched->raw);
}

Result<manager::Listing> ActorBackend::list(const manager::ListRequest& request) {
    auto page = metadata_.list(request);
    if (!page) return page;
    for (auto& stored : page->objects)
        stored.manifest.blocks.clear();
    return page;
}

Result<consensus::CommandCommitted> ActorBackend::submit_transaction(const std::string& id, Bytes payload,
                                                                     TimePoint deadline) {
    const auto now = std::chrono::steady_clock::now();
    if (auto wanted = health::still_wanted(deadline, now, "the transaction was submitted"); !wanted)
        return std::unexpected(wanted.error());
    const auto limit = std::min(options_.block_deadline, deadline - now);
    const auto hash = crypto::sha256(payload);
    const auto begin = trace::mark();
    auto committed =
        ask("consensus/bulk", consensus::SubmitCommand{{id, std::move(payload)}, limit, id}, limit);
    trace::Recorder(options_.self, "http")
        .record({.workload = id,
                 .name = "commit",
                 .error = committed ? std::string() : committed.error().message,
                 .texts = {{"lane", "bulk"}}},
                begin);
    if (!committed) return committed;
    // The first transaction of an id stays; the lane remembers ids for a while only, the register for ever.
    const auto record = transactions_.find(id);
    if (!record || !*record) return committed;
    if ((*record)->payload_sha256 != hash) {
        return fail(Errc::already_exists,
                    "transaction id '" + id + "' was used for another payload at index " +
                        std::to_string((*record)->index),
                    "choose a new id");
    }
    // What another node proposed is a repetition here, also if it was not applied here yet when it was
    // repeated.
    committed->duplicate =
        committed->duplicate || (*record)->index != committed->index || (*record)->proposer != options_.self;
    committed->index = (*record)->index;
    committed->time_ms = (*record)->time_ms;
    return committed;
}

Result<std::optional<wire::TransactionRecord>> ActorBackend::find_transaction(const std::string& id) {
    return transactions_.find(id);
}

Result<manager::WorkloadReports> ActorBackend::workloads(const manager::QueryWorkloads& query) {
    manager::WorkloadReports all;
    for (std::uint32_t i = 0; i < options_.manager_instances; ++i) {
        auto reports = ask("manager/" + std::to_string(i), query, kQueryDeadline);
        if (!reports) return std::unexpected(reports.error());
        std::ranges::move(reports->list, std::back_inserter(all.list));
    }
    std::ranges::sort(all.list, std::greater{}, &manager::WorkloadReport::updated_ms);
    if (all.list.size() > query.limit) all.list.resize(query.limit);
    return all;
}

Result<compression::CodecsPredicted> ActorBackend::predict(const compression::PredictCodecs& question) {
    return ask("compression/0", question, options_.block_deadline);
}

Result<allocator::PlacementsPlanned> ActorBackend::plan(const allocator::PlanPlacements& question) {
    return ask("allocator/0", question, kQueryDeadline);
}

Result<allocator::RecentDecisions> ActorBackend::decisions(std::size_t limit) {
    return ask("allocator/0", allocator::QueryDecisions{limit}, kQueryDeadline);
}

Result<nlohmann::json> ActorBackend::admin(const AdminCall& call) { return options_.admin(call); }

} // namespace dwcp::gateway
