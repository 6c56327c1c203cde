#include "actors/supervisor/supervisor_actor.hpp"

#include "actors/supervisor/messages.hpp"
#include "protocols/supervision/supervisor.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <optional>
#include <utility>

namespace dwcp::supervisor {
namespace {

namespace core = dwcp::supervision;

/// How often releases are looked at between a child's ends, for who reads the tree.
constexpr Duration kLookAtReleases = std::chrono::seconds(1);
/// Of the process when the root supervisor was killed. EX_SOFTWARE: a service manager starts the node afresh.
constexpr int kExitLost = 70;

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
metrics::Counter rollbacks(const std::string& path) {
    return metrics::counter("dwcp_supervisor_rollbacks_total",
                            "Times that a crash-looping actor was put back on its last good release.",
                            {{"actor", path}});
}
metrics::Counter escalations(const std::string& path) {
    return metrics::counter("dwcp_supervisor_escalations_total",
                            "Times that a supervisor had one restart too many, by supervisor.",
                            {{"supervisor", path}});
}
metrics::Counter delays(const std::string& path) {
    return metrics::counter("dwcp_supervisor_restarts_delayed_total",
                            "Restarts that waited for the node's restart budget, by supervisor.",
                            {{"supervisor", path}});
}

std::string in_ms(Duration time) {
    return std::to_string(std::chrono::duration_cast<milliseconds>(time).count());
}

class SupervisorActor final : public actor::Actor {
  public:
    SupervisorActor(caf::actor_config& config, actor::ActorContext context, std::shared_ptr<const Plan> plan,
                    TreeMemory* memory, EventRing* events, OnLost on_lost, std::string parent,
                    std::string lineage)
        : Actor(config, std::move(context)), plan_(std::move(plan)), memory_(*memory), events_(*events),
          on_lost_(std::move(on_lost)), parent_(std::move(parent)), lineage_(std::move(lineage)) {
        set_down_handler([this](caf::down_msg& down) { went_down(down); });
        set_exit_handler([this](caf::exit_msg& exit) {
            if (exit.reason == caf::exit_reason::user_shutdown)
                feed(core::Shutdown{.leave_stuck = is_root()});
            else
                quit(exit.reason);
        });
    }

  protected:
    caf::behavior handlers() override;
    void ended() override;

  private:
    struct Member {
        const Child* plan = nullptr;
        caf::actor handle;
        std::uint64_t incarnation = 0;     ///< The core's name of its life.
        std::uint64_t life = 0;            ///< The resolver's.
        std::uint64_t restarts_before = 0; ///< In former lives of this supervisor.
        std::string reason_before;
        TimePoint since{};
        Duration delay{};        ///< Of the restart under way.
        bool recovering = false; ///< Or recovered, and not to be started any more: a life without an actor.
        std::string not_left;    ///< A release that it should have been rolled back from.
        std::string failed_rollback;       ///< Why its next life may not begin; empty: it may.
        std::optional<core::Ended> orphan; ///< Told when `orphans` is zero.
        std::size_t orphans = 0;           ///< What a dead supervisor has left that has not yet ended.
    };
    struct Orphan {
        Member* member = nullptr; ///< Whose next life waits for its end.
        std::string supervisor;
        std::string path;
        caf::actor handle;
    };

    bool is_root() const { return parent_.empty(); }
    Member& member(const std::string& path) { return members_.at(path); }
    core::SupervisorSpec begin_spec();
    void feed(core::Event event);
    void work();
    void step(const core::Event& event);
    void look_at_releases();
    void keep_looking();

    void perform(const core::Recover& action);
    void perform(const core::Start& action);
    void perform(const core::Stop& action);
    void perform(const core::Kill& action);
    void perform(const core::WakeAt& action);
    void perform(const core::Report& action);
    void perform(const core::Delayed& action);
    void perform(const core::RollBack& action);
    void perform(const core::Quarantined& action);
    void perform(const core::Stuck& action);
    void perform(const core::Escalate& action);
    void perform(const core::Up&) { now_ready(); }
    void perform(const core::Finished& action);

    bool begin_life(Member& member, std::uint64_t incarnation);
    Result<caf::actor> spawn(const Member& member, actor::ActorContext context);
    void tell_start(const Member& member);
    void end_by(const Member& member, caf::exit_reason reason);
    void life_over(Member& member, core::Exit exit, std::string reason);
    void went_down(const caf::down_msg& down);
    void adopt(Member& member, const std::string& supervisor);

    Result<ActorCommandDone> obey(const ActorCommand& command);
    std::string lineage_of(const std::string& path) const { return lineage_ + " > " + path; }
    void show();
    ChildView view_of(const Plan& plan) const;

    const std::shared_ptr<const Plan> plan_;
    TreeMemory& memory_;
    EventRing& events_;
    const OnLost on_lost_; ///< The root's.
    const std::string parent_;
    const std::string lineage_; ///< From the root to itself.

    std::optional<core::Supervisor> core_;
    std::map<std::string, Member> members_;
    std::map<caf::actor_addr, Orphan> orphans_;
    std::deque<core::Event> waiting_; ///< While actions are performed.
    bool performing_ = false;
    bool finished_ = false;            ///< In an orderly way, or told already.
    std::string operator_quarantines_; ///< The path that a command quarantines now: told with its operator.
};

// --- its life

caf::behavior SupervisorActor::handlers() {
    not_ready_yet();
    escalations(path()); // a series that appears with its first increment has no rate yet
    delays(path());
    core_.emplace(begin_spec(), static_cast<std::uint64_t>(now().time_since_epoch().count()));
    keep_looking();
    feed(core::Begin{});
    return {on<ActorCommand>([this](const ActorCommand& command) { return obey(command); })};
}

/// The declared tree, with what the node remembers of a former life of this supervisor.
core::SupervisorSpec SupervisorActor::begin_spec() {
    core::SupervisorSpec spec = plan_->spec;
    spec.children.clear();
    for (const Child& child : plan_->children) {
        core::ChildSpec own = child.spec;
        restarts(own.id);
        Member& member = members_[own.id];
        member.plan = &child;
        own.recovers = child.recover != nullptr;
        if (child.release) own.release = child.release();
        own.on_trial = child.on_trial && child.on_trial();
        if (own.roll_back) rollbacks(own.id);
        if (const auto before = memory_.board.find(own.id)) {
            own.quarantine = before->quarantine;
            if (!before->last_good_release.empty()) own.last_good = before->last_good_release;
            member.life = before->life;
            member.restarts_before = before->restarts;
            member.reason_before = before->last_reason;
        }
        spec.children.push_back(std::move(own));
    }
    return spec;
}

void SupervisorActor::ended() {
    for (auto child = plan_->children.rbegin(); child != plan_->children.rend(); ++child) {
        const auto& id = child->spec.id;
        auto view = memory_.board.find(id);
        if (view && view->quarantine.empty()) {
            view->state = "stopped";
            memory_.board.show(std::move(*view));
        }
        Member& gone = members_[id];
        if (!gone.handle) continue;
        // Whoever has started this supervisor waits for them: they are in memory_.offspring.
        resolver().withdraw(id, gone.life);
        caf::anon_send_exit(gone.handle, caf::exit_reason::user_shutdown);
        gone.handle = nullptr;
    }
    if (is_root() && !std::exchange(finished_, true) && on_lost_) on_lost_(kExitLost);
}

// --- the core

void SupervisorActor::feed(core::Event event) {
    waiting_.push_back(std::move(event));
    if (!performing_) work();
}

void SupervisorActor::work() {
    performing_ = true;
    look_at_releases();
    while (!waiting_.empty()) {
        const auto next = std::move(waiting_.front());
        waiting_.pop_front();
        step(next);
        look_at_releases();
    }
    performing_ = false;
    show();
}

void SupervisorActor::step(const core::Event& event) {
    std::vector<core::Action> actions;
    {
        const std::lock_guard lock(memory_.budget_mutex);
        actions = core_->step(event, now(), memory_.budget);
    }
    for (const auto& action : actions)
        std::visit([this](const auto& what) { perform(what); }, action);
}

/// Around each step, so that a death is counted for the release that runs.
void SupervisorActor::look_at_releases() {
    for (const Child& child : plan_->children) {
        if (!child.release) continue;
        auto release = child.release();
        const auto known = core_->child(child.spec.id);
        // After a rollback that failed it still says the release that it was to leave: that is not a new one,
        // whose record would start afresh, again and again.
        const auto& not_left = member(child.spec.id).not_left;
        if (!not_left.empty() && release == not_left) continue;
        const bool on_trial = child.on_trial && child.on_trial();
        if (known && (known->release != release || known->on_trial != on_trial))
            step(core::NewRelease{child.spec.id, std::move(release), on_trial});
    }
}

void SupervisorActor::keep_looking() {
    if (std::ranges::none_of(plan_->children, [](const Child& child) { return child.release != nullptr; }))
        return;
    after(kLookAtReleases, [this] {
        work();
        keep_looking();
    });
}

void SupervisorActor::perform(const core::WakeAt& action) {
    after(std::max(Duration::zero(), action.at - now()),
          [this, generation = action.generation] { feed(core::Wake{generation}); });
}

void SupervisorActor::perform(const core::Finished& action) {
    finished_ = action.exit == core::Exit::normal;
    if (finished_) return quit(caf::exit_reason::user_shutdown);
    if (is_root()) {
        finished_ = true;
        if (on_lost_) on_lost_(action.exit_process ? action.exit_code : kExitLost);
    }
    quit(actor::to_caf({Errc::unavailable, action.reason, {}}));
}

// --- starting

void SupervisorActor::perform(const core::Recover& action) {
    Member& child = member(action.child);
    if (!begin_life(child, action.incarnation)) return;
    child.recovering = true;
    const auto done = [this, id = action.child, incarnation = action.incarnation,
                       post = poster()](Result<void> recovered) {
        post([this, id, incarnation, recovered = std::move(recovered)] {
            Member& child = member(id);
            if (child.incarnation != incarnation || !child.recovering) return; // dropped meanwhile
            if (recovered) return feed(core::Recovered{id, incarnation});      // Start follows, or else Stop
            life_over(child, core::Exit::abnormal,
                      "its state was not recovered: " + recovered.error().message);
        });
    };
    try {
        child.plan->recover(done);
    } catch (const std::exception& thrown) {
        done(fail(Errc::internal, thrown.what()));
    }
}

/// False if a rollback that had to come before it has failed; then the life is over.
bool SupervisorActor::begin_life(Member& member, std::uint64_t incarnation) {
    member.incarnation = incarnation;
    if (member.failed_rollback.empty()) return true;
    life_over(member, core::Exit::abnormal,
              "it could not be rolled back: " + std::exchange(member.failed_rollback, {}));
    return false;
}

void SupervisorActor::perform(const core::Start& action) {
    Member& child = member(action.child);
    const auto& id = action.child;
    if (child.incarnation != action.incarnation && !begin_life(child, action.incarnation)) return;
    child.recovering = false;
    actor::ActorContext context{.path = id, .resolver = &resolver()};
    const auto stats = context.stats;
    const auto started = spawn(child, std::move(context));
    if (!started) return life_over(child, core::Exit::abnormal, started.error().message);
    child.handle = *started;
    child.since = now();
    memory_.offspring.add(path(), id, child.handle);
    child.life = resolver().publish(id, child.handle, stats, child.since);
    monitor(child.handle);
    tell_start(child);
    // Its start deadline is the core's business; this one only frees what waits here.
    request(child.handle, child.plan->spec.start_timeout * 2,
            actor::Local<actor::AwaitReady>(actor::AwaitReady{}))
        .then(
            [this, id, incarnation = action.incarnation](const actor::Local<actor::Ready>&) {
                feed(core::Ready{id, incarnation});
            },
            [](const caf::error&) {}); // it went down, which comes by itself, or is late
}

Result<caf::actor> SupervisorActor::spawn(const Member& member, actor::ActorContext context) {
    std::string why = "its factory gave no actor";
    try {
        const Child& plan = *member.plan;
        if (plan.below)
            return home_system().spawn<SupervisorActor>(std::move(context), plan.below, &memory_, &events_,
                                                        OnLost{}, path(), lineage_of(plan.spec.id));
        if (auto handle = plan.start(std::move(context))) return handle;
    } catch (const std::exception& thrown) {
        why = thrown.what();
    } catch (...) {
        why = "unknown exception";
    }
    return fail(Errc::internal, "it could not be started: " + why);
}

void SupervisorActor::tell_start(const Member& member) {
    const auto& id = member.plan->spec.id;
    std::map<std::string, std::string> fields{{"life", std::to_string(member.life)},
                                              {"tree", lineage_of(id)}};
    const auto status = core_->child(id);
    if (!status->release.empty()) fields["release"] = status->release;
    if (member.life > 1) {
        fields["reason"] = status->last_reason.empty() ? path() + " was restarted" : status->last_reason;
        fields["delay_ms"] = in_ms(member.delay);
    }
    events_.record(member.life == 1 ? "actor_started" : "actor_restarted", id, std::move(fields));
    members_[id].delay = {};
}

// --- ending

void SupervisorActor::perform(const core::Stop& action) {
    end_by(member(action.child), caf::exit_reason::user_shutdown);
}

void SupervisorActor::perform(const core::Kill& action) {
    end_by(member(action.child), caf::exit_reason::kill);
}

void SupervisorActor::end_by(const Member& member, caf::exit_reason reason) {
    if (member.handle) return send_exit(member.handle, reason);
    if (!member.recovering) return; // it has ended, and waits for what it left behind
    life_over(members_[member.plan->spec.id], core::Exit::abnormal, "its recovery was dropped");
}

void SupervisorActor::life_over(Member& member, core::Exit exit, std::string reason) {
    const auto& id = member.plan->spec.id;
    member.recovering = false;
    events_.record("actor_ended", id,
                   {{"reason", reason}, {"life", std::to_string(member.life)}, {"tree", lineage_of(id)}});
    core::Ended over{id, member.incarnation, exit, std::move(reason)};
    if (member.plan->below) adopt(member, id);
    if (member.orphans > 0)
        member.orphan = std::move(over);
    else
        feed(std::move(over));
}

/// A supervisor that was killed has ended nobody, and its next life must not start a second one beside them.
void SupervisorActor::adopt(Member& member, const std::string& supervisor) {
    for (auto& [child, handle] : memory_.offspring.of(supervisor)) {
        ++member.orphans;
        monitor(handle);
        send_exit(handle, caf::exit_reason::kill);
        orphans_[handle.address()] = Orphan{&member, supervisor, child, handle};
    }
}

void SupervisorActor::went_down(const caf::down_msg& down) {
    if (const auto found = orphans_.find(down.source); found != orphans_.end()) {
        const Orphan orphan = std::move(found->second);
        orphans_.erase(found);
        memory_.offspring.remove(orphan.supervisor, orphan.path);
        adopt(*orphan.member, orphan.path); // it may have been a supervisor
        if (--orphan.member->orphans == 0) feed(*std::exchange(orphan.member->orphan, std::nullopt));
        return;
    }
    for (auto& [id, child] : members_) {
        if (!child.handle || child.handle.address() != down.source) continue;
        resolver().withdraw(id, child.life);
        memory_.offspring.remove(path(), id);
        child.handle = nullptr;
        const bool normal = !down.reason || down.reason == caf::exit_reason::user_shutdown;
        return life_over(child, normal ? core::Exit::normal : core::Exit::abnormal, words(down.reason));
    }
}

// --- what operators see

void SupervisorActor::perform(const core::Report& action) {
    Member& child = member(action.child);
    restarts(action.child).add();
    child.delay = action.delay;
    memory_.board.add({unix_now_ms(), action.child, lineage_of(action.child), child.life, action.reason,
                       action.delay, core_->child(action.child)->release});
}

void SupervisorActor::perform(const core::Delayed& action) {
    delays(path()).add();
    events_.record(
        "actor_restart_delayed", action.child,
        {{"reason", "the node's restart budget is empty"}, {"wait_ms", in_ms(action.until - now())}});
}

void SupervisorActor::perform(const core::RollBack& action) {
    Member& child = member(action.child);
    rollbacks(action.child).add();
    Result<void> done;
    if (child.plan->roll_back) done = child.plan->roll_back(action.from, action.to, action.reason);
    if (!done) child.failed_rollback = done.error().message;
    child.not_left = done ? "" : action.from;
    events_.record("release_rolled_back", action.child,
                   {{"from", action.from},
                    {"to", action.to},
                    {"reason", action.reason},
                    {"tree", lineage_of(action.child)},
                    {"result", done ? "ok" : done.error().message}});
}

void SupervisorActor::perform(const core::Quarantined& action) {
    if (action.child == operator_quarantines_) return; // told where it was commanded, with its operator
    events_.record("actor_quarantined", action.child,
                   {{"who", path()}, {"reason", action.reason}, {"tree", lineage_of(action.child)}});
}

void SupervisorActor::perform(const core::Stuck& action) {
    events_.record("actor_stuck", action.child, {{"life", std::to_string(member(action.child).life)}});
    log::error("actor_stuck",
               {{"remedy", "it does not look at its mailbox; `actor trace` says at what it is"}},
               {.actor = action.child});
}

void SupervisorActor::perform(const core::Escalate& action) {
    escalations(path()).add();
    events_.record("supervisor_escalated", path(),
                   {{"how", std::string(core::to_string(action.how))},
                    {"child", action.child},
                    {"reason", action.reason},
                    {"tree", lineage_}});
}

/// The root shows itself too: nobody else does.
void SupervisorActor::show() {
    for (const auto& status : core_->children()) {
        const Member& child = members_[status.id];
        auto view = child.plan->below ? view_of(*child.plan->below) : ChildView{};
        view.path = status.id;
        view.parent = path();
        view.state = core::to_string(status.state);
        view.life = child.life;
        view.restarts = child.restarts_before + status.restarts;
        view.since = child.since;
        view.last_reason = status.last_reason.empty() ? child.reason_before : status.last_reason;
        view.quarantine = status.quarantine;
        view.release = status.release;
        view.last_good_release = status.last_good;
        memory_.board.show(std::move(view));
    }
    if (!is_root()) return;
    auto view = view_of(*plan_);
    view.path = path();
    view.state = core::to_string(core_->state());
    view.life = 1;
    memory_.board.show(std::move(view));
}

ChildView SupervisorActor::view_of(const Plan& plan) const {
    ChildView view;
    view.strategy = core::to_string(plan.spec.strategy);
    view.escalation = core::to_string(plan.spec.escalation);
    view.intensity = plan.spec.intensity.restarts_max;
    view.period = plan.spec.intensity.period;
    return view;
}

// --- what operators command

Result<ActorCommandDone> SupervisorActor::obey(const ActorCommand& command) {
    using Verb = ActorCommand::Verb;
    const auto& id = command.path;
    if (id == path() && is_root())
        return fail(Errc::precondition_failed, "the root supervisor lives and dies with its node",
                    "stop the node's process instead");
    const auto found = members_.find(id);
    if (found == members_.end())
        return fail(Errc::not_found, "no actor at '" + id + "' below " + path(),
                    "`dwcp-shell -c tree` lists them");
    struct Words {
        core::Verb verb;
        std::string doing;
        std::string outcome;
    };
    const std::string life = std::to_string(found->second.life);
    const std::map<Verb, Words> words{
        {Verb::kill,
         {core::Verb::kill, "kill life " + life + " of " + id, "killed life " + life + " of " + id}},
        {Verb::restart,
         {core::Verb::restart, "restart life " + life + " of " + id,
          "restarting life " + life + " of " + id}},
        {Verb::quarantine,
         {core::Verb::quarantine, "stop life " + life + " of " + id + " and keep it down",
          "quarantined " + id + " after its life " + life}},
        {Verb::resume, {core::Verb::resume, "start " + id, "resumed " + id}},
    };
    const auto& order = words.at(command.verb);
    const core::Command step{id, order.verb, command.who, command.reason};
    if (auto possible = core_->check(step); !possible) return std::unexpected(possible.error());
    if (command.dry_run) return ActorCommandDone{"would " + order.doing};
    if (command.verb == Verb::quarantine) {
        operator_quarantines_ = id;
        events_.record("actor_quarantined", id,
                       {{"who", command.who}, {"reason", command.reason}, {"tree", lineage_of(id)}});
    } else if (command.verb == Verb::resume) {
        events_.record("actor_resumed", id, {{"who", command.who}});
    }
    feed(step);
    operator_quarantines_.clear();
    return ActorCommandDone{order.outcome};
}

} // namespace

caf::actor spawn_supervisor(caf::actor_system& system, actor::ActorContext context,
                            std::shared_ptr<const Plan> plan, TreeMemory& memory, EventRing& events,
                            OnLost on_lost) {
    auto lineage = context.path;
    return system.spawn<SupervisorActor>(std::move(context), std::move(plan), &memory, &events,
                                         std::move(on_lost), std::string{}, std::move(lineage));
}

} // namespace dwcp::supervisor
