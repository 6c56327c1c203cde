#include "actors/gateway/actor_backend_actor.hpp"

#include "runtime/caf/call.hpp"

#include <algorithm>
#include <chrono>
#include <future>

namespace dwcp::gateway {
namespace {

constexpr Duration kRouteDeadline = std::chrono::seconds(5);
constexpr Duration kFindDeadline = std::chrono::seconds(2);
constexpr Duration kQueryDeadline = std::chrono::seconds(5);
constexpr std::size_t kReportsMax = 1000;

} // namespace

ActorBackend::ActorBackend(BackendOptions options, caf::actor_system& system, actor::Resolver& resolver,
                           links::ControlLinks& links, manager::Metadata& metadata,
                           consensus::Transactions& transactions)
    : options_(std::move(options)), system_(system), resolver_(resolver), links_(links), metadata_(metadata),
      transactions_(transactions) {}

template<class Request>
Result<typename Request::Reply> ActorBackend::ask(const std::string& path, const Request& request,
                                                  Duration deadline) {
    auto reply = actor::call(system_, resolver_, path, request, std::chrono::steady_clock::now() + deadline);
    if (!reply) return std::unexpected(reply.error());
    return **reply;
}

Result<RouteDecision> ActorBackend::route(const RouteRequest& request) {
    return ask("gateway/0", request, kRouteDeadline);
}

Result<manager::PutBegun> ActorBackend::begin_put(const std::string& manager,
                                                  const manager::BeginPut& request) {
    return ask(manager, request, options_.block_deadline);
}

Result<manager::BlockAccepted> ActorBackend::put_block(const std::string& manager,
                                                       const manager::PutBlock& request) {
    return ask(manager, request, options_.block_deadline);
}

Result<manager::PutReceipt> ActorBackend::seal_put(const std::string& manager,
                                                   const manager::SealPut& request) {
    return ask(manager, request, options_.seal_deadline);
}

void ActorBackend::abort_put(const std::string& manager, const manager::AbortPut& request) {
    // Nobody waits for the answer: a manager that misses it gives the idle workload up by itself.
    (void)ask(manager, request, kQueryDeadline);
}

Result<manager::ObjectDeleted> ActorBackend::erase(const std::string& manager,
                                                   const manager::DeleteObject& request) {
    return ask(manager, request, options_.block_deadline);
}

Result<std::optional<manager::StoredManifest>> ActorBackend::find_at_sequencer(const std::string& key) {
    if (options_.sequencer == options_.self) return std::nullopt;
    const auto promise = std::make_shared<std::promise<Result<Bytes>>>();
    auto answer = promise->get_future();
    links_.request(options_.sequencer, kFindService, to_bytes(key), kFindDeadline, {},
                   [promise](Result<Bytes> found) { promise->set_value(std::move(found)); });
    const auto found = answer.get();
    if (!found) return std::unexpected(found.error());
    if (found->empty()) return std::nullopt;
    auto stored = manager::Metadata::decode_stored(*found);
    if (!stored) return std::unexpected(stored.error());
    return std::move(*stored);
}

Result<void> ActorBackend::resolve_index(const std::string& manager, wire::Manifest& manifest) {
    for (const auto& ref : manifest.index_blocks) {
        auto raw = read_block(manager, {ref, manifest.replicas, manifest.workload});
        if (!raw) return std::unexpected(raw.error());
        auto listed = wire::decode_block_list(**raw);
        if (!listed) return std::unexpected(listed.error());
        manifest.blocks.insert(manifest.blocks.end(), listed->begin(), listed->end());
    }
    return {};
}

Result<std::optional<wire::Manifest>> ActorBackend::find(const std::string& manager, const std::string& key) {
    auto stored = metadata_.find(key);
    if (!stored) return std::unexpected(stored.error());
    if (!*stored) {
        auto remote = find_at_sequencer(key);
        // With the sequencer away nothing new commits, so what this node knows is all there is, but for the
        // last instants.
        if (!remote || !*remote) return std::nullopt;
        stored = std::move(remote);
    }
    auto manifest = std::move((*stored)->manifest);
    if (auto resolved = resolve_index(manager, manifest); !resolved) return std::unexpected(resolved.error());
    return manifest;
}

Result<SharedBytes> ActorBackend::read_block(const std::string& manager, const manager::FetchBlock& request) {
    auto fetched = ask(manager, request, options_.block_deadline);
    if (!fetched) return std::unexpected(fetched.error());
    return std::move(fetched->raw);
}

Result<ObjectPage> ActorBackend::list(const std::string& prefix, const std::string& cursor,
                                      std::size_t limit) {
    auto found = metadata_.list(prefix, cursor, limit + 1);
    if (!found) return std::unexpected(found.error());
    ObjectPage page;
    for (auto& stored : *found) {
        if (page.objects.size() == limit) {
            page.next_cursor = page.objects.back().key;
            break;
        }
        stored.manifest.blocks.clear();
        page.objects.push_back(std::move(stored.manifest));
    }
    return page;
}

Result<consensus::CommandCommitted> ActorBackend::submit_transaction(const std::string& id, Bytes payload) {
    return ask("consensus/bulk",
               consensus::SubmitCommand{{id, std::move(payload)}, options_.block_deadline, id},
               options_.block_deadline);
}

Result<std::optional<wire::TransactionRecord>> ActorBackend::find_transaction(const std::string& id) {
    return transactions_.find(id);
}

Result<manager::WorkloadReports> ActorBackend::workloads(const WorkloadId& id) {
    manager::WorkloadReports all;
    for (std::uint32_t i = 0; i < options_.manager_instances; ++i) {
        auto reports = ask("manager/" + std::to_string(i), manager::QueryWorkloads{id}, kQueryDeadline);
        if (!reports) return std::unexpected(reports.error());
        std::ranges::move(reports->list, std::back_inserter(all.list));
    }
    std::ranges::sort(all.list, std::greater{}, &manager::WorkloadReport::updated_ms);
    if (all.list.size() > kReportsMax) all.list.resize(kReportsMax);
    return all;
}

Result<nlohmann::json> ActorBackend::admin(const std::string& verb, const nlohmann::json& args) {
    return options_.admin(verb, args);
}

} // namespace dwcp::gateway
