// What the HTTP routes need from the node, without CAF: implemented by ActorBackend with requests to the
// actors, and by an in-memory fake in the routes' own tests. Calls block up to the configured deadlines, and
// where they carry a client's deadline not beyond that; thread-safe.
#pragma once

#include "actors/allocator/messages.hpp"
#include "actors/compression/messages.hpp"
#include "actors/consensus/messages.hpp"
#include "actors/gateway/messages.hpp"
#include "actors/manager/listing.hpp"
#include "actors/manager/messages.hpp"
#include "runtime/identity/principal.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::gateway {

/// An operator verb (operator_verbs.hpp) and who calls it.
struct AdminCall {
    std::string verb;
    nlohmann::json args = nlohmann::json::object(); ///< `node` names another node of the cluster.
    identity::Principal by;
    std::string peer; ///< Where the call comes from: a client's address, or another node's name.
};

class Backend {
  public:
    virtual ~Backend() = default;

    virtual Result<RouteDecision> route(const RouteRequest& request) = 0;

    virtual Result<manager::PutBegun> begin_put(const std::string& manager,
                                                const manager::BeginPut& request) = 0;
    virtual Result<manager::BlockAccepted> put_block(const std::string& manager,
                                                     const manager::PutBlock& request) = 0;
    virtual Result<manager::PutReceipt> seal_put(const std::string& manager,
                                                 const manager::SealPut& request) = 0;
    /// Whoever only cleans up need not look at the outcome: a manager that misses it gives an idle workload
    /// up by itself.
    virtual Result<void> abort_put(const std::string& manager, const manager::AbortPut& request) = 0;
    virtual Result<manager::ObjectDeleted> erase(const std::string& manager,
                                                 const manager::DeleteObject& request) = 0;

    virtual Result<void> begin_part(const std::string& manager, const manager::BeginPart& request) = 0;
    virtual Result<void> keep_part(const std::string& manager, const manager::KeepPart& request) = 0;
    virtual void end_part(const std::string& manager, const manager::EndPart& request) = 0;
    virtual Result<manager::UploadReports> uploads(const manager::QueryUploads& query) = 0;
    virtual Result<manager::PartsRead> read_parts(const std::string& manager,
                                                  const manager::ReadParts& request) = 0;

    /// The manifest with its full block list (index blocks resolved); nullopt: no such object.
    virtual Result<std::optional<wire::Manifest>> find(const std::string& manager, const std::string& key,
                                                       TimePoint deadline) = 0;
    /// The content hash that the object has in the cluster now, whichever node put it; nullopt: there is no
    /// such object. Errc::unavailable: that cannot be known here at the moment.
    virtual Result<std::optional<Hash256>> current_version(const std::string& key) = 0;
    virtual Result<SharedBytes> read_block(const std::string& manager,
                                           const manager::FetchBlock& request) = 0;
    /// Without block lists.
    virtual Result<manager::Listing> list(const manager::ListRequest& request) = 0;

    virtual Result<consensus::CommandCommitted> submit_transaction(const std::string& id, Bytes payload,
                                                                   TimePoint deadline) = 0;
    virtual Result<std::optional<wire::TransactionRecord>> find_transaction(const std::string& id) = 0;

    virtual Result<manager::WorkloadReports> workloads(const manager::QueryWorkloads& query) = 0;

    virtual Result<compression::CodecsPredicted> predict(const compression::PredictCodecs& question) = 0;
    virtual Result<allocator::PlacementsPlanned> plan(const allocator::PlanPlacements& question) = 0;
    virtual Result<allocator::RecentDecisions> decisions(std::size_t limit) = 0;

    /// Answers as JSON. Whoever calls this has checked the verb's role; the audit log is written behind it.
    virtual Result<nlohmann::json> admin(const AdminCall& call) = 0;
    /// Somebody was turned away who wanted to change something; for the audit log.
    virtual void refused(const AdminCall& call, const Error& why) = 0;

    /// {"status": "healthy|degraded|unhealthy", "checks": [{"name", "ok", "detail", "seconds"}]} from probes
    /// through mailboxes.
    virtual nlohmann::json health() = 0;
    /// Whether this node takes requests now, and why not.
    virtual Result<void> ready() = 0;
    /// For mutating operator verbs; constant-time comparison with the node's operator token.
    virtual bool is_operator_token(std::string_view token) const = 0;
};

} // namespace dwcp::gateway
