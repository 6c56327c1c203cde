#include "runtime/caf/messages.hpp"

#include "runtime/caf/errors.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

namespace dwcp::actor {

caf::error ControlFrame::save(caf::serializer& sink) const {
    std::size_t size = view().size();
    if (size > kControlFrameBytes) {
        return to_caf({Errc::too_large,
                       "control frame of " + std::to_string(size) + " bytes is over the limit of " +
                           std::to_string(kControlFrameBytes),
                       "send bulk data over the data links"});
    }
    if (auto error = sink.begin_sequence(size)) return error;
    if (size > 0) {
        if (auto error = sink.apply_raw(size, const_cast<Byte*>(view().data()))) return error;
    }
    return sink.end_sequence();
}

caf::error ControlFrame::load(caf::deserializer& source) {
    std::size_t size = 0;
    if (auto error = source.begin_sequence(size)) return error;
    if (size > kControlFrameBytes) {
        return to_caf(
            {Errc::too_large, "a peer announced a control frame of " + std::to_string(size) + " bytes", {}});
    }
    Bytes bytes(size);
    if (size > 0) {
        if (auto error = source.apply_raw(size, bytes.data())) return error;
    }
    bytes_ = share(std::move(bytes));
    return source.end_sequence();
}

caf::error refuse_to_serialise_local() {
    static const auto escaped =
        metrics::counter("dwcp_actor_local_message_escaped_total",
                         "Messages for this process that somebody tried to send to another node.");
    escaped.add();
    log::error("local_message_escaped",
               {{"remedy", "send a ControlFrame to other nodes; Local<T> stays in its process"}});
    return to_caf({Errc::internal, "a Local<T> message cannot leave its process", "send a ControlFrame"});
}

} // namespace dwcp::actor
