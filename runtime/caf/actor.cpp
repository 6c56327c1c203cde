#include "runtime/caf/actor.hpp"

#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <algorithm>
#include <chrono>

namespace dwcp::actor {
namespace {

// The mailbox depth is refreshed once a turn, so turns are kept short; it also keeps actors fair to each
// other.
constexpr std::size_t kMessagesPerTurn = 64;

metrics::Counter unknown_messages(const std::string& path) {
    return metrics::counter("dwcp_actor_unknown_messages_total", "Messages that no handler took, by actor.",
                            {{"actor", path}});
}

metrics::Counter rejected_messages(const std::string& path) {
    return metrics::counter("dwcp_actor_mailbox_rejected_total",
                            "Messages refused by a full mailbox, by actor.", {{"actor", path}});
}

} // namespace

Actor::Actor(caf::actor_config& config, ActorContext context)
    : caf::event_based_actor(config), context_(std::move(context)) {
    rejected_messages(path()); // there from the start: a series that appears with 1 has no rate yet
    set_exception_handler([this](std::exception_ptr& thrown) -> caf::error {
        std::string what = "unknown exception";
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            what = e.what();
        } catch (...) {
        }
        log::error("actor_threw", {{"what", what}}, {.actor = path()});
        return to_caf({Errc::internal, "exception in a handler: " + what, {}});
    });
    set_default_handler([this](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
        unknown_messages(path()).add();
        log::warn("actor_unknown_message", {}, {.actor = path()});
        return caf::sec::unexpected_message;
    });
}

Actor::~Actor() = default;

caf::behavior Actor::make_behavior() {
    caf::behavior own = handlers();
    return caf::message_handler{[stats = context_.stats](const Local<Task>& task) {
               const HandlerWatch watch(stats->trace, typeid(Task));
               task->run();
           }}
        .or_else(on_later<AwaitReady>([this](const AwaitReady&, Ticket ticket) {
            awaiting_ready_.push_back(ticket);
            if (is_ready_) now_ready();
        }))
        .or_else(own.as_behavior_impl() ? caf::message_handler(own.as_behavior_impl())
                                        : caf::message_handler());
}

bool Actor::is_ordinary(const caf::mailbox_element& element) const {
    const auto& mid = element.mid;
    if (mid.is_response() || mid.is_urgent_message() || mid.is_stream_message()) return false;
    const auto& content = element.content();
    return !(content.match_elements<caf::exit_msg>() || content.match_elements<caf::down_msg>() ||
             content.match_elements<caf::timeout_msg>() || content.match_elements<Local<Task>>() ||
             content.match_elements<Local<AwaitReady>>());
}

void Actor::enqueue(caf::mailbox_element_ptr element, caf::execution_unit* unit) {
    auto& stats = *context_.stats;
    if (stats.depth() >= context_.mailbox_max && is_ordinary(*element)) {
        stats.rejected.fetch_add(1, std::memory_order_relaxed);
        rejected_messages(path()).add();
        if (element->mid.is_request() && element->sender) {
            // By hand: whatever one gives it, CAF's own bouncer says that the receiver is down.
            element->sender->enqueue(
                nullptr, element->mid.response_id(),
                caf::make_message(to_caf({Errc::resource_exhausted, "the mailbox of " + path() + " is full",
                                          "slow down and try again"})),
                unit);
        }
        return;
    }
    stats.enqueued.fetch_add(1, std::memory_order_relaxed);
    caf::event_based_actor::enqueue(std::move(element), unit);
}

caf::resumable::resume_result Actor::resume(caf::execution_unit* unit, std::size_t max_throughput) {
    auto& stats = *context_.stats;
    if (stats.pause.on()) [[unlikely]] {
        // Left unscheduled with its mailbox open: nothing reaches it, and enqueueing does not wake it.
        const auto wake = [self = caf::strong_actor_ptr(ctrl()), this] {
            intrusive_ptr_add_ref(self.get());
            home_system().scheduler().enqueue(this);
        };
        if (stats.pause.holds(wake)) return caf::resumable::awaiting_message;
    }
    // Only here, before the messages run, is the mailbox's size safe to read: after resume() the actor may
    // already run on another thread, and looking at the mailbox then loses wake-ups.
    if (!mailbox().closed()) {
        const auto enqueued = stats.enqueued.load(std::memory_order_relaxed);
        const auto waiting = mailbox().size();
        stats.dequeued.store(enqueued > waiting ? enqueued - waiting : 0, std::memory_order_relaxed);
    }
    const auto shared_stats = context_.stats; // `this` may be gone after the last message
    const auto begin = std::chrono::steady_clock::now();
    const auto result = caf::event_based_actor::resume(unit, std::min(max_throughput, kMessagesPerTurn));
    const auto busy = std::chrono::steady_clock::now() - begin;
    shared_stats->busy_ns.fetch_add(static_cast<std::uint64_t>(busy.count()), std::memory_order_relaxed);
    return result;
}

void Actor::on_exit() {
    ended();
    auto open = std::move(promises_);
    promises_.clear();
    for (auto& [ticket, promise] : open) {
        promise.deliver(caf::make_error(caf::sec::request_receiver_down));
    }
    caf::event_based_actor::on_exit();
}

void Actor::now_ready() {
    is_ready_ = true;
    for (const auto ticket : std::exchange(awaiting_ready_, {}))
        settle<Ready>(ticket, Ready{});
}

Poster Actor::poster() {
    caf::weak_actor_ptr weak{ctrl()};
    return [weak](std::function<void()> task) {
        if (auto self = weak.lock()) {
            caf::anon_send(caf::actor_cast<caf::actor>(self), Local<Task>(Task{std::move(task)}));
        }
    };
}

void Actor::after(Duration delay, std::function<void()> task) {
    delayed_send(this, delay, Local<Task>(Task{std::move(task)}));
}

Ticket Actor::open_ticket() {
    promises_.emplace(++last_ticket_, make_response_promise());
    return last_ticket_;
}

void Actor::deliver(Ticket ticket, caf::message reply) {
    const auto found = promises_.find(ticket);
    if (found == promises_.end()) return;
    auto promise = std::move(found->second);
    promises_.erase(found);
    promise.deliver(std::move(reply));
}

void Actor::refuse(Ticket ticket, const Error& error) {
    const auto found = promises_.find(ticket);
    if (found == promises_.end()) return;
    auto promise = std::move(found->second);
    promises_.erase(found);
    promise.deliver(to_caf(error));
}

} // namespace dwcp::actor
