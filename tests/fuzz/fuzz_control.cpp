// Messages of the control link and the envelopes in them, from arbitrary bytes. What decodes must survive a
// round trip.
#include "protocols/wire/control.hpp"

#include <cstdlib>

using namespace dwcp;
using namespace dwcp::wire;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

void check_envelope(ByteView bytes) {
    const auto envelope = control::decode_envelope(bytes);
    if (!envelope) return;
    const Bytes again = control::encode_envelope(*envelope);
    // Re-encoding may use the odd word more than a packed-by-hand input did.
    if (again.size() > control::kFrameBytesMax) return;
    const auto copy = control::decode_envelope(again);
    require(copy && copy->sequence == envelope->sequence && copy->trace == envelope->trace);
    require(copy->content.index() == envelope->content.index());
    if (const auto* request = std::get_if<control::Request>(&envelope->content)) {
        require(std::get<control::Request>(copy->content) == *request);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    check_envelope(input);
    const auto message = control::decode(input);
    if (!message) return 0;
    if (const auto* sealed = std::get_if<control::Sealed>(&*message)) check_envelope(sealed->envelope);
    const Bytes again = control::encode(*message);
    if (again.size() > control::kFrameBytesMax) return 0;
    const auto copy = control::decode(again);
    require(copy && copy->index() == message->index());
    if (const auto* hello = std::get_if<control::Hello>(&*message))
        require(std::get<control::Hello>(*copy) == *hello);
    if (const auto* ack = std::get_if<control::HelloAck>(&*message))
        require(std::get<control::HelloAck>(*copy) == *ack);
    if (const auto* sealed = std::get_if<control::Sealed>(&*message)) {
        require(std::get<control::Sealed>(*copy) == *sealed);
    }
    return 0;
}
