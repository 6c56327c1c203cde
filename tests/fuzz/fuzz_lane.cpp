// Messages between lane members and a lane's records on disk, from arbitrary bytes. What decodes must keep
// the limits and survive a round trip.
#include "protocols/wire/lane.hpp"

#include <cstdlib>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

bool is_sound(const consensus::Command& command) {
    return !command.id.empty() && command.id.size() <= wire::kLaneIdBytesMax && !command.payload.empty() &&
           command.payload.size() <= consensus::kCommandBytes;
}

void check_limits(const wire::LaneMessage& message) {
    if (const auto* propose = std::get_if<wire::LanePropose>(&message.body))
        require(is_sound(propose->command));
    if (const auto* append = std::get_if<wire::LaneAppend>(&message.body)) {
        require(append->entries.size() <= wire::kLaneEntriesMax);
        for (const auto& entry : append->entries)
            require(is_sound(entry.command));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(data, size);
    if (const auto message = wire::decode_lane_message(bytes)) {
        check_limits(*message);
        // Parts that share their bytes in the input do not in ours, so it may become too large.
        const auto again = wire::encode(*message);
        if (again.size() <= wire::kLaneMessageBytes) require(wire::decode_lane_message(again) == *message);
    }
    if (const auto record = wire::decode_lane_record(bytes)) {
        require(is_sound(record->entry.command));
        require(wire::decode_lane_record(wire::encode(*record)) == *record);
    }
    if (const auto state = wire::decode_lane_hard_state(bytes)) {
        require(wire::decode_lane_hard_state(wire::encode(*state)) == *state);
    }
    if (const auto outcome = wire::decode_lane_outcome(bytes)) {
        require(wire::decode_lane_outcome(wire::encode(*outcome)) == *outcome);
    }
    return 0;
}
