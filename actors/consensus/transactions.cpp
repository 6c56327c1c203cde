#include "actors/consensus/transactions.hpp"

#include "protocols/crypto/hash.hpp"

namespace dwcp::consensus {
namespace {

std::string store_key(const std::string& id) { return "tx/" + id; }

} // namespace

Bytes Transactions::apply(const Entry& entry, store::Batch& batch) {
    // The first of an id stays, also when the lane has forgotten the id and orders it again.
    if (const auto before = find(entry.command.id); before && *before) return {};
    const ByteView payload = entry.command.payload;
    const wire::TransactionRecord record{entry.index, entry.time_ms, entry.proposer, payload.size(),
                                         crypto::sha256(payload)};
    batch.put(store::Family::state, store_key(entry.command.id), wire::encode(record));
    return {};
}

Result<std::optional<wire::TransactionRecord>> Transactions::find(const std::string& id) const {
    auto value = store_.get(store::Family::state, store_key(id));
    if (!value) return std::unexpected(value.error());
    if (!*value) return std::nullopt;
    auto record = wire::decode_transaction_record(**value);
    if (!record) return std::unexpected(record.error());
    return std::move(*record);
}

} // namespace dwcp::consensus
