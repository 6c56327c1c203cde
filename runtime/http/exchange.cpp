#include "runtime/http/exchange.hpp"

#include "runtime/http/errors.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace dwcp::http {

Response failed_response(const Request& request, const char* reason) {
    log::error("http_handler_failed", {{"path", request.path}, {"reason", reason}}, {.trace = request.id});
    return error_response({Errc::internal, "the node failed to handle this request",
                           fmt::format("look for the trace {} in the node's log", request.id)});
}

void Exchange::run() {
    const auto failed = [this](const char* reason) {
        const Error error{Errc::internal, fmt::format("the handler failed: {}", reason), ""};
        if (step == Step::pull) {
            piece = std::unexpected(error);
        } else if (step == Step::take) {
            log::error("http_handler_failed", {{"path", request.path}, {"reason", reason}},
                       {.trace = request.id});
            taken = fail(Errc::internal, "the node failed to handle this request",
                         fmt::format("look for the trace {} in the node's log", request.id));
        } else {
            response = failed_response(request, reason);
        }
    };
    try {
        run_step();
    } catch (const std::exception& error) {
        failed(error.what());
    } catch (...) {
        failed("unknown exception");
    }
    // What an upload holds is let go here: it may take a while.
    if (response) upload.reset();
}

void Exchange::run_step() {
    switch (step) {
    case Step::handle:
        return handle();
    case Step::begin:
        return begin();
    case Step::take:
        taken = upload->take(as_bytes(body));
        return;
    case Step::finish:
        response = upload->finish();
        return;
    case Step::abandon:
        response = upload->abandon(why);
        return;
    case Step::pull:
        return pull();
    }
}

void Exchange::handle() {
    request.read_body = [this](const BodySink& sink) -> Result<void> {
        const std::string whole = std::exchange(body, {});
        return whole.empty() ? Result<void>{} : sink(as_bytes(whole));
    };
    response = std::get<Handler>(route->handler)(request);
    // A small object is one piece: fetching it here spares it a second way through the pool.
    const bool streamed = response->next && response->stream_bytes > 0 && !response->live;
    if (streamed && response->stream_bytes <= pull_at_once_max && request.method != "HEAD") pull();
}

void Exchange::begin() {
    request.read_body = [](const BodySink&) {
        return fail(Errc::internal, "an upload's body comes by take(), not by read_body()");
    };
    auto begun = std::get<UploadHandler>(route->handler)(request);
    if (auto* refusal = std::get_if<Response>(&begun))
        response = std::move(*refusal);
    else
        upload = std::move(std::get<std::unique_ptr<Upload>>(begun));
}

void Exchange::pull() {
    try {
        piece = response->next();
    } catch (const std::exception& error) {
        piece = fail(Errc::internal, error.what());
    }
}

} // namespace dwcp::http
