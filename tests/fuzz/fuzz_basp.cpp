// Arbitrary bytes as a stream of CAF's protocol, cut into messages as the scribe does it. The first byte says
// which end this is. What passes must be what a gateway may say.
#include "runtime/links/control/basp_filter.hpp"

#include <algorithm>
#include <cstdlib>

using namespace dwcp;
using namespace dwcp::links;
using Action = BaspFilter::Action;

namespace {

constexpr std::uint64_t kGateway = 7;
constexpr std::size_t kNodeBytes = 32;

void require(bool kept) {
    if (!kept) std::abort();
}

std::shared_ptr<const BaspNode> make_self() {
    auto node = std::make_shared<BaspNode>();
    node->id = Bytes(kNodeBytes, 1);
    node->gateway = kGateway;
    node->contents = {{to_bytes("frame:"), 0, {}}, {to_bytes("error:"), 9, to_bytes("@<>")}};
    node->reason = {{}, 9, to_bytes("@<>")};
    return node;
}

/// Of a message that has passed.
void check(const Bytes& header, ByteView payload, const BaspFilter& filter) {
    const Byte operation = header[0];
    require(operation != 3 && operation <= 6); // nothing is forwarded
    require(filter.node().size() == kNodeBytes);
    if (operation == 2) {
        require(header[31] == kGateway && (header[3] & 1) == 0);
        const auto text = as_text(payload);
        require(text.starts_with("frame:") || text.starts_with("error:"));
    }
    if (operation == 4 || operation == 5) {
        require(std::ranges::equal(payload.first(kNodeBytes), filter.node()));
    }
    if (operation <= 1) require(payload.size() >= kNodeBytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto self = make_self();
    if (size == 0) return 0;
    ByteView rest(data + 1, size - 1);
    BaspFilter filter(data[0] % 2 == 0 ? BaspFilter::Side::acceptor : BaspFilter::Side::dialler, self);
    while (rest.size() >= kBaspHeaderBytes) {
        const Bytes header(rest.begin(), rest.begin() + kBaspHeaderBytes);
        rest = rest.subspan(kBaspHeaderBytes);
        auto verdict = filter.header(header);
        if (verdict.action == Action::close) return 0;
        require(filter.payload_bytes() <= kBaspPayloadBytesMax);
        ByteView payload;
        if (filter.payload_bytes() > 0) {
            if (rest.size() < filter.payload_bytes()) return 0; // The rest never comes.
            payload = rest.first(filter.payload_bytes());
            rest = rest.subspan(payload.size());
            verdict = filter.payload(payload);
        }
        if (verdict.action == Action::close) {
            require(!verdict.message.empty());
            return 0;
        }
        if (verdict.action == Action::pass) check(header, payload, filter);
    }
    return 0;
}
