// A node in memory behind the gateway's Backend, for tests of the HTTP API and its clients.
#pragma once

#include "actors/gateway/backend.hpp"
#include "protocols/crypto/hash.hpp"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace dwcp::test {

class FakeBackend : public gateway::Backend {
  public:
    // A test may set these before the server starts; they run before the fake's own behaviour.
    std::function<Result<void>(const manager::PutBlock&)> before_put_block;
    std::function<Result<void>(const BlockRef&)> before_read_block;
    std::function<Result<void>()> before_route;
    std::function<Result<void>()> before_seal;
    std::function<Result<void>()> before_begin;
    std::function<Result<void>()> before_abort;
    std::function<void()> before_refused;
    std::function<Result<nlohmann::json>(const std::string&, const nlohmann::json&)> on_admin;
    nlohmann::json health_report = {{"status", "healthy"}, {"checks", nlohmann::json::array()}};
    Result<void> readiness;
    std::string token = "secret";
    bool blind = false; ///< Cannot tell an object's version before the lane decides.

    // What came, for a test to look at. Hold lock() while requests may be under way.
    std::map<std::string, wire::Manifest> objects;
    std::map<WorkloadId, manager::BeginPut> begun;
    std::map<WorkloadId, std::string> aborted;
    std::map<WorkloadId, manager::PutReceipt> sealed;
    std::map<WorkloadId, std::map<std::uint32_t, wire::UploadPart>> parts;
    std::set<WorkloadId> attempts; ///< Parts that hold a place.
    std::vector<std::pair<std::string, nlohmann::json>> admin_calls;
    std::vector<std::pair<std::string, std::string>> refusals;
    int block_reads = 0;
    std::vector<manager::ListRequest> lists;
    std::size_t damaged = 0; ///< Told of every page.

    std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

    Result<gateway::RouteDecision> route(const gateway::RouteRequest&) override {
        if (before_route)
            if (auto outcome = before_route(); !outcome) return std::unexpected(outcome.error());
        const std::lock_guard guard(mutex_);
        return gateway::RouteDecision{"manager/0", fmt::format("{:032x}", ++ids_)};
    }

    Result<manager::PutBegun> begin_put(const std::string&, const manager::BeginPut& request) override {
        if (before_begin)
            if (auto outcome = before_begin(); !outcome) return std::unexpected(outcome.error());
        const std::lock_guard guard(mutex_);
        begun[request.id] = request;
        return manager::PutBegun{{"site-a", "site-b"}};
    }

    Result<manager::BlockAccepted> put_block(const std::string&, const manager::PutBlock& request) override {
        if (before_put_block)
            if (auto outcome = before_put_block(request); !outcome) return std::unexpected(outcome.error());
        const auto size = static_cast<std::uint32_t>(request.raw->size());
        const BlockRef ref{crypto::sha256(*request.raw), {}, size, size};
        const std::lock_guard guard(mutex_);
        blocks_[ref.hash] = request.raw;
        return manager::BlockAccepted{ref};
    }

    Result<manager::PutReceipt> seal_put(const std::string&, const manager::SealPut& request) override {
        if (before_seal)
            if (auto outcome = before_seal(); !outcome) return std::unexpected(outcome.error());
        const std::lock_guard guard(mutex_);
        auto& wish = begun.at(request.id);
        if (request.condition) wish.condition = *request.condition;
        if (const auto before = sealed.find(request.id); before != sealed.end()) return before->second;
        if (auto allowed = demand(wish.condition, wish.key); !allowed)
            return std::unexpected(allowed.error());
        wire::Manifest manifest;
        manifest.key = wish.key;
        manifest.workload = request.id;
        manifest.size_bytes = request.size_bytes;
        manifest.sha256 = request.sha256;
        manifest.content_type = wish.content_type;
        manifest.created_ms = 1'700'000'000'000;
        manifest.replicas = {"site-a", "site-b"};
        manifest.blocks = request.blocks;
        objects[wish.key] = manifest;
        manager::PutReceipt receipt{manifest, ++index_, request.size_bytes, request.blocks.size(), {}};
        if (!request.blocks.empty()) receipt.blocks_by_codec["none"] = request.blocks.size();
        receipt.manifest.blocks.clear();
        sealed[request.id] = receipt;
        return receipt;
    }

    Result<void> abort_put(const std::string&, const manager::AbortPut& request) override {
        if (before_abort)
            if (auto outcome = before_abort(); !outcome) return outcome;
        const std::lock_guard guard(mutex_);
        aborted[request.id] = request.reason;
        return {};
    }

    Result<void> begin_part(const std::string&, const manager::BeginPart& request) override {
        const std::lock_guard guard(mutex_);
        if (!begun.contains(request.upload)) return fail(Errc::not_found, "no such upload", "");
        attempts.insert(request.attempt);
        return {};
    }
    Result<void> keep_part(const std::string&, const manager::KeepPart& request) override {
        const std::lock_guard guard(mutex_);
        attempts.erase(request.attempt);
        parts[request.upload].insert_or_assign(request.part.number, request.part);
        return {};
    }
    void end_part(const std::string&, const manager::EndPart& request) override {
        const std::lock_guard guard(mutex_);
        attempts.erase(request.attempt);
    }
    Result<manager::UploadReports> uploads(const manager::QueryUploads& query) override {
        const std::lock_guard guard(mutex_);
        manager::UploadReports reports;
        for (const auto& [id, begin] : begun) {
            if (begin.expires_ms == 0 || (!query.id.empty() && query.id != id)) continue;
            const std::string state = aborted.contains(id)  ? "failed"
                                      : sealed.contains(id) ? "committed"
                                                            : "open";
            if (query.id.empty() && state != "open") continue;
            manager::UploadReport report{id, begin.key, begin.content_type, state, 1, begin.expires_ms, {},
                                         {}, 0};
            for (const auto& [number, part] : parts[id])
                report.parts.push_back({number, part.size_bytes, part.sha256, 1});
            reports.list.push_back(std::move(report));
        }
        return reports;
    }
    Result<manager::PartsRead> read_parts(const std::string&, const manager::ReadParts& request) override {
        const std::lock_guard guard(mutex_);
        manager::PartsRead read;
        for (const auto& [number, part] : parts[request.upload])
            read.list.push_back(part);
        return read;
    }
    Result<manager::ObjectDeleted> erase(const std::string&, const manager::DeleteObject& request) override {
        const std::lock_guard guard(mutex_);
        if (auto allowed = demand(request.condition, request.key); !allowed)
            return std::unexpected(allowed.error());
        return manager::ObjectDeleted{objects.erase(request.key) > 0, ++index_};
    }

    Result<std::optional<wire::Manifest>> find(const std::string&, const std::string& key,
                                               TimePoint) override {
        const std::lock_guard guard(mutex_);
        const auto found = objects.find(key);
        return found == objects.end() ? std::nullopt : std::optional(found->second);
    }

    Result<std::optional<Hash256>> current_version(const std::string& key) override {
        const std::lock_guard guard(mutex_);
        if (blind) return fail(Errc::unavailable, "nobody knows", "");
        return version_of(key);
    }

    Result<SharedBytes> read_block(const std::string&, const manager::FetchBlock& request) override {
        if (before_read_block)
            if (auto outcome = before_read_block(request.ref); !outcome)
                return std::unexpected(outcome.error());
        const std::lock_guard guard(mutex_);
        ++block_reads;
        return blocks_.at(request.ref.hash);
    }

    Result<manager::Listing> list(const manager::ListRequest& request) override {
        const std::lock_guard guard(mutex_);
        lists.push_back(request);
        manager::Listing page;
        page.damaged = damaged;
        for (auto at = objects.upper_bound(request.after); at != objects.end(); ++at) {
            if (!at->first.starts_with(request.prefix)) continue;
            if (page.objects.size() == request.limit) {
                page.next = page.objects.back().manifest.key;
                break;
            }
            page.objects.push_back({at->second, 1});
        }
        return page;
    }

    Result<consensus::CommandCommitted> submit_transaction(const std::string& id, Bytes payload,
                                                           TimePoint) override {
        const std::lock_guard guard(mutex_);
        const auto [at, fresh] = transactions_.try_emplace(id);
        if (fresh)
            at->second = {++index_, 1'700'000'000'000, "site-a", payload.size(), crypto::sha256(payload)};
        return consensus::CommandCommitted{at->second.index, at->second.time_ms, !fresh, {}};
    }

    Result<std::optional<wire::TransactionRecord>> find_transaction(const std::string& id) override {
        const std::lock_guard guard(mutex_);
        const auto found = transactions_.find(id);
        return found == transactions_.end() ? std::nullopt : std::optional(found->second);
    }

    Result<manager::WorkloadReports> workloads(const manager::QueryWorkloads& query) override {
        const std::lock_guard guard(mutex_);
        manager::WorkloadReports reports;
        if (!query.state.empty() && query.state != "committed") return reports;
        for (const auto& [key, manifest] : objects)
            if (reports.list.size() < query.limit && (query.id.empty() || manifest.workload == query.id))
                reports.list.push_back(
                    {manifest.workload, key, "committed", "", "manager/0", 1, manifest.size_bytes, 1, false});
        return reports;
    }

    Result<compression::CodecsPredicted> predict(const compression::PredictCodecs& question) override {
        compression::CodecsPredicted predicted;
        for (const auto& forecast : question.forecasts)
            predicted.list.push_back(compression::predict(forecast, 500));
        return predicted;
    }
    Result<allocator::PlacementsPlanned> plan(const allocator::PlanPlacements& question) override {
        const std::vector<allocator::Node> nodes{{"site-a", "east", 1000, 500, true, false},
                                                 {"site-b", "west", 1000, 100, true, false}};
        allocator::PlacementsPlanned planned;
        for (const auto& request : question.requests)
            planned.list.push_back({allocator::place(nodes, request), allocator::explain(nodes, request)});
        return planned;
    }
    Result<allocator::RecentDecisions> decisions(std::size_t limit) override {
        allocator::RecentDecisions recent{{{1, "w2", 7, 1, {"site-a"}, ""}, {0, "w1", 9, 5, {}, "too many"}}};
        if (recent.list.size() > limit) recent.list.resize(limit);
        return recent;
    }

    Result<nlohmann::json> admin(const gateway::AdminCall& call) override {
        const auto& verb = call.verb;
        const auto& args = call.args;
        {
            const std::lock_guard guard(mutex_);
            admin_calls.emplace_back(verb, args);
        }
        return on_admin ? on_admin(verb, args) : nlohmann::json{{"verb", verb}, {"args", args}};
    }

    void refused(const gateway::AdminCall& call, const Error& why) override {
        if (before_refused) before_refused();
        const std::lock_guard guard(mutex_);
        refusals.emplace_back(call.verb, why.message);
        refused_.notify_all();
    }
    /// The refusals, once there are so many.
    std::vector<std::pair<std::string, std::string>> wait_for_refusals(std::size_t count) {
        std::unique_lock guard(mutex_);
        refused_.wait_for(guard, std::chrono::seconds(10), [&] { return refusals.size() >= count; });
        return refusals;
    }

    nlohmann::json health() override { return health_report; }
    Result<void> ready() override { return readiness; }
    bool is_operator_token(std::string_view given) const override { return given == token; }

  private:
    std::optional<Hash256> version_of(const std::string& key) const {
        const auto found = objects.find(key);
        return found == objects.end() ? std::nullopt : std::optional(found->second.sha256);
    }
    Result<void> demand(const wire::Condition& condition, const std::string& key) const {
        if (wire::holds(condition, version_of(key))) return {};
        return fail(Errc::condition_failed, wire::describe_failure(condition, version_of(key)), "look again");
    }

    std::mutex mutex_;
    std::condition_variable refused_;
    std::map<Hash256, SharedBytes> blocks_;
    std::map<std::string, wire::TransactionRecord> transactions_;
    std::uint64_t ids_ = 0;
    std::uint64_t index_ = 0;
};

} // namespace dwcp::test
