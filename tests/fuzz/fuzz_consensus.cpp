// Messages between the replicas of a consensus lane and the lane's records on disk, from arbitrary bytes.
// What decodes must keep the limits and encode to what decodes to the same again.
#include "protocols/wire/consensus.hpp"

#include <cstdlib>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

void check_limits(const std::vector<consensus::Transaction>& transactions) {
    require(transactions.size() <= consensus::kBlockCommandsMax);
    std::size_t bytes = 0;
    for (const auto& transaction : transactions) {
        const auto& command = transaction.command;
        require(!command.id.empty() && command.id.size() <= wire::kCommandIdBytesMax);
        require(!command.payload.empty() && command.payload.size() <= consensus::kCommandBytes);
        require(transaction.submitter.empty() || consensus::is_node_name(transaction.submitter));
        bytes += transaction.bytes();
    }
    require(bytes <= consensus::kBlockBytesMax);
}

void check_limits(const consensus::Message& message) {
    require(consensus::is_replica_name(message.from));
    if (const auto* forward = std::get_if<consensus::Forward>(&message.body))
        check_limits(forward->transactions);
    if (const auto* content = std::get_if<consensus::Content>(&message.body))
        check_limits((*content->block)->transactions);
    if (const auto* part = std::get_if<consensus::SnapshotPart>(&message.body))
        require(part->pairs.size() <= wire::kSnapshotPairsMax);
    if (const auto* said = std::get_if<consensus::Signed>(&message.body)) {
        if (const auto* propose = std::get_if<consensus::Propose>(&said->body))
            check_limits((*propose->block)->transactions);
        if (const auto* change = std::get_if<consensus::ViewChange>(&said->body))
            require(change->prepared.size() <= consensus::kWindow);
    }
}

/// Parts that share their bytes in the input do not in ours, so it may become too large.
template<class T>
void round_trip(const Result<T>& value, Result<T> (*decode)(ByteView)) {
    if (!value) return;
    const auto bytes = wire::encode(*value);
    if (bytes.size() > wire::kConsensusMessageBytes) return;
    const auto again = decode(bytes);
    require(again.has_value());
    require(wire::encode(*again) == bytes);
    if constexpr (std::equality_comparable<T>) require(*again == *value);
}

template<class T>
void decode_with(ByteView bytes, Result<T> (*decode)(ByteView)) {
    round_trip(decode(bytes), decode);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(data, size);
    const auto message = wire::decode_consensus_message(bytes);
    if (message) check_limits(*message);
    round_trip(message, wire::decode_consensus_message);
    const auto block = wire::decode_block(bytes);
    if (block) check_limits(block->transactions);
    round_trip(block, wire::decode_block);
    decode_with(bytes, wire::decode_decided_block);
    decode_with(bytes, wire::decode_certificate);
    decode_with(bytes, wire::decode_committee);
    decode_with(bytes, wire::decode_evidence);
    decode_with(bytes, wire::decode_reconfigure);
    decode_with(bytes, wire::decode_view_change);
    decode_with(bytes, wire::decode_new_view);
    return 0;
}
