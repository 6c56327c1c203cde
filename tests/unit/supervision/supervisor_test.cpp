#include "tests/unit/supervision/supervisor_rig.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace dwcp;
using namespace dwcp::supervision;
using namespace dwcp::supervision::test;

namespace {

ChildSpec child(const std::string& id, RestartType type = RestartType::permanent) {
    ChildSpec spec;
    spec.id = id;
    spec.type = type;
    spec.backoff = {.min = 10ms, .max = 100ms, .jitter_ratio = 0.5, .reset_after = 20s};
    return spec;
}

/// a, b and c, whose intensity is out of the way.
SupervisorSpec three(Strategy strategy = Strategy::one_for_one) {
    SupervisorSpec spec;
    spec.path = "node";
    spec.strategy = strategy;
    spec.intensity = {100, 60s};
    spec.children = {child("a"), child("b"), child("c")};
    return spec;
}

SupervisorSpec with(SupervisorSpec spec, const std::function<void(SupervisorSpec&)>& change) {
    change(spec);
    return spec;
}

struct Story {
    const char* sentence;
    SupervisorSpec spec;
    const char* events;
    const char* done;
};

void tell(const std::vector<Story>& stories) {
    for (const Story& story : stories) {
        INFO(story.sentence << ": " << story.events);
        Rig rig(story.spec);
        CHECK(rig.play(story.events) == story.done);
    }
}

const auto kOne = three();
const auto kRest = three(Strategy::rest_for_one);
const auto kAll = three(Strategy::one_for_all);

} // namespace

TEST_CASE("children start in order, each once the one before is ready, and stop in reverse") {
    const auto b_recovers = with(kOne, [](auto& spec) { spec.children[1].recovers = true; });
    const auto b_temporary = with(kOne, [](auto& spec) { spec.children[1].type = RestartType::temporary; });
    const auto b_quarantined = with(kOne, [](auto& spec) { spec.children[1].quarantine = "anna: odd"; });
    tell({
        {"all obey", kOne, "begin, shutdown",
         "start a, start b, start c, up, stop c, stop b, stop a, finished"},
        {"nobody is started before the one before is ready", kOne, "mute b, begin", "start a, start b"},
        {"it goes on when that one is ready at last", kOne, "mute b, begin, hear b, kill b",
         "start a, start b, kill b, start b, start c, up"},
        {"one that is not ready in time is killed and tried again", kOne,
         "mute b, begin, wait 3s, hear b, wait 2s", "start a, start b, kill b, start b, start c, up"},
        {"a start that fails is tried again before the next one is started", kOne, "fail b, fail b, begin",
         "start a, start b, start b, start b, start c, up"},
        {"one that will never come is not waited for", b_temporary, "fail b, begin",
         "start a, start b, start c, up"},
        {"nor is one that an operator stops", kOne, "mute b, begin, stop b",
         "start a, start b, stop b, start c, up"},
        {"nor is one in quarantine", b_quarantined, "begin", "start a, start c, up"},
        {"state is recovered before the start", b_recovers, "begin, crash b",
         "start a, recover b, start b, start c, up, recover b, start b"},
        {"a recovery that fails is a start that failed", b_recovers, "fail b, begin",
         "start a, recover b, recover b, start b, start c, up"},
        {"a recovery that takes too long is dropped and tried again", b_recovers,
         "mute b, begin, wait 8s, hear b, wait 2s",
         "start a, recover b, kill b, recover b, start b, start c, up"},
        {"a supervisor without children is up at once", with(kOne, [](auto& spec) { spec.children = {}; }),
         "begin, shutdown", "up, finished"},
        {"one that is shut down before it began is finished", kOne, "shutdown, begin", "finished"},
        {"a shutdown in the middle of the start stops what runs", kOne, "mute b, begin, shutdown",
         "start a, start b, stop b, stop a, finished"},
        {"a shutdown while one waits for its restart does not wait for it",
         with(kOne, [](auto& spec) { spec.children[1].backoff.min = spec.children[1].backoff.max = 10s; }),
         "begin, crash b, shutdown", "start a, start b, start c, up, stop c, stop a, finished"},
    });
}

TEST_CASE("a child that does not stop within its grace is killed, and one that survives that is told of") {
    const auto brutal = with(kOne, [](auto& spec) { spec.children[1].stop_grace = 0ms; });
    tell({
        {"grace, then kill", kOne, "begin, deaf b, shutdown, wait 3s, wait 2s",
         "start a, start b, start c, up, stop c, stop b, kill b, stop a, finished"},
        {"no grace: killed without being asked", brutal, "begin, shutdown",
         "start a, start b, start c, up, stop c, kill b, stop a, finished"},
        {"an operator's kill hastens a stop", kOne, "begin, deaf b, shutdown, kill a",
         "start a, start b, start c, up, stop c, stop b"},
        {"a child that is stopped under one_for_one holds up nobody", kOne,
         "begin, deaf b, stop b, crash a, restart c",
         "start a, start b, start c, up, stop b, start a, stop c, start c"},
    });

    Rig rig(kOne);
    rig.play("begin, deaf b");
    rig.stuck.insert("b");
    CHECK(rig.play("kill b, wait 10s") == "kill b, stuck b");
    CHECK(rig.state("b") == "stopping");
    CHECK(rig.play("kill b, restart b, wait 60s").empty());
    CHECK(rig.play("shutdown, wait 60s") == "stop c");
    SECTION("a shutdown waits for it") {
        rig.feed(Ended{"b", 1, Exit::abnormal, "at last"});
        rig.wait(1s);
        CHECK(rig.core.state() == Supervisor::State::finished);
        CHECK(rig.all<Start>().size() == 3);
    }
    SECTION("unless the process ends next") {
        rig.feed(Shutdown{.leave_stuck = true});
        CHECK(rig.core.state() == Supervisor::State::finished);
    }
}

TEST_CASE(
    "a child that becomes ready while its turn to be stopped has not come is stopped, not killed as late") {
    auto spec = kOne;
    spec.children[2].stop_grace = 60s;
    Rig rig(spec);
    rig.play("begin, mute b, restart b, deaf c");
    CHECK(rig.play("shutdown") == "stop c");
    rig.feed(Ready{"b", 2});
    CHECK(rig.play("wait 30s").empty());
    CHECK(rig.play("crash c") == "stop b, stop a, finished");
}

TEST_CASE("what goes wrong on the way of a restart is one more death") {
    const auto rest_b_grace = with(kRest, [](auto& spec) { spec.children[2].stop_grace = 2s; });
    tell({
        {"one_for_all: the start of a sibling fails", kAll, "begin, fail b, crash c",
         "start a, start b, start c, up, stop b, stop a, start a, start b, stop a, start a, start b, start "
         "c"},
        {"rest_for_one: what stands before is not touched", kRest, "begin, fail c, crash b",
         "start a, start b, start c, up, stop c, start b, start c, start c"},
        {"a sibling before it dies while one behind is being stopped", rest_b_grace,
         "begin, deaf c, crash b, crash a, wait 2s",
         "start a, start b, start c, up, stop c, kill c, start a, start b, start c"},
        {"siblings that die while they wait to be stopped count as stopped", kAll,
         "begin, deaf c, crash a, crash b, crash c",
         "start a, start b, start c, up, stop c, start a, start b, start c"},
        {"a restart by an operator while a sibling's is under way changes nothing", kAll,
         "begin, deaf c, crash a, restart b, crash c",
         "start a, start b, start c, up, stop c, stop b, start a, start b, start c"},
        {"a shutdown in the middle of a restart ends it", kAll, "begin, deaf c, crash a, shutdown, wait 5s",
         "start a, start b, start c, up, stop c, kill c, stop b, finished"},
        {"the delay of the one that died holds for all that restart with it",
         with(kAll, [](auto& spec) { spec.children[2].backoff.min = spec.children[2].backoff.max = 3s; }),
         "begin, crash c, wait 1s", "start a, start b, start c, up, stop b, stop a"},
    });
}

TEST_CASE("an operator's commands") {
    tell({
        {"kill: it comes back as after a crash", kOne, "begin, kill b",
         "start a, start b, start c, up, kill b, start b"},
        {"a kill is never a normal end",
         with(kOne, [](auto& spec) { spec.children[1].type = RestartType::transient; }),
         "begin, kill b, end b, end b", "start a, start b, start c, up, kill b, start b"},
        {"kill twice is one kill", kOne, "mute b, begin, kill b, hear b, kill c",
         "start a, start b, kill b, start b"},
        {"restart: stopped in order, started at once, those that depend on it too", kRest, "begin, restart b",
         "start a, start b, start c, up, stop c, stop b, start b, start c"},
        {"restart under one_for_all", kAll, "begin, restart b",
         "start a, start b, start c, up, stop c, stop b, stop a, start a, start b, start c"},
        {"stop holds, whatever the siblings do, until start", kAll, "begin, stop b, crash a, start b",
         "start a, start b, start c, up, stop b, stop c, start a, start c, start b"},
        {"stop, then start while it is still stopping", kOne, "begin, deaf b, stop b, start b, crash b",
         "start a, start b, start c, up, stop b, start b"},
        {"restart, then stop: the last word counts", kOne, "begin, deaf b, restart b, stop b, crash b",
         "start a, start b, start c, up, stop b"},
        {"a temporary child lives again by command alone",
         with(kAll, [](auto& spec) { spec.children[1].type = RestartType::temporary; }),
         "begin, end b, crash a, start b, restart b, crash a",
         "start a, start b, start c, up, stop c, start a, start c, start b, "
         "stop c, stop b, stop a, start a, start b, start c, stop c, stop b, start a, start c"},
        {"quarantine holds against crashes of siblings, start and restart, until resume", kAll,
         "begin, quarantine b, crash a, start b, restart b, stop b, crash c, resume b",
         "start a, start b, start c, up, quarantined b, stop b, stop c, start a, start c, stop a, start a, "
         "start c, start b"},
        {"quarantine cancels a restart under way", kAll, "begin, deaf c, crash b, quarantine b, crash c",
         "start a, start b, start c, up, stop c, quarantined b, stop a, start a, start c"},
    });

    Rig rig(kOne);
    CHECK(rig.core.check({"b", Verb::kill, "", ""}).error().code == Errc::precondition_failed);
    rig.play("begin, quarantine b");
    CHECK(rig.child("b").quarantine == "anna: looks odd");
    const auto refused = [&](const char* who, Verb verb) { return !rig.core.check({who, verb, "", ""}); };
    CHECK(rig.core.check({"x", Verb::kill, "", ""}).error().code == Errc::not_found);
    for (const Verb verb : {Verb::kill, Verb::restart, Verb::quarantine, Verb::stop, Verb::start})
        CHECK(refused("b", verb));
    CHECK_FALSE(refused("b", Verb::resume));
    CHECK(refused("a", Verb::resume));
    CHECK(refused("a", Verb::start));
    CHECK_FALSE(refused("a", Verb::kill));
    rig.play("shutdown");
    CHECK(rig.core.check({"a", Verb::start, "", ""}).error().code == Errc::unavailable);
}

TEST_CASE("a start by command overtakes the delay, for all that wait for it") {
    auto spec = kAll;
    spec.children[1].backoff.min = spec.children[1].backoff.max = 30s;
    Rig rig(spec);
    rig.play("begin");
    CHECK(rig.play("crash b") == "stop c, stop a");
    CHECK(rig.state("b") == "backing_off");
    CHECK(rig.state("a") == "waiting");
    CHECK(*rig.child("b").next_start == rig.now - rig.patience + 30s);
    CHECK(rig.play("start b") == "start a, start b, start c");
    CHECK(rig.play("wait 60s").empty());
    CHECK(rig.budget.taken() == 0);
}

TEST_CASE("one restart too many is escalated as the supervisor is told") {
    const auto escalating = [](Escalation how) {
        return with(kOne, [&](auto& spec) {
            spec.escalation = how;
            spec.intensity = {1, 60s};
        });
    };
    tell({
        {"to the parent", escalating(Escalation::parent), "begin, crash b, crash a",
         "start a, start b, start c, up, start b, escalate to parent, stop c, stop b, finished abnormally"},
        {"to the process", escalating(Escalation::exit_process), "begin, crash b, crash b",
         "start a, start b, start c, up, start b, escalate to exit_process, stop c, stop a, finished "
         "abnormally"},
        {"by stopping, until the operator starts one", escalating(Escalation::stop),
         "begin, crash b, crash b, wait 60s, start a, crash a",
         "start a, start b, start c, up, start b, escalate to stop, stop c, stop a, start a, start a"},
        {"by quarantine of the one that died: its siblings live on with a clean record",
         escalating(Escalation::quarantine), "begin, crash b, crash b, crash a, crash c, resume b, crash b",
         "start a, start b, start c, up, start b, escalate to quarantine, quarantined b, start a, "
         "escalate to quarantine, quarantined c, start b, escalate to quarantine, quarantined b"},
        {"a child that crash-loops at the start is escalated as well", escalating(Escalation::parent),
         "fail b, fail b, begin",
         "start a, start b, start b, escalate to parent, stop a, finished abnormally"},
        {"restarts that are older than the period do not count", escalating(Escalation::parent),
         "begin, crash b, wait 60s, crash b", "start a, start b, start c, up, start b, start b"},
        {"one that was exactly a period ago does (OTP)", escalating(Escalation::parent),
         "begin, crash b, wait 59s, crash b",
         "start a, start b, start c, up, start b, escalate to parent, stop c, stop a, finished abnormally"},
        {"a shutdown after all are given up is an orderly end", escalating(Escalation::stop),
         "begin, crash b, crash b, shutdown",
         "start a, start b, start c, up, start b, escalate to stop, stop c, stop a, finished"},
    });

    Rig rig(escalating(Escalation::exit_process));
    rig.play("begin, crash b");
    rig.stuck.insert("a");
    CHECK(rig.play("deaf a, crash b, wait 10s") ==
          "escalate to exit_process, stop c, stop a, kill a, stuck a, finished abnormally");
    CHECK(rig.all<Finished>().front().exit_process);
    CHECK(rig.all<Finished>().front().exit_code == 70);
    CHECK(rig.all<Escalate>().front().reason ==
          "more than 1 restarts within 60000 ms; b ended last because: out of range");

    Rig stopped(escalating(Escalation::stop));
    stopped.play("begin, crash b, crash b");
    CHECK(stopped.core.state() == Supervisor::State::given_up);
    CHECK(stopped.state("a") == "given_up");
    stopped.play("start a");
    CHECK(stopped.core.state() == Supervisor::State::running);
    CHECK(stopped.state("b") == "given_up");
}

TEST_CASE("a poisoned child is quarantined after so many deaths, its siblings are left alone") {
    auto spec = kAll;
    spec.children[1].poison = CrashLoop{3, 10s};
    Rig rig(spec);
    rig.play("begin");
    CHECK(rig.play("crash b, crash b") ==
          "stop c, stop a, start a, start b, start c, stop c, stop a, start a, start b, start c");
    CHECK(rig.play("crash b") == "quarantined b");
    CHECK(rig.child("b").quarantine == "3 ends within 10000 ms; b ended last because: out of range");
    CHECK(rig.state("b") == "quarantined");
    CHECK(rig.play("crash c") == "stop a, start a, start c");
    CHECK(rig.play("resume b, crash b") == "start b, stop c, stop a, start a, start b, start c");

    SECTION("deaths further apart are none of its business") {
        CHECK(rig.play("wait 10s, crash b, wait 10s, crash b, wait 10s, crash b").find("quarantined") ==
              std::string::npos);
    }
    SECTION("nor are an operator's restarts") {
        CHECK(rig.play("restart b, restart b, restart b").find("quarantined") == std::string::npos);
    }
}

TEST_CASE("a child that crash-loops on a new release is started on its last good one") {
    auto spec = kOne;
    spec.intensity = {5, 60s};
    spec.children[1].release = "r1";
    spec.children[1].roll_back = CrashLoop{3, 60s};
    Rig rig(spec);
    rig.play("begin, wait 20s, restart b"); // r1 has now proven itself
    CHECK(rig.child("b").last_good == "r1");
    rig.feed(NewRelease{"b", "r2"});
    CHECK(rig.play("restart b") == "stop b, start b");
    CHECK(rig.all<Start>().back().release == "r2");

    SECTION("at its own threshold") {
        CHECK(rig.play("crash b, crash b, crash b") ==
              "start b, start b, roll back b from r2 to r1, start b");
        CHECK(rig.all<Start>().back().release == "r1");
        CHECK(rig.all<RollBack>().back().reason ==
              "3 ends within 60000 ms; b ended last because: out of range");
        CHECK(rig.all<Report>().back().delay == 10ms);
        CHECK(rig.child("b").release == "r1");
        SECTION("and if that crash-loops too, it is escalated as ever, from a clean record") {
            CHECK(rig.play("crash b, crash b, crash b, crash b, crash b") ==
                  "start b, start b, start b, start b, start b");
            CHECK(rig.play("crash b") == "escalate to parent, stop c, stop a, finished abnormally");
        }
        SECTION("a further release is judged by its own deaths") {
            rig.feed(NewRelease{"b", "r3"});
            CHECK(rig.play("restart b, crash b, crash b") == "stop b, start b, start b, start b");
            CHECK(rig.play("crash b") == "roll back b from r3 to r1, start b");
        }
    }
    SECTION("before the intensity escalates, if that is exceeded first") {
        rig.play("crash a, crash a, crash c, crash c");
        CHECK(rig.play("crash b") == "start b");
        CHECK(rig.play("crash b") == "roll back b from r2 to r1, start b");
    }
    SECTION("a death of the old release does not count against the new one") {
        rig.play("crash b, crash b");
        rig.feed(NewRelease{"b", "r3"});
        CHECK(rig.play("crash b, crash b, crash b") == "start b, start b, start b");
        CHECK(rig.play("crash b") == "roll back b from r3 to r1, start b");
    }
    SECTION("a release that lived for reset_after is good itself") {
        CHECK(rig.play("wait 20s, crash b, crash b, crash b, crash b") ==
              "start b, start b, start b, start b");
        CHECK(rig.child("b").last_good == "r2");
    }
}

TEST_CASE("a release on trial becomes no last good one, however long it runs, until its trial is over") {
    auto spec = kOne;
    spec.children[1].release = "r2";
    spec.children[1].on_trial = true;
    spec.children[1].last_good = "r1";
    spec.children[1].roll_back = CrashLoop{3, 60s};
    Rig rig(spec);
    rig.play("begin, wait 20s, restart b, wait 20s, restart b");
    CHECK(rig.child("b").last_good == "r1");
    SECTION("so a later crash loop goes back") {
        CHECK(rig.play("crash b, crash b, crash b") ==
              "start b, start b, roll back b from r2 to r1, start b");
        CHECK_FALSE(rig.child("b").on_trial);
    }
    SECTION("a life that begins on trial and outlives it proves the release") {
        rig.feed(NewRelease{"b", "r2", false});
        rig.play("wait 20s, restart b");
        CHECK(rig.child("b").last_good == "r2");
    }
    SECTION("a life of the release before it proves that one") {
        rig.feed(NewRelease{"b", "r0", false});
        rig.play("restart b");
        rig.feed(NewRelease{"b", "r2", true});
        rig.play("wait 20s, restart b");
        CHECK(rig.child("b").last_good == "r0");
    }
}

TEST_CASE("a poisoned child with a good release to go back to is rolled back, not quarantined") {
    auto spec = kOne;
    spec.children[0].release = "r2";
    spec.children[0].last_good = "r1";
    spec.children[0].poison = CrashLoop{2, 60s};
    SECTION("if it may be") {
        spec.children[0].roll_back = CrashLoop{9, 60s};
        Rig rig(spec);
        rig.play("begin");
        CHECK(rig.play("crash a, crash a, crash a") ==
              "start a, roll back a from r2 to r1, start a, start a");
        CHECK(rig.play("crash a") == "quarantined a");
    }
    SECTION("else it is") {
        Rig rig(spec);
        rig.play("begin");
        CHECK(rig.play("crash a, crash a") == "start a, quarantined a");
    }
}

TEST_CASE("the delay doubles up to its maximum and starts over after a calm life") {
    Rig rig(kOne);
    rig.play("begin");
    const auto delay = [&] {
        rig.play("crash a");
        return rig.all<Report>().back().delay;
    };
    CHECK(delay() == 10ms);
    for (const Duration base : {20ms, 40ms, 80ms, 100ms, 100ms}) {
        const Duration got = delay();
        CHECK(got >= base);
        CHECK(got <= base * 3 / 2);
    }
    rig.play("wait 18s");
    CHECK(delay() >= 100ms);
    rig.play("wait 20s");
    CHECK(delay() == 10ms);
    CHECK(rig.child("a").restarts == 8);
    CHECK(rig.all<Report>().back().restarts == 8);
}

TEST_CASE("the supervisors of a node share its budget of restarts") {
    Rig rig(kOne, {.burst = 2, .refill = 10s});
    rig.play("begin");
    CHECK(rig.play("crash a, crash b") == "start a, start b");
    CHECK(rig.play("crash c") == "delayed c");
    CHECK(rig.state("c") == "backing_off");
    CHECK(rig.play("wait 6s").empty());
    CHECK(rig.play("wait 2s") == "start c");
    SECTION("a command needs no token") {
        CHECK(rig.play("restart a, restart b") == "stop a, start a, stop b, start b");
    }
    SECTION("what is delayed may be started by command") {
        CHECK(rig.play("crash a, start a") == "delayed a, start a");
    }
    SECTION("another supervisor's restarts are paid from it as well") {
        rig.play("wait 60s");
        CHECK(rig.budget.take(rig.now));
        CHECK(rig.budget.take(rig.now));
        CHECK(rig.play("crash a") == "delayed a");
    }
    SECTION("a restart of many costs one token") {
        Rig all(kAll, {.burst = 1, .refill = 10s});
        all.play("begin");
        CHECK(all.play("crash b") == "stop c, stop a, start a, start b, start c");
        CHECK(all.budget.taken() == 1);
        CHECK(all.play("crash c, wait 9s") == "stop b, stop a, delayed c, start a, start b, start c");
    }
}

TEST_CASE("what is told of a dead life is dropped") {
    Rig rig(kOne);
    rig.play("begin, crash a");
    const auto dropped = [&](const Event& event) {
        const auto before = rig.core.stale();
        const auto actions = rig.core.step(event, rig.now, rig.budget);
        return actions.empty() && rig.core.stale() == before + 1;
    };
    CHECK(dropped(Ended{"a", 1, Exit::abnormal, "told twice"}));
    CHECK(dropped(Ready{"a", 1}));
    CHECK(dropped(Recovered{"a", 1}));
    CHECK(dropped(Ended{"a", 3, Exit::abnormal, "of a life that never was"}));
    CHECK(dropped(Ended{"x", 1, Exit::abnormal, "of nobody"}));
    CHECK(dropped(NewRelease{"x", "r1"}));
    CHECK(dropped(Wake{0}));
    CHECK(rig.state("a") == "running");
    CHECK(rig.child("a").incarnation == 2);

    SECTION("the answer of a life that is being killed does not revive it") {
        rig.play("mute b, crash b, wait 4s, hear b");
        rig.stuck.insert("b");
        rig.play("kill b");
        CHECK(rig.core.step(Ready{"b", rig.child("b").incarnation}, rig.now, rig.budget).empty());
        CHECK(rig.state("b") == "stopping");
    }
}

TEST_CASE("a timer that fires too early is armed again, a replaced one does nothing") {
    Rig rig(kOne);
    rig.play("begin");
    rig.patience = 0ms;
    rig.play("crash a");
    const WakeAt armed = *rig.core.armed();
    CHECK(armed.at == rig.now + 10ms);
    const auto actions = rig.core.step(Wake{armed.generation}, rig.now + 9ms, rig.budget);
    REQUIRE(actions.size() == 1);
    CHECK(std::get<WakeAt>(actions[0]).at == armed.at);
    CHECK(std::get<WakeAt>(actions[0]).generation == armed.generation + 1);
    CHECK(rig.core.step(Wake{armed.generation}, armed.at - 1ns, rig.budget).empty());
    CHECK(rig.core.stale() == 1);
    CHECK(rig.state("a") == "backing_off");
}

TEST_CASE("the tree can show what every child is doing and since when") {
    auto spec = kRest;
    spec.children[2].release = "r1";
    Rig rig(spec);
    CHECK(rig.state("a") == "stopped");
    rig.play("begin");
    const TimePoint begun = rig.now - rig.patience;
    CHECK(rig.child("a").since == begun);
    CHECK(*rig.child("a").ready_at == begun);
    CHECK(rig.child("c").release == "r1");
    CHECK(rig.child("a").last_reason.empty());
    rig.play("end a");
    CHECK(rig.child("a").last_reason == "done");
    CHECK(rig.child("a").restarts == 1);
    CHECK(rig.child("b").restarts == 0);
    CHECK(rig.child("b").incarnation == 2);
    CHECK(rig.all<Report>().back().along == std::vector<std::string>{"b", "c"});
    CHECK(rig.core.children().size() == 3);
    CHECK_FALSE(rig.core.child("x"));
}

TEST_CASE("what comes from outside is bounded: long reasons, wild specs, ids that occur twice") {
    auto spec = kOne;
    spec.children[0].backoff = {.min = 0ms, .max = 0ms, .jitter_ratio = -1};
    spec.children[0].poison = CrashLoop{0, 1s};
    spec.children.push_back(child("b"));
    Rig rig(spec);
    CHECK(rig.play("begin") == "start a, start b, start c, up");
    rig.feed(Ended{"b", 1, Exit::abnormal, std::string(100'000, 'x')});
    CHECK(rig.child("b").last_reason.size() == kReasonMax);
    rig.wait(1s);
    CHECK(rig.play("crash a") == "quarantined a");
}

TEST_CASE("the same events give the same actions") {
    Rig one(kAll);
    Rig two(kAll);
    for (int i = 0; i < 20; ++i)
        CHECK(one.play(i == 0 ? "begin" : "crash b") == two.play(i == 0 ? "begin" : "crash b"));
    CHECK(one.now == two.now);
    const auto reports = one.all<Report>();
    for (std::size_t i = 0; i < reports.size(); ++i)
        CHECK(reports[i].delay == two.all<Report>()[i].delay);
}
