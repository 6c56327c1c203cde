// Every record of the store that can also come from a peer, from arbitrary bytes. What decodes must survive a
// round trip.
#include "protocols/wire/manifest.hpp"

#include <cstdlib>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(data, size);
    if (const auto manifest = wire::decode_manifest(bytes)) {
        require(wire::decode_manifest(wire::encode(*manifest)) == *manifest);
    }
    if (const auto list = wire::decode_block_list(bytes)) {
        require(wire::decode_block_list(wire::encode_block_list(*list)) == *list);
    }
    if (const auto command = wire::decode_metadata_command(bytes)) {
        const auto again = wire::decode_metadata_command(wire::encode(*command));
        require(again && again->erase == command->erase && again->key == command->key &&
                again->manifest == command->manifest);
    }
    if (const auto record = wire::decode_journal_record(bytes)) {
        require(wire::decode_journal_record(wire::encode(*record)) == *record);
    }
    if (const auto record = wire::decode_transaction_record(bytes)) {
        require(wire::decode_transaction_record(wire::encode(*record)) == *record);
    }
    if (const auto space = wire::decode_node_space(bytes)) {
        require(wire::decode_node_space(wire::encode(*space)) == *space);
    }
    (void)wire::check_key(as_text(bytes));
    return 0;
}
