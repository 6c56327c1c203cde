// Asking an actor from a thread that is not an actor: HTTP workers and tests.
#pragma once

#include "runtime/caf/errors.hpp"
#include "runtime/caf/messages.hpp"
#include "runtime/caf/resolver.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace dwcp::actor {

/// Asks the actor at `path` and waits until `deadline`. An actor that is restarted meanwhile is asked again
/// in its next life, and what its last one still answered is dropped; so the request must be one that may
/// arrive twice; all of ours carry an id that makes them so.
template<class Request>
Result<std::shared_ptr<const typename Request::Reply>> call(caf::actor_system& system,
                                                            const Resolver& resolver, const std::string& path,
                                                            const Request& request, TimePoint deadline) {
    using Reply = typename Request::Reply;
    std::uint64_t tried_life = 0;
    const Local<Request> message{request};
    for (;;) {
        const auto live = resolver.wait_for_life_after(path, tried_life, deadline);
        if (!live) {
            return fail(Errc::unavailable, path + " did not come back in time, or the node ends",
                        "see `dwcp-shell -c tree`; try again");
        }
        tried_life = live->life;
        const auto left = deadline - std::chrono::steady_clock::now();
        Result<std::shared_ptr<const Reply>> result =
            fail(Errc::deadline_exceeded, path + " gave no answer in time",
                 "try again; it may still have happened");
        if (left.count() <= 0) return result;
        bool receiver_ended = false;
        caf::scoped_actor self{system};
        self->request(live->handle, std::chrono::duration_cast<caf::timespan>(left), message)
            .receive([&](const Local<Reply>& reply) { result = reply.shared(); },
                     [&](const caf::error& error) {
                         receiver_ended = is_receiver_down(error);
                         result = std::unexpected(from_caf(error));
                     });
        if (!receiver_ended && !(result && is_superseded(live->stats))) return result;
    }
}

} // namespace dwcp::actor
