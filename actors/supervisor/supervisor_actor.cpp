#include "actors/supervisor/supervisor_actor.hpp"

#include "actors/supervisor/messages.hpp"
#include "runtime/metrics/metrics.hpp"

#include <chrono>
#include <exception>
#include <memory>
#include <utility>

namespace dwcp::supervisor {
namespace {

/// An actor that was asked to end and is still busy after this long is killed.
constexpr Duration kStopGrace = std::chrono::seconds(5);

std::string words(const caf::error& reason) {
    if (!reason) return "ended normally";
    if (reason == caf::exit_reason::kill) return "killed";
    if (reason.category() == caf::atom("exit"))
        return to_string(static_cast<caf::exit_reason>(reason.code()));
    return actor::from_caf(reason).message;
}

metrics::Counter restarts(const std::string& path) {
    return metrics::counter("dwcp_supervisor_restarts_total", "Restarts by the supervisor, by actor.",
                            {{"actor", path}});
}

class SupervisorActor final : public actor::Actor {
  public:
    SupervisorActor(caf::actor_config& config, actor::ActorContext context, SupervisorOptions options,
                    Board* board, EventRing* events)
        : Actor(config, std::move(context)), options_(std::move(options)), board_(*board), events_(*events) {
        set_down_handler([this](caf::down_msg& down) { child_ended(down); });
        set_exit_handler([this](caf::exit_msg& exit) {
            if (exit.reason != caf::exit_reason::user_shutdown) {
                quit(exit.reason);
            } else if (!ending_) {
                ending_ = true;
                end_next();
            }
        });
    }

  protected:
    caf::behavior handlers() override {
        std::uint64_t seed = static_cast<std::uint64_t>(now().time_since_epoch().count());
        for (auto& child : options_.children) {
            restarts(child.spec.id); // a series that appears with its first increment has no rate yet
            children_.push_back(
                std::make_unique<Running>(child, supervision::RestartPolicy(child.spec, seed++)));
        }
        for (auto& child : children_)
            perform(*child, child->policy.step(supervision::Command::start, now()));
        return {on<ActorCommand>([this](const ActorCommand& command) { return obey(command); })};
    }

    void ended() override {
        for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
            resolver().withdraw((*child)->plan.spec.id, (*child)->life);
            if ((*child)->handle) caf::anon_send_exit((*child)->handle, caf::exit_reason::user_shutdown);
            (*child)->handle = nullptr;
        }
        if (!ending_ && options_.on_lost) options_.on_lost();
    }

  private:
    struct Running {
        Running(const Child& child, supervision::RestartPolicy restart)
            : plan(child), policy(std::move(restart)) {}
        const Child& plan;
        supervision::RestartPolicy policy;
        caf::actor handle;
        std::uint64_t life = 0;
        TimePoint since{};
        Duration delay{};       ///< Of the restart under way.
        std::string quarantine; ///< Who keeps it down, and why; empty: nobody.
    };

    void perform(Running& child, const std::vector<supervision::Action>& actions) {
        for (const auto& action : actions) {
            std::visit([&](const auto& what) { perform_one(child, what); }, action);
        }
        show(child);
    }

    void perform_one(Running& child, const supervision::Start&) {
        actor::ActorContext context{.path = child.plan.spec.id, .resolver = &resolver()};
        const auto stats = context.stats;
        const auto started = start(child.plan, std::move(context));
        if (!started) {
            stopped(child, supervision::Exit::abnormal, started.error().message);
            return;
        }
        child.handle = *started;
        child.since = now();
        child.life = resolver().publish(child.plan.spec.id, child.handle, stats, child.since);
        monitor(child.handle);
        const auto delay_ms =
            std::chrono::duration_cast<milliseconds>(std::exchange(child.delay, {})).count();
        std::map<std::string, std::string> fields{{"life", std::to_string(child.life)}};
        if (child.life > 1) {
            fields["reason"] = child.policy.last_reason();
            fields["delay_ms"] = std::to_string(delay_ms);
        }
        events_.record(child.life == 1 ? "actor_started" : "actor_restarted", child.plan.spec.id,
                       std::move(fields));
        perform(child, child.policy.step(supervision::Started{}, now()));
    }

    static Result<caf::actor> start(const Child& plan, actor::ActorContext context) {
        std::string why = "its factory gave no actor";
        try {
            if (auto handle = plan.start(std::move(context))) return handle;
        } catch (const std::exception& thrown) {
            why = thrown.what();
        } catch (...) {
            why = "unknown exception";
        }
        return fail(Errc::internal, "it could not be started: " + why);
    }

    void perform_one(Running& child, const supervision::StartAt& action) {
        after(std::max(Duration::zero(), action.at - now()),
              [this, &child] { perform(child, child.policy.step(supervision::TimerFired{}, now())); });
    }

    void perform_one(Running& child, const supervision::Stop& action) {
        if (!child.handle) return;
        send_exit(child.handle, action.force ? caf::exit_reason::kill : caf::exit_reason::user_shutdown);
        if (action.force) return;
        after(kStopGrace, [this, &child, life = child.life] {
            if (child.handle && child.life == life) send_exit(child.handle, caf::exit_reason::kill);
        });
    }

    void perform_one(Running& child, const supervision::Report& report) {
        restarts(child.plan.spec.id).add();
        child.delay = report.delay;
    }

    void perform_one(Running& child, const supervision::GiveUp& action) {
        events_.record("actor_given_up", child.plan.spec.id, {{"reason", action.reason}});
    }

    void child_ended(const caf::down_msg& down) {
        for (auto& child : children_) {
            if (!child->handle || child->handle.address() != down.source) continue;
            resolver().withdraw(child->plan.spec.id, child->life);
            child->handle = nullptr;
            const bool normal = !down.reason || down.reason == caf::exit_reason::user_shutdown;
            stopped(*child, normal ? supervision::Exit::normal : supervision::Exit::abnormal,
                    words(down.reason));
            if (ending_) end_next();
            return;
        }
    }

    void stopped(Running& child, supervision::Exit exit, const std::string& reason) {
        events_.record("actor_ended", child.plan.spec.id,
                       {{"reason", reason}, {"life", std::to_string(child.life)}});
        perform(child, child.policy.step(supervision::Stopped{exit, reason}, now()));
    }

    /// Ends the last child that runs; called again when it has ended.
    void end_next() {
        for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
            perform(**child, (*child)->policy.step(supervision::Command::stop, now()));
            if ((*child)->handle) return;
        }
        quit(caf::exit_reason::user_shutdown);
    }

    Result<ActorCommandDone> obey(const ActorCommand& command) {
        if (ending_) return fail(Errc::unavailable, "this node is ending", "use another node");
        for (auto& child : children_)
            if (child->plan.spec.id == command.path) return obey(*child, command);
        if (command.path == path()) {
            return fail(Errc::precondition_failed, "the root supervisor lives and dies with its node",
                        "stop the node's process instead");
        }
        return fail(Errc::not_found, "no actor at '" + command.path + "'", "`dwcp-shell -c tree` lists them");
    }

    /// A step that is allowed now: what the policy is told, and the words for it.
    struct Order {
        supervision::Command step;
        std::string doing;
        std::string outcome;
    };

    Result<ActorCommandDone> obey(Running& child, const ActorCommand& command) {
        const auto order = order_for(child, command);
        if (!order) return std::unexpected(order.error());
        if (command.dry_run) return ActorCommandDone{"would " + order->doing};
        using Verb = ActorCommand::Verb;
        if (command.verb == Verb::quarantine) {
            child.quarantine = command.who + ": " + command.reason;
            events_.record("actor_quarantined", command.path,
                           {{"who", command.who}, {"reason", command.reason}});
        } else if (command.verb == Verb::resume) {
            child.quarantine.clear();
            events_.record("actor_resumed", command.path, {{"who", command.who}});
        }
        perform(child, child.policy.step(order->step, now()));
        return ActorCommandDone{order->outcome};
    }

    Result<Order> order_for(const Running& child, const ActorCommand& command) const {
        using Verb = ActorCommand::Verb;
        const auto& path = child.plan.spec.id;
        const std::string whom = "life " + std::to_string(child.life) + " of " + path;
        const bool quarantined = !child.quarantine.empty();
        if (quarantined && command.verb != Verb::resume)
            return fail(Errc::precondition_failed, path + " is quarantined by " + child.quarantine,
                        "`actor resume` ends that");
        switch (command.verb) {
        case Verb::kill:
            if (child.handle) return Order{supervision::Command::kill, "kill " + whom, "killed " + whom};
            return fail(Errc::precondition_failed, path + " is not running now", "it is being restarted");
        case Verb::restart:
            return Order{supervision::Command::restart, "restart " + whom, "restarting " + whom};
        case Verb::quarantine:
            return Order{supervision::Command::stop, "stop " + whom + " and keep it down",
                         "quarantined " + path + " after its life " + std::to_string(child.life)};
        case Verb::resume:
            break;
        }
        if (!quarantined && child.policy.state() != supervision::ChildState::given_up)
            return fail(Errc::precondition_failed, path + " is neither quarantined nor given up",
                        "`actor restart` restarts it");
        return Order{supervision::Command::start, "start " + path, "resumed " + path};
    }

    void show(const Running& child) {
        const bool down = !child.quarantine.empty() && !child.handle;
        board_.show({child.plan.spec.id, path(),
                     down ? "quarantined" : std::string(to_string(child.policy.state())), child.life,
                     child.policy.restarts(), child.since, child.policy.last_reason(), child.quarantine});
    }

    const SupervisorOptions options_;
    Board& board_;
    EventRing& events_;
    std::vector<std::unique_ptr<Running>> children_;
    bool ending_ = false; ///< In an orderly way.
};

} // namespace

caf::actor spawn_supervisor(caf::actor_system& system, actor::ActorContext context, SupervisorOptions options,
                            Board& board, EventRing& events) {
    return system.spawn<SupervisorActor>(std::move(context), std::move(options), &board, &events);
}

} // namespace dwcp::supervisor
