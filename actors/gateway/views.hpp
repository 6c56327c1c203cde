// How the API shows things in JSON.
#pragma once

#include "actors/gateway/backend.hpp"
#include "runtime/http/message.hpp"

#include <nlohmann/json.hpp>

namespace dwcp::gateway {

/// What a PUT is answered with.
nlohmann::json receipt_json(const manager::PutReceipt& receipt);
/// An object in a listing.
nlohmann::json object_json(const wire::Manifest& manifest);
nlohmann::json workload_json(const manager::WorkloadReport& report);
nlohmann::json transaction_json(const std::string& id, const wire::TransactionRecord& record);

/// The entity tag of an object or a part: its SHA-256 in quotes.
std::string etag_of(const Hash256& sha256);

http::Response json_response(const nlohmann::json& body, int status = 200);

} // namespace dwcp::gateway
