#include "actors/supervisor/supervisor_actor.hpp"

#include "actors/supervisor/messages.hpp"
#include "runtime/metrics/metrics.hpp"

#include <chrono>
#include <memory>

namespace dwcp::supervisor {
namespace {

std::string words(const caf::error& reason) {
    if (!reason) return "ended normally";
    if (reason == caf::exit_reason::kill) return "killed";
    if (reason.category() == caf::atom("exit"))
        return to_string(static_cast<caf::exit_reason>(reason.code()));
    return actor::from_caf(reason).message;
}

class SupervisorActor final : public actor::Actor {
  public:
    SupervisorActor(caf::actor_config& config, actor::ActorContext context, SupervisorOptions options,
                    Board* board, EventRing* events)
        : Actor(config, std::move(context)), options_(std::move(options)), board_(*board), events_(*events) {
        set_down_handler([this](caf::down_msg& down) { child_ended(down); });
        set_exit_handler([this](caf::exit_msg& exit) {
            orderly_ = exit.reason == caf::exit_reason::user_shutdown;
            quit(exit.reason);
        });
    }

  protected:
    caf::behavior handlers() override {
        std::uint64_t seed = static_cast<std::uint64_t>(now().time_since_epoch().count());
        for (auto& child : options_.children) {
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
        if (!orderly_ && options_.on_lost) options_.on_lost();
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
        child.handle = child.plan.start(std::move(context));
        child.since = now();
        child.life = resolver().publish(child.plan.spec.id, child.handle, stats, child.since);
        monitor(child.handle);
        events_.record(child.life == 1 ? "actor_started" : "actor_restarted", child.plan.spec.id,
                       {{"life", std::to_string(child.life)}, {"reason", child.policy.last_reason()}});
        perform(child, child.policy.step(supervision::Started{}, now()));
    }

    void perform_one(Running& child, const supervision::StartAt& action) {
        after(std::max(Duration::zero(), action.at - now()),
              [this, &child] { perform(child, child.policy.step(supervision::TimerFired{}, now())); });
    }

    void perform_one(Running& child, const supervision::Stop& action) {
        if (child.handle) {
            send_exit(child.handle, action.force ? caf::exit_reason::kill : caf::exit_reason::user_shutdown);
        }
    }

    void perform_one(Running& child, const supervision::Report& report) {
        metrics::counter("dwcp_supervisor_restarts_total", "Restarts by the supervisor, by actor.",
                         {{"actor", child.plan.spec.id}})
            .add();
        events_.record("actor_ended", child.plan.spec.id,
                       {{"reason", report.reason},
                        {"restart_in_ms",
                         std::to_string(std::chrono::duration_cast<milliseconds>(report.delay).count())}});
    }

    void perform_one(Running& child, const supervision::GiveUp& action) {
        events_.record("actor_given_up", child.plan.spec.id, {{"reason", action.reason}});
    }

    void child_ended(const caf::down_msg& down) {
        for (auto& child : children_) {
            if (!child->handle || child->handle.address() != down.source) continue;
            resolver().withdraw(child->plan.spec.id, child->life);
            child->handle = nullptr;
            const auto exit = down.reason ? supervision::Exit::abnormal : supervision::Exit::normal;
            perform(*child, child->policy.step(supervision::Stopped{exit, words(down.reason)}, now()));
            return;
        }
    }

    Result<ActorCommandDone> obey(const ActorCommand& command) {
        for (auto& child : children_) {
            if (child->plan.spec.id != command.path) continue;
            const bool kill = command.verb == ActorCommand::Verb::kill;
            if (kill && !child->handle) {
                return fail(Errc::precondition_failed, command.path + " is not running now",
                            "it is being restarted");
            }
            const auto life = child->life;
            perform(*child, child->policy.step(
                                kill ? supervision::Command::kill : supervision::Command::restart, now()));
            return ActorCommandDone{(kill ? "killed life " : "restarting life ") + std::to_string(life) +
                                    " of " + command.path};
        }
        if (command.path == path()) {
            return fail(Errc::precondition_failed, "the root supervisor lives and dies with its node",
                        "stop the node's process instead");
        }
        return fail(Errc::not_found, "no actor at '" + command.path + "'", "`dwcp-shell -c tree` lists them");
    }

    void show(const Running& child) {
        board_.show({child.plan.spec.id, path(), std::string(to_string(child.policy.state())), child.life,
                     child.policy.restarts(), child.since, child.policy.last_reason()});
    }

    const SupervisorOptions options_;
    Board& board_;
    EventRing& events_;
    std::vector<std::unique_ptr<Running>> children_;
    bool orderly_ = false;
};

} // namespace

caf::actor spawn_supervisor(caf::actor_system& system, actor::ActorContext context, SupervisorOptions options,
                            Board& board, EventRing& events) {
    return system.spawn<SupervisorActor>(std::move(context), std::move(options), &board, &events);
}

} // namespace dwcp::supervisor
