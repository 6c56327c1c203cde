#include "runtime/links/data/request.hpp"

namespace dwcp::links {

std::string_view operation_of(wire::FrameKind kind) {
    switch (kind) {
    case wire::FrameKind::block:
        return "send_block";
    case wire::FrameKind::sync:
        return "sync";
    case wire::FrameKind::fetch:
        return "fetch";
    default:
        return {};
    }
}

void fail_with(WorkQueue& work, RequestPtr request, Error error) {
    if (request->outstanding) --*request->outstanding;
    request->call.failed(error);
    work.run_callback([request = std::move(request), error = std::move(error)] {
        std::visit([&](auto& done) { done(std::unexpected(error)); }, request->done);
    });
}

} // namespace dwcp::links
