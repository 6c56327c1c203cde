// The Backend of a running node: asks the actors, reads manifests from the store, hands operator verbs to the
// node.
#pragma once

#include "actors/consensus/transactions.hpp"
#include "actors/gateway/backend.hpp"
#include "actors/gateway/shared_blocks.hpp"
#include "actors/manager/metadata.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/links/control/control_links.hpp"

#include <caf/actor_system.hpp>

#include <functional>

namespace dwcp::gateway {

/// The control service that tells the metadata lane's commit index here; see ActorBackend::find().
inline constexpr const char* kCommittedService = "lane/metadata/committed";

/// That index, from this node's lane.
Result<consensus::LogIndex> committed_index(caf::actor_system& system, const actor::Resolver& resolver);

struct BackendOptions {
    NodeName self;
    NodeName sequencer; ///< Of the metadata lane.
    std::uint32_t manager_instances = 1;
    Duration block_deadline = std::chrono::seconds(15);
    /// A put waits this long for its replicas and its commit; the workload goes on beyond.
    Duration seal_deadline = std::chrono::seconds(60);
    std::function<Result<nlohmann::json>(const AdminCall&)> admin;
    std::function<void(const AdminCall&, const Error&)> refused;
    std::function<nlohmann::json()> health;
    std::function<Result<void>()> ready;
    std::function<bool(std::string_view)> is_operator_token;
};

class ActorBackend final : public Backend {
  public:
    ActorBackend(BackendOptions options, caf::actor_system& system, actor::Resolver& resolver,
                 links::ControlLinks& links, manager::Metadata& metadata,
                 consensus::Transactions& transactions);

    /// A request that changes something waits shortly for its lane, then fails with Errc::unavailable before
    /// anything has begun: a node that cannot commit does not take bodies in.
    Result<RouteDecision> route(const RouteRequest& request) override;
    Result<manager::PutBegun> begin_put(const std::string& manager,
                                        const manager::BeginPut& request) override;
    Result<manager::BlockAccepted> put_block(const std::string& manager,
                                             const manager::PutBlock& request) override;
    Result<manager::PutReceipt> seal_put(const std::string& manager,
                                         const manager::SealPut& request) override;
    Result<void> abort_put(const std::string& manager, const manager::AbortPut& request) override;
    Result<void> begin_part(const std::string& manager, const manager::BeginPart& request) override;
    Result<void> keep_part(const std::string& manager, const manager::KeepPart& request) override;
    void end_part(const std::string& manager, const manager::EndPart& request) override;
    Result<manager::UploadReports> uploads(const manager::QueryUploads& query) override;
    Result<manager::PartsRead> read_parts(const std::string& manager,
                                          const manager::ReadParts& request) override;
    Result<manager::ObjectDeleted> erase(const std::string& manager,
                                         const manager::DeleteObject& request) override;
    /// For a key that this node does not know, it first catches up with what the lane's sequencer has
    /// committed: an object can be read anywhere as soon as its put was acknowledged anywhere.
    /// Errc::unavailable if the sequencer cannot be asked: not knowing is not "there is none". A key that is
    /// known is answered as known here, which may be an instant behind a replacement elsewhere.
    Result<std::optional<wire::Manifest>> find(const std::string& manager, const std::string& key,
                                               TimePoint deadline) override;
    Result<std::optional<Hash256>> current_version(const std::string& key) override;
    Result<SharedBytes> read_block(const std::string& manager, const manager::FetchBlock& request) override;
    Result<manager::Listing> list(const manager::ListRequest& request) override;
    Result<consensus::CommandCommitted> submit_transaction(const std::string& id, Bytes payload,
                                                           TimePoint deadline) override;
    Result<std::optional<wire::TransactionRecord>> find_transaction(const std::string& id) override;
    Result<manager::WorkloadReports> workloads(const manager::QueryWorkloads& query) override;
    Result<compression::CodecsPredicted> predict(const compression::PredictCodecs& question) override;
    Result<allocator::PlacementsPlanned> plan(const allocator::PlanPlacements& question) override;
    Result<allocator::RecentDecisions> decisions(std::size_t limit) override;
    Result<nlohmann::json> admin(const AdminCall& call) override;
    void refused(const AdminCall& call, const Error& why) override { options_.refused(call, why); }
    nlohmann::json health() override { return options_.health(); }
    Result<void> ready() override { return options_.ready(); }
    bool is_operator_token(std::string_view token) const override {
        return options_.is_operator_token(token);
    }

  private:
    /// Waits `limit` at most, and not longer than the client.
    template<class Request>
    Result<typename Request::Reply> ask(const std::string& path, const Request& request, Duration limit,
                                        TimePoint client = health::kNoDeadline);
    Result<void> wait_until_able_to_commit(const std::string& lane, TimePoint client);
    Result<void> catch_up(TimePoint client);
    Result<void> wait_until_applied(consensus::LogIndex index, TimePoint client);
    Result<void> resolve_index(const std::string& manager, wire::Manifest& manifest, TimePoint client);

    const BackendOptions options_;
    caf::actor_system& system_;
    actor::Resolver& resolver_;
    links::ControlLinks& links_;
    manager::Metadata& metadata_;
    consensus::Transactions& transactions_;
    SharedBlocks blocks_;
};

} // namespace dwcp::gateway
