// Every Cap'n Proto header of the data plane, from arbitrary words. What decodes must survive a round trip.
#include "protocols/wire/data_messages.hpp"

#include <cstdlib>
#include <cstring>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    wire::Words header(size / 8);
    if (!header.empty()) std::memcpy(header.data(), data, header.size() * 8);

    if (const auto hello = wire::decode_hello(header)) {
        const auto again = wire::decode_hello(wire::encode_hello(*hello));
        require(again->nonce == hello->nonce && again->features == hello->features);
    }
    if (const auto ack = wire::decode_hello_ack(header)) {
        require(wire::decode_hello_ack(wire::encode_hello_ack(*ack))->signature == ack->signature);
    }
    if (const auto proof = wire::decode_proof(header)) {
        require(wire::decode_proof(wire::encode_proof(*proof)) == *proof);
    }
    if (const auto failure = wire::decode_failure(header)) {
        require(wire::decode_failure(wire::encode_failure(*failure))->message == failure->message);
    }
    if (const auto credit = wire::decode_credit(header)) {
        require(wire::decode_credit(wire::encode_credit(*credit)) == *credit);
    }
    if (const auto block = wire::decode_block(header, size)) {
        require(wire::decode_block(wire::encode_block(*block), size)->hash == block->hash);
    }
    if (const auto workload = wire::decode_sync(header)) {
        require(wire::decode_sync(wire::encode_sync(*workload)) == *workload);
    }
    if (const auto hash = wire::decode_fetch(header)) {
        require(wire::decode_fetch(wire::encode_fetch(*hash)) == *hash);
    }
    (void)wire::decode_hashes(ByteView(data, size));
    return 0;
}
