// A supervision tree in simulated time, and children that write down what they do.
#pragma once

#include "actors/manager/messages.hpp"
#include "actors/supervisor/messages.hpp"
#include "actors/supervisor/supervisor_actor.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/metrics/metrics.hpp"
#include "tests/actors/fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace dwcp::test {

using namespace std::chrono_literals;
using namespace dwcp::supervisor;

using Words = std::vector<std::string>;

/// What children did, in order.
class Diary {
  public:
    void write(std::string line) {
        const std::lock_guard lock(mutex_);
        lines_.push_back(std::move(line));
    }
    Words lines() const {
        const std::lock_guard lock(mutex_);
        return lines_;
    }

  private:
    mutable std::mutex mutex_;
    Words lines_;
};

/// Answers AbortPut; with the reason "throw" it throws instead.
class ChildActor : public actor::Actor {
  public:
    ChildActor(caf::actor_config& config, actor::ActorContext context, Diary* diary)
        : Actor(config, std::move(context)), diary_(diary) {}

  protected:
    caf::behavior handlers() override {
        diary_->write("start " + path());
        return {on<manager::AbortPut>([](const manager::AbortPut& request) -> Result<manager::Acknowledged> {
            if (request.reason == "throw") throw std::runtime_error("a bug");
            return manager::Acknowledged{};
        })};
    }
    void ended() override { diary_->write("end " + path()); }

  private:
    Diary* diary_;
};

/// Ends only by force.
class StubbornActor final : public ChildActor {
  public:
    StubbornActor(caf::actor_config& config, actor::ActorContext context, Diary* diary)
        : ChildActor(config, std::move(context), diary) {
        set_exit_handler([](caf::exit_msg&) {});
    }
};

class FragileActor final : public ChildActor {
  public:
    using ChildActor::ChildActor;

  protected:
    caf::behavior handlers() override { throw std::runtime_error("cannot make its handlers"); }
};

inline supervision::ChildSpec spec(const std::string& path) {
    supervision::ChildSpec spec;
    spec.id = path;
    spec.backoff = {.min = 100ms, .max = 1s, .jitter_ratio = 0, .reset_after = 10s};
    return spec;
}

class SupervisorFixture : public ActorFixture {
  public:
    template<class A = ChildActor>
    Child child(const std::string& path) {
        return {spec(path), [this](actor::ActorContext context) -> caf::actor {
                    return system().spawn<A>(std::move(context), &diary);
                }};
    }

    /// The root over these.
    void start(std::vector<Child> children) {
        auto root_plan = plan("supervisor", std::move(children));
        root_plan.spec.escalation = supervision::Escalation::exit_process;
        start(std::move(root_plan));
    }
    void start(Plan root_plan) {
        actor::ActorContext context{.path = "supervisor", .resolver = &resolver()};
        const auto stats = context.stats;
        root =
            spawn_supervisor(system(), std::move(context), std::make_shared<const Plan>(std::move(root_plan)),
                             memory, events, [this](int code) {
                                 ++lost;
                                 lost_code = code;
                             });
        resolver().publish("supervisor", root, stats, {});
        run();
    }
    static Plan plan(const std::string& path, std::vector<Child> children) {
        Plan plan;
        plan.spec.path = path;
        plan.spec.intensity = {.restarts_max = 100, .period = 10s};
        plan.children = std::move(children);
        return plan;
    }
    static Child below(Plan plan) {
        return nested(std::make_shared<const Plan>(std::move(plan)), spec("").backoff);
    }
    ~SupervisorFixture() {
        if (root) kill(root);
        for (const auto& [supervisor, child] : memory.offspring.all())
            kill(child);
        advance(10s);
    }

    std::uint64_t life(const std::string& path) const {
        const auto live = resolver_of(*this).find(path);
        return live ? live->life : 0;
    }
    void kill_child(const std::string& path, caf::exit_reason reason = caf::exit_reason::kill) {
        kill(resolver().find(path)->handle, reason);
    }
    ChildView view(const std::string& path) const {
        const auto all = memory.board.all();
        const auto found = std::ranges::find(all, path, &ChildView::path);
        REQUIRE(found != all.end());
        return *found;
    }
    std::vector<Event> events_of(const std::string& name, const std::string& path) const {
        std::vector<Event> found;
        for (auto& event : events.latest(kEventsKept)) {
            if (event.name == name && event.subject == path) found.push_back(event);
        }
        return found;
    }
    Result<ActorCommandDone> command(ActorCommand::Verb verb, const std::string& path, bool dry_run = false) {
        const auto child = memory.board.find(path); // as the node does it
        return ask(child && !child->parent.empty() ? child->parent : "supervisor",
                   ActorCommand{verb, path, "tester", "a test", dry_run});
    }

    Diary diary;
    TreeMemory memory{{.burst = 1'000, .refill = 1ms}};
    EventRing events;
    caf::actor root;
    int lost = 0;
    int lost_code = 0;

  private:
    static actor::Resolver& resolver_of(const SupervisorFixture& self) {
        return const_cast<SupervisorFixture&>(self).resolver();
    }
};

inline double restarts_counted(const std::string& path) {
    return metrics::counter("dwcp_supervisor_restarts_total", "Restarts by the supervisor, by actor.",
                            {{"actor", path}})
        .value();
}

} // namespace dwcp::test
