// Records, directives and reports of the ramp from arbitrary bytes. What decodes must survive a round trip.
#include "protocols/ramp/wire.hpp"

#include <cstdlib>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(data, size);
    if (const auto record = ramp::decode_record(bytes)) {
        const Bytes encoded = ramp::encode(*record);
        const auto again = ramp::decode_record(encoded);
        require(again && ramp::encode(*again) == encoded);
    }
    if (const auto directive = ramp::decode_directive(bytes))
        require(ramp::decode_directive(ramp::encode(*directive)) == *directive);
    if (const auto report = ramp::decode_report(bytes)) {
        // A second time nothing is left to be coarsened.
        const auto once = ramp::decode_report(ramp::encode(*report));
        require(once.has_value());
        const auto twice = ramp::decode_report(ramp::encode(*once));
        require(twice && ramp::encode(*twice) == ramp::encode(*once));
    }
    return 0;
}
