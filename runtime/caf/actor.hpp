// The base of every actor of this product: CAF's event-based actor with its sharp edges covered.
//
//   - The mailbox is bounded: an ordinary message above `mailbox_max` is refused with
//     Errc::resource_exhausted. Exits, downs, answers and our own tasks always pass, so a flooded actor can
//     still be supervised.
//   - A request carries its deadline and its error path: ask() takes both, always.
//   - Promises are tickets: what is still open when the actor ends, for whatever reason, is answered at once
//     instead of leaving the asker to its timeout (CAF 0.17 has no broken_promise).
//   - An answer of a life that is over is not believed: once a later life of the asked path is published,
//   ask()
//     takes what the former one still said for an error, as it may have been undone.
//   - Readiness: the supervisor is answered when the mailbox is reached, or later, at now_ready(), if the
//     actor has called not_ready_yet().
//   - Other threads and timers enter through poster() and after(): closures that run inside the actor,
//     dropped when it is gone.
//   - An exception in a handler is logged with the actor's path and ends the actor abnormally; an unknown
//     message is counted.
//
// Requests are structs that name their answer: `struct BeginPut { using Reply = PutBegun; ... };`.
#pragma once

#include "runtime/caf/errors.hpp"
#include "runtime/caf/messages.hpp"
#include "runtime/caf/resolver.hpp"

#include <caf/all.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::actor {

/// A queue of 4,096 closures or block references is a few MiB at most and seconds of work: beyond it refusing
/// is kinder.
inline constexpr std::size_t kMailboxMax = 4096;

/// What an actor gets from whoever starts it.
struct ActorContext {
    std::string path; ///< "manager/0"
    Resolver* resolver = nullptr;
    std::shared_ptr<ActorStats> stats = std::make_shared<ActorStats>();
    std::size_t mailbox_max = kMailboxMax;
};

using Ticket = std::uint64_t;
/// Runs a closure inside the actor that made it; callable from any thread, and a no-op once the actor has
/// ended.
using Poster = std::function<void(std::function<void()>)>;

class Actor : public caf::event_based_actor {
  public:
    Actor(caf::actor_config& config, ActorContext context);
    ~Actor() override;

    const std::string& path() const { return context_.path; }
    const char* name() const override { return context_.path.c_str(); }

    void enqueue(caf::mailbox_element_ptr element, caf::execution_unit* unit) override;
    caf::resumable::resume_result resume(caf::execution_unit* unit, std::size_t max_throughput) override;
    void on_exit() override;

  protected:
    /// The actor's handlers, made with on().
    virtual caf::behavior handlers() = 0;
    /// Called once when the actor ends, before its open promises are refused.
    virtual void ended() {}

    caf::behavior make_behavior() final;

    /// For handlers(): it cannot do its work yet, e.g. because it reads its journal. Whoever awaits its
    /// readiness, above all the supervisor with what starts after it, waits for now_ready().
    void not_ready_yet() { is_ready_ = false; }
    void now_ready();

    Resolver& resolver() const { return *context_.resolver; }
    /// The actor system's clock, which tests move by hand. (CAF declares local_actor::now() but does not ship
    /// it.)
    TimePoint now() const { return home_system().clock().now(); }

    /// Handler for Request that answers at once: `on<BeginPut>([this](const BeginPut& r) -> Result<PutBegun>
    /// {...})`.
    template<class Request, class Handler>
    auto on(Handler handler) {
        using Reply = typename Request::Reply;
        return [handler = std::move(handler),
                stats = context_.stats](const Local<Request>& request) mutable -> caf::result<Local<Reply>> {
            HandlerWatch watch(stats->trace, typeid(Request));
            Result<Reply> reply = handler(*request);
            if (reply) return Local<Reply>(std::move(*reply));
            watch.failed(reply.error().code);
            return to_caf(reply.error());
        };
    }

    /// Handler for Request that answers later: gets the ticket to settle().
    template<class Request, class Handler>
    auto on_later(Handler handler) {
        return [this, handler = std::move(handler)](const Local<Request>& request) mutable {
            HandlerWatch watch(context_.stats->trace, typeid(Request));
            watch.later();
            handler(*request, open_ticket());
        };
    }

    /// Answers a ticket; a ticket that was settled before is ignored.
    template<class Reply>
    void settle(Ticket ticket, Result<Reply> reply) {
        if (reply)
            deliver(ticket, caf::make_message(Local<Reply>(std::move(*reply))));
        else
            refuse(ticket, reply.error());
    }

    /// Asks the actor at `path`. Exactly one of the two is called, inside this actor, within `deadline`.
    template<class Request>
    void ask(const std::string& path, Request request, Duration deadline,
             std::function<void(const typename Request::Reply&)> on_reply,
             std::function<void(const Error&)> on_error) {
        using Reply = typename Request::Reply;
        const auto live = resolver().find(path);
        if (!live) {
            on_error({Errc::unavailable, path + " is not running", "it is being restarted; try again"});
            return;
        }
        this->request(live->handle, deadline, Local<Request>(std::move(request)))
            .then(
                [on_reply = std::move(on_reply), on_error, path, asked = live->stats,
                 stats = context_.stats](const Local<Reply>& reply) {
                    HandlerWatch watch(stats->trace, typeid(Reply), "answer ");
                    if (!is_superseded(asked)) return on_reply(*reply);
                    const auto error = answer_of_dead_life(path);
                    watch.failed(error.code);
                    on_error(error);
                },
                [on_error, stats = context_.stats](const caf::error& error) {
                    HandlerWatch watch(stats->trace, typeid(Reply), "answer ");
                    const auto readable = from_caf(error);
                    watch.failed(readable.code);
                    on_error(readable);
                });
    }

    Poster poster();
    /// Runs `task` inside this actor after `delay`; there is no cancelling: let the task check whether it
    /// still applies.
    void after(Duration delay, std::function<void()> task);

    Ticket open_ticket();
    void deliver(Ticket ticket, caf::message reply);
    void refuse(Ticket ticket, const Error& error);

  private:
    bool is_ordinary(const caf::mailbox_element& element) const;

    ActorContext context_;
    std::map<Ticket, caf::response_promise> promises_;
    Ticket last_ticket_ = 0;
    bool is_ready_ = true;
    std::vector<Ticket> awaiting_ready_;
};

} // namespace dwcp::actor
