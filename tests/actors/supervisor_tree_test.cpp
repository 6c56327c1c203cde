// Supervisors below supervisors: what happens when they, or those below them, keep failing or are slow.
#include "tests/actors/supervisor_rig.hpp"

using namespace dwcp;
using namespace dwcp::test;

namespace {

/// Ready when it is sent a DeleteObject.
class SlowActor final : public ChildActor {
  public:
    using ChildActor::ChildActor;

  protected:
    caf::behavior handlers() override {
        not_ready_yet();
        const caf::behavior own = ChildActor::handlers();
        const auto get_ready = [this](const manager::DeleteObject&) -> Result<manager::ObjectDeleted> {
            now_ready();
            return manager::ObjectDeleted{};
        };
        return caf::message_handler{on<manager::DeleteObject>(get_ready)}.or_else(
            caf::message_handler(own.as_behavior_impl()));
    }
};

struct TreeFixture : SupervisorFixture {
    /// "supervisor" over "supervisor/a" with one and two, and "supervisor/b" with three.
    void start_two(supervision::Intensity of_a = {.restarts_max = 100, .period = 10s},
                   supervision::Intensity of_root = {.restarts_max = 100, .period = 10s}) {
        auto a = plan("supervisor/a", {child("one"), child("two")});
        a.spec.intensity = of_a;
        auto root_plan =
            plan("supervisor", {below(std::move(a)), below(plan("supervisor/b", {child("three")}))});
        root_plan.spec.intensity = of_root;
        root_plan.spec.escalation = supervision::Escalation::exit_process;
        start(std::move(root_plan));
    }
    bool has_event(const std::string& name, const std::string& path) const {
        return !events_of(name, path).empty();
    }
    std::size_t count(const std::string& line) const {
        return static_cast<std::size_t>(std::ranges::count(diary.lines(), line));
    }
};

} // namespace

TEST_CASE_METHOD(TreeFixture, "a tree starts in order, is shown with its supervisors, and stops in reverse") {
    start_two();
    CHECK(diary.lines() == Words{"start one", "start two", "start three"});
    CHECK(view("supervisor").parent.empty());
    CHECK(view("supervisor").state == "running");
    CHECK(view("supervisor").escalation == "exit_process");
    CHECK(view("supervisor/a").parent == "supervisor");
    CHECK(view("supervisor/a").strategy == "one_for_one");
    CHECK(view("one").parent == "supervisor/a");
    CHECK(view("one").strategy.empty());
    CHECK(events_of("actor_started", "two")[0].fields.at("tree") == "supervisor > supervisor/a > two");
    kill(root, caf::exit_reason::user_shutdown);
    const auto lines = diary.lines();
    CHECK(Words(lines.end() - 3, lines.end()) == Words{"end three", "end two", "end one"});
    CHECK(lost == 0);
    CHECK(memory.offspring.all().empty());
}

TEST_CASE_METHOD(TreeFixture, "what starts next waits until the one before is ready") {
    start({child<SlowActor>("slow"), child("next")});
    CHECK(view("slow").state == "starting");
    CHECK(life("slow") == 1); // can be asked already
    CHECK(life("next") == 0);
    CHECK(view("supervisor").state == "starting");
    CHECK(ask("slow", manager::DeleteObject{}));
    run();
    CHECK(view("slow").state == "running");
    CHECK(view("next").state == "running");
    CHECK(view("supervisor").state == "running");
}

TEST_CASE_METHOD(TreeFixture, "one that is not ready in time is ended and tried again") {
    auto slow = child<SlowActor>("slow");
    slow.spec.start_timeout = 3s;
    start({std::move(slow), child("next")});
    advance(2999ms);
    CHECK(life("slow") == 1);
    advance(1ms);
    CHECK(view("slow").state == "backing_off");
    CHECK(view("slow").last_reason == "it was not ready within 3000 ms");
    advance(100ms);
    CHECK(life("slow") == 2);
    CHECK(life("next") == 0);
    CHECK(ask("slow", manager::DeleteObject{}));
    run();
    CHECK(life("next") == 1);
    advance(10s);
    CHECK(life("slow") == 2);
}

TEST_CASE_METHOD(TreeFixture, "one that is killed while it starts comes back, once") {
    start({child<SlowActor>("slow"), child("next")});
    kill_child("slow");
    CHECK(life("slow") == 0);
    CHECK(command(ActorCommand::Verb::kill, "next").error().code == Errc::precondition_failed);
    advance(100ms);
    CHECK(life("slow") == 2);
    CHECK(count("start slow") == 2);
    CHECK(ask("slow", manager::DeleteObject{}));
    run();
    CHECK(view("supervisor").state == "running");
    CHECK(life("next") == 1);
}

TEST_CASE_METHOD(TreeFixture, "one that is killed while it is being restarted comes back, once") {
    start({child<StubbornActor>("one"), child("two")});
    REQUIRE(command(ActorCommand::Verb::restart, "one"));
    run();
    CHECK(view("one").state == "stopping");
    SECTION("by an operator") { REQUIRE(command(ActorCommand::Verb::kill, "one")); }
    SECTION("from outside") { kill_child("one"); }
    SECTION("at the end of its grace") { advance(5s); }
    run();
    CHECK(life("one") == 2);
    CHECK(count("start one") == 2);
    CHECK(count("end one") == 1);
    CHECK(view("one").restarts == 0); // it was a command
    advance(10s);
    CHECK(life("one") == 2);
    CHECK(life("two") == 1);
}

TEST_CASE_METHOD(TreeFixture, "a killed supervisor comes back with all below it, and no child lives twice") {
    start_two();
    const auto counted = restarts_counted("supervisor/a");
    const std::string how = GENERATE("killed", "failed", "commanded");
    CAPTURE(how);
    if (how == "killed") kill_child("supervisor/a");
    if (how == "failed") kill_child("supervisor/a", caf::exit_reason::unhandled_exception);
    if (how == "commanded") REQUIRE(command(ActorCommand::Verb::kill, "supervisor/a"));
    run();
    CHECK(life("supervisor/a") == 0);
    CHECK(life("one") == 0);
    CHECK(view("one").state == "stopped");
    CHECK(count("end one") == 1);
    CHECK(count("end two") == 1);
    advance(100ms);
    CHECK(life("supervisor/a") == 2);
    CHECK(life("one") == 2);
    CHECK(life("two") == 2);
    CHECK(life("three") == 1); // its siblings never noticed
    CHECK(count("start one") == 2);
    CHECK(restarts_counted("supervisor/a") == counted + 1);
    CHECK(view("supervisor/a").restarts == 1);
    CHECK(view("one").restarts == 0);
    CHECK(events_of("actor_restarted", "one")[0].fields.at("reason") == "supervisor/a was restarted");
    kill_child("one"); // and it is supervised as before
    advance(100ms);
    CHECK(life("one") == 3);
    CHECK(lost == 0);
}

TEST_CASE_METHOD(TreeFixture, "a supervisor starts again only when all that it left behind has ended") {
    auto a = plan("supervisor/a", {child("one"), child<StubbornActor>("stubborn")});
    start({below(std::move(a)), child("last")});
    const auto stubborn = *resolver().find("stubborn");
    stubborn.stats->pause.begin(); // it hangs, and does not even see that it is killed
    kill_child("supervisor/a");
    advance(1s);
    CHECK(count("end stubborn") == 0);
    CHECK(life("supervisor/a") == 0);
    CHECK(count("start one") == 1);
    stubborn.stats->pause.end();
    run();
    CHECK(count("end stubborn") == 1);
    advance(100ms);
    CHECK(life("supervisor/a") == 2);
    CHECK(life("stubborn") == 2);
    CHECK(count("start stubborn") == 2);
}

TEST_CASE_METHOD(TreeFixture, "a shutdown waits for what a dead supervisor has left behind") {
    start_two();
    const auto one = *resolver().find("one");
    one.stats->pause.begin();
    kill_child("supervisor/a");
    kill(root, caf::exit_reason::user_shutdown);
    CHECK(count("end three") == 1);
    CHECK(resolver().find("supervisor")); // the test has published it; it has not ended yet
    CHECK_FALSE(memory.offspring.all().empty());
    one.stats->pause.end();
    run();
    CHECK(count("end one") == 1);
    CHECK(memory.offspring.all().empty());
    advance(10s);
    CHECK(count("start one") == 1);
    CHECK(lost == 0);
}

TEST_CASE_METHOD(TreeFixture, "a supervisor that is killed while it starts comes back and starts the rest") {
    start({below(plan("supervisor/a", {child<SlowActor>("slow"), child("two")})), child("last")});
    CHECK(view("supervisor/a").state == "starting");
    CHECK(life("last") == 0);
    kill_child("supervisor/a");
    advance(100ms);
    CHECK(life("slow") == 2);
    CHECK(count("end slow") == 1);
    CHECK(life("two") == 0);
    CHECK(ask("slow", manager::DeleteObject{}));
    run();
    CHECK(life("two") == 1);
    CHECK(life("last") == 1);
    CHECK(view("supervisor/a").state == "running");
}

TEST_CASE_METHOD(TreeFixture,
                 "one restart too many ends the supervisor, whose parent restarts it with all below") {
    start_two({.restarts_max = 3, .period = 10s});
    for (int deaths = 0; deaths < 3; ++deaths) {
        kill_child("one");
        advance(2s);
        REQUIRE(life("one") != 0);
    }
    CHECK_FALSE(has_event("supervisor_escalated", "supervisor/a"));
    kill_child("one");
    const auto escalated = events_of("supervisor_escalated", "supervisor/a");
    REQUIRE(escalated.size() == 1);
    CHECK(escalated[0].fields.at("how") == "parent");
    CHECK(escalated[0].fields.at("child") == "one");
    CHECK(escalated[0].fields.at("tree") == "supervisor > supervisor/a");
    CHECK(life("two") == 0); // its siblings were stopped, in order
    advance(100ms);
    CHECK(life("supervisor/a") == 2);
    CHECK(life("two") == 2);
    CHECK(life("three") == 1);
    CHECK(view("one").restarts == 3); // remembered, though its supervisor is a new one
    CHECK(view("supervisor/a").last_reason.find("more than 3 restarts within 10000 ms") != std::string::npos);
    CHECK(lost == 0);
}

TEST_CASE_METHOD(TreeFixture, "a root that has one restart too many gives the process up, with its code") {
    start_two({.restarts_max = 100, .period = 10s}, {.restarts_max = 2, .period = 60s});
    for (int deaths = 0; deaths < 2; ++deaths) {
        kill_child("supervisor/b");
        advance(2s);
        CHECK(lost == 0);
    }
    kill_child("supervisor/b");
    CHECK(lost == 1);
    CHECK(lost_code == 70);
    CHECK(events_of("supervisor_escalated", "supervisor")[0].fields.at("how") == "exit_process");
    CHECK(memory.offspring.all().empty()); // all were ended first
    CHECK(count("end one") == 1);
}

TEST_CASE_METHOD(TreeFixture, "one that keeps failing is quarantined, and its siblings go on") {
    auto poison = child("poison");
    poison.spec.poison = {.deaths = 3, .period = 60s};
    start({below(plan("supervisor/a", {std::move(poison), child("good")}))});
    for (int deaths = 0; deaths < 3; ++deaths) {
        REQUIRE(ask("poison", manager::AbortPut{"w", "throw"}).error().code != Errc::deadline_exceeded);
        advance(1s);
    }
    CHECK(life("poison") == 0);
    CHECK(view("poison").state == "quarantined");
    CHECK(view("poison").quarantine.find("3 ends within 60000 ms") == 0);
    CHECK(view("poison").quarantine.find("a bug") != std::string::npos);
    const auto quarantined = events_of("actor_quarantined", "poison");
    REQUIRE(quarantined.size() == 1);
    CHECK(quarantined[0].fields.at("who") == "supervisor/a");
    CHECK(life("good") == 1);

    kill_child("supervisor/a"); // the quarantine outlives the supervisor that decided it
    advance(10s);
    CHECK(life("good") == 2);
    CHECK(life("poison") == 0);
    CHECK(view("poison").state == "quarantined");

    CHECK(command(ActorCommand::Verb::resume, "poison").value().outcome == "resumed poison");
    run();
    CHECK(life("poison") == 4);
    kill_child("poison"); // with a clean record
    advance(1s);
    CHECK(life("poison") == 5);
}

TEST_CASE_METHOD(TreeFixture,
                 "one that keeps failing at its start holds up those after it until its quarantine") {
    auto fragile = child<FragileActor>("fragile");
    fragile.spec.poison = {.deaths = 3, .period = 60s};
    start({below(plan("supervisor/a", {std::move(fragile)})), child("last")});
    CHECK(life("last") == 0);
    advance(100ms);
    advance(200ms);
    CHECK(view("fragile").state == "quarantined");
    CHECK(life("last") == 1);
}

TEST_CASE_METHOD(TreeFixture,
                 "operators command what is deep in the tree through the supervisor that owns it") {
    using Verb = ActorCommand::Verb;
    start_two();
    CHECK(command(Verb::kill, "two").value().outcome == "killed life 1 of two");
    advance(100ms);
    CHECK(life("two") == 2);
    CHECK(command(Verb::quarantine, "supervisor/a", true).value().outcome ==
          "would stop life 1 of supervisor/a and keep it down");
    CHECK(command(Verb::quarantine, "supervisor/a"));
    advance(10s);
    for (const char* path : {"supervisor/a", "one", "two"})
        CHECK(life(path) == 0);
    CHECK(view("supervisor/a").state == "quarantined");
    CHECK(view("one").state == "stopped");
    CHECK(life("three") == 1);
    CHECK(command(Verb::kill, "one").error().code == Errc::unavailable); // nobody is there to do it
    CHECK(command(Verb::resume, "supervisor/a"));
    run();
    CHECK(life("one") == 2);
    CHECK(command(Verb::restart, "supervisor/a").value().outcome == "restarting life 2 of supervisor/a");
    run();
    CHECK(life("supervisor/a") == 3);
    CHECK(life("one") == 3);
    CHECK(view("supervisor/a").restarts == 0);
    const auto misled = ask("supervisor/b", ActorCommand{Verb::kill, "one", "tester", "", false});
    REQUIRE_FALSE(misled);
    CHECK(misled.error().code == Errc::not_found);
}

TEST_CASE_METHOD(TreeFixture, "an empty budget of the node makes restarts wait, whoever asks for them") {
    // A bucket of one: the second restart waits for the next token.
    memory.budget = supervision::RestartBudget({.burst = 1, .refill = 5s});
    start_two();
    kill_child("one");
    kill_child("three");
    advance(100ms);
    const bool first_is_back = life("one") == 2;
    CHECK(first_is_back);
    CHECK(life("three") == 0);
    CHECK(view("three").state == "backing_off");
    CHECK(has_event("actor_restart_delayed", "three"));
    advance(5s);
    CHECK(life("three") == 2);
}

// --- recovery

TEST_CASE_METHOD(TreeFixture, "state is restored before an actor starts, and again before each life") {
    std::function<void(Result<void>)> done;
    auto recovering = child("one");
    recovering.recover = [&](std::function<void(Result<void>)> then) { done = std::move(then); };
    start({std::move(recovering), child("two")});
    CHECK(view("one").state == "recovering");
    CHECK(life("two") == 0);
    REQUIRE(done);
    std::exchange(done, nullptr)({});
    run();
    CHECK(life("one") == 1);
    CHECK(life("two") == 1);
    kill_child("one");
    advance(100ms);
    CHECK(view("one").state == "recovering");
    CHECK(life("one") == 0);
    std::exchange(done, nullptr)({});
    run();
    CHECK(life("one") == 2);
}

TEST_CASE_METHOD(TreeFixture, "a recovery that fails, throws or takes too long is tried again") {
    int tries = 0;
    std::vector<std::function<void(Result<void>)>> silent;
    auto recovering = child("one");
    recovering.spec.recovery_timeout = 2s;
    recovering.recover = [&](std::function<void(Result<void>)> done) {
        ++tries;
        if (tries == 1) return done(fail(Errc::io_error, "record 7 is damaged"));
        if (tries == 2) throw std::runtime_error("no disk");
        if (tries == 3) return silent.push_back(std::move(done));
        done({});
    };
    start({std::move(recovering)});
    CHECK(view("one").last_reason == "its state was not recovered: record 7 is damaged");
    advance(100ms);
    CHECK(view("one").last_reason == "its state was not recovered: no disk");
    advance(200ms);
    CHECK(view("one").state == "recovering");
    advance(2s);
    CHECK(view("one").state == "backing_off");
    CHECK(view("one").last_reason == "its state was not recovered within 2000 ms");
    silent.at(0)({}); // too late: nobody believes it
    run();
    CHECK(life("one") == 0);
    advance(400ms);
    CHECK(tries == 4);
    CHECK(life("one") == 1);
    CHECK(count("start one") == 1);
    CHECK(view("one").restarts == 3);
}

// --- releases

namespace {

struct ReleaseFixture : TreeFixture {
    Child released() {
        auto released = child("one");
        released.spec.roll_back = {.deaths = 3, .period = 60s};
        released.spec.poison = {.deaths = 6, .period = 60s};
        released.spec.last_good = "stable-1";
        released.release = [this] { return release; };
        released.on_trial = [this] { return on_trial; };
        released.roll_back = [this](const std::string& from, const std::string& to,
                                    const std::string& reason) -> Result<void> {
            rolled_back.push_back(from + " to " + to + ": " + reason);
            if (!refusal.empty()) return fail(Errc::io_error, refusal);
            release = to;
            return {};
        };
        return released;
    }
    void die(int times) {
        for (int i = 0; i < times; ++i) {
            kill_child("one");
            advance(2s);
        }
    }

    std::string release = "canary-2";
    bool on_trial = false;
    std::string refusal;
    std::vector<std::string> rolled_back;
};

} // namespace

TEST_CASE_METHOD(ReleaseFixture, "a crash-looping release is put back on the last good one, which runs on") {
    start({released()});
    CHECK(view("one").release == "canary-2");
    CHECK(view("one").last_good_release == "stable-1");
    die(2);
    CHECK(rolled_back.empty());
    die(1);
    REQUIRE(rolled_back.size() == 1);
    CHECK(rolled_back[0].find("canary-2 to stable-1: 3 ends within 60000 ms") == 0);
    const auto told = events_of("release_rolled_back", "one");
    REQUIRE(told.size() == 1);
    CHECK(told[0].fields.at("from") == "canary-2");
    CHECK(told[0].fields.at("to") == "stable-1");
    CHECK(life("one") == 4);
    CHECK(view("one").release == "stable-1");
    die(2); // with a clean record; and there is nothing to go back to from the last good one
    CHECK(rolled_back.size() == 1);
    CHECK(life("one") == 6);
    CHECK(memory.board.restarts().at(1).release == "canary-2");
    CHECK(memory.board.restarts().at(2).release == "stable-1");
}

TEST_CASE_METHOD(ReleaseFixture, "a release is judged by the ends of its own lives") {
    release = "stable-1";
    start({released()});
    die(2);
    release = "canary-2"; // the ramp has moved on while the actor ran
    advance(1s);
    CHECK(view("one").release == "canary-2");
    die(1); // of a life that stable-1 began
    die(2);
    CHECK(rolled_back.empty());
    die(1);
    CHECK(rolled_back.size() == 1);
}

TEST_CASE_METHOD(ReleaseFixture, "a release on which an actor ran calmly becomes its last good one") {
    start({released()});
    advance(10s);
    die(3);
    CHECK(rolled_back.empty()); // canary-2 has proven itself
    CHECK(view("one").last_good_release == "canary-2");
}

TEST_CASE_METHOD(ReleaseFixture, "a canary that ran calmly for long is still put back when it crash-loops") {
    on_trial = true;
    start({released()});
    advance(30s);
    die(1); // of a calm life
    advance(30s);
    die(3);
    REQUIRE(rolled_back.size() == 1);
    CHECK(rolled_back[0].find("canary-2 to stable-1") == 0);
    CHECK(view("one").last_good_release == "stable-1");
}

TEST_CASE_METHOD(ReleaseFixture, "a canary whose trial is over proves itself") {
    on_trial = true;
    start({released()});
    advance(30s);
    on_trial = false; // promoted
    advance(11s);
    die(3);
    CHECK(rolled_back.empty());
    CHECK(view("one").last_good_release == "canary-2");
}

TEST_CASE_METHOD(ReleaseFixture, "a rollback that fails ends in quarantine, not in a loop without end") {
    refusal = "the store is read-only";
    start({released()});
    for (int i = 0; i < 20 && view("one").state != "quarantined"; ++i) {
        if (life("one") != 0) kill_child("one");
        advance(2s);
    }
    CHECK(events_of("release_rolled_back", "one")[0].fields.at("result") == "the store is read-only");
    CHECK(events_of("actor_ended", "one")[3].fields.at("reason") ==
          "it could not be rolled back: the store is read-only");
    CHECK(view("one").state == "quarantined");
}

// --- what is remembered

TEST_CASE_METHOD(TreeFixture,
                 "the last hundred restarts are kept, with reason, delay and place in the tree") {
    start_two({.restarts_max = 1'000, .period = 10s});
    for (int i = 0; i < 110; ++i) {
        kill_child("one");
        advance(1s);
    }
    const auto kept = memory.board.restarts();
    REQUIRE(kept.size() == kRestartsKept);
    CHECK(kept.back().path == "one");
    CHECK(kept.back().life == 110);
    CHECK(kept.front().life == 11);
    CHECK(kept.back().reason == "killed");
    CHECK(kept.back().delay == 1s);
    CHECK(kept.back().tree == "supervisor > supervisor/a > one");
    CHECK(view("one").restarts == 110);
}
