#include "actors/gateway/views.hpp"

namespace dwcp::gateway {

nlohmann::json receipt_json(const manager::PutReceipt& receipt) {
    nlohmann::json body = object_json(receipt.manifest);
    body["id"] = receipt.manifest.workload;
    body["blocks"] = receipt.blocks;
    body["stored_bytes"] = receipt.stored_bytes;
    body["codecs"] = receipt.blocks_by_codec;
    body["lane"] = "metadata";
    body["index"] = receipt.index;
    return body;
}

nlohmann::json object_json(const wire::Manifest& manifest) {
    return {{"key", manifest.key},
            {"size_bytes", manifest.size_bytes},
            {"sha256", manifest.sha256.hex()},
            {"etag", etag_of(manifest.sha256)},
            {"content_type", manifest.content_type},
            {"created_ms", manifest.created_ms},
            {"replicas", manifest.replicas}};
}

nlohmann::json workload_json(const manager::WorkloadReport& report) {
    return {{"id", report.id},
            {"key", report.key},
            {"state", report.state},
            {"reason", report.reason},
            {"manager", report.manager},
            {"updated_ms", report.updated_ms},
            {"size_bytes", report.size_bytes},
            {"index", report.index},
            {"resumed", report.resumed}};
}

nlohmann::json transaction_json(const std::string& id, const wire::TransactionRecord& record) {
    return {{"id", id},
            {"lane", "bulk"},
            {"index", record.index},
            {"time_ms", record.time_ms},
            {"proposer", record.proposer},
            {"payload_bytes", record.payload_bytes},
            {"payload_sha256", record.payload_sha256.hex()}};
}

std::string etag_of(const Hash256& sha256) { return '"' + sha256.hex() + '"'; }

http::Response json_response(const nlohmann::json& body, int status) {
    http::Response response;
    response.status = status;
    // Some texts come from other nodes: whatever they are, they must not throw here.
    response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    return response;
}

} // namespace dwcp::gateway
