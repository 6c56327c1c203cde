// One request and what becomes of it; above all the steps of it that may block and therefore run on a worker.
//
// Made by a Connection when a head is whole. Belongs to the loop's thread, but for the time between the start
// and the end of a step, when it belongs to the worker that runs it.
#pragma once

#include "protocols/base/clock.hpp"
#include "runtime/http/router.hpp"

#include <memory>
#include <optional>
#include <string>

namespace dwcp::http {

enum class Step : std::uint8_t {
    handle,  ///< Runs the handler with the body; pulls the first piece of a streamed response.
    begin,   ///< Asks the upload handler whether there is an upload.
    take,    ///< Gives the upload what is in `body`.
    finish,  ///< The upload's body is whole.
    abandon, ///< It will never be: `why`.
    pull     ///< The next piece of a streamed response.
};

struct Exchange {
    Request request;
    const Route* route = nullptr;
    TimePoint began{};

    Step step = Step::handle;
    std::string body; ///< All of it, or the stretch that an upload is to take.
    Error why;
    std::uint64_t pull_at_once_max =
        0; ///< Only of a response of so many bytes is a piece pulled by `handle`.
    std::unique_ptr<Upload> upload;
    Result<void> taken;
    std::optional<Response> response;
    std::uint64_t answer_bytes = 0; ///< Of the response's body, as announced.
    std::optional<Result<Piece>> piece;

    /// Runs `step` and leaves what came of it. What a handler throws becomes its answer; nothing leaves.
    void run();

  private:
    void run_step();
    void handle();
    void begin();
    void pull();
};

/// The answer to a request whose handler threw; logs why under the request's id.
Response failed_response(const Request& request, const char* reason);

} // namespace dwcp::http
