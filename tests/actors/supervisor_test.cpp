// One supervisor, in simulated time; and callers outside the actor system, in real time.
#include "runtime/caf/call.hpp"
#include "tests/actors/supervisor_rig.hpp"

#include <atomic>
#include <thread>

using namespace dwcp;
using namespace dwcp::test;

TEST_CASE_METHOD(SupervisorFixture, "children start in order and show as running") {
    start({child("one"), child("two")});
    CHECK(diary.lines() == Words{"start one", "start two"});
    CHECK(life("one") == 1);
    CHECK(view("two").state == "running");
    CHECK(view("two").parent == "supervisor");
    CHECK(events_of("actor_started", "one").size() == 1);
}

TEST_CASE_METHOD(SupervisorFixture,
                 "a killed child comes back under its path in its next life, and that is seen") {
    start({child("seen/killed")});
    const auto counted = restarts_counted("seen/killed");
    kill_child("seen/killed");
    CHECK(life("seen/killed") == 0); // nobody is sent to a dead actor
    CHECK(view("seen/killed").state == "backing_off");
    advance(99ms);
    CHECK(life("seen/killed") == 0);
    advance(1ms);
    CHECK(life("seen/killed") == 2);
    CHECK(ask("seen/killed", manager::AbortPut{"w", "hello"}));
    CHECK(restarts_counted("seen/killed") == counted + 1);
    CHECK(view("seen/killed").restarts == 1);
    CHECK(view("seen/killed").last_reason == "killed");
    const auto ended = events_of("actor_ended", "seen/killed");
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].fields.at("reason") == "killed");
    const auto restarted = events_of("actor_restarted", "seen/killed");
    REQUIRE(restarted.size() == 1);
    CHECK(restarted[0].fields.at("life") == "2");
    CHECK(restarted[0].fields.at("delay_ms") == "100");
    CHECK(restarted[0].fields.at("reason") == "killed");
}

TEST_CASE_METHOD(SupervisorFixture, "a child that throws is restarted and its reason says what it threw") {
    start({child("one"), child("two")});
    const auto answer = ask("one", manager::AbortPut{"w", "throw"});
    REQUIRE_FALSE(answer);
    advance(100ms);
    CHECK(life("one") == 2);
    CHECK(life("two") == 1);
    CHECK(view("one").last_reason.find("a bug") != std::string::npos);
}

TEST_CASE_METHOD(SupervisorFixture, "a child that keeps failing comes back ever more slowly") {
    start({child("one")});
    const Duration delays[] = {100ms, 200ms, 400ms, 800ms, 1s, 1s};
    std::uint64_t expected = 1;
    for (const auto delay : delays) {
        kill_child("one");
        advance(delay - 1ms);
        CHECK(life("one") == 0);
        advance(1ms);
        CHECK(life("one") == ++expected);
    }
    advance(10s); // a calm time
    kill_child("one");
    advance(100ms);
    CHECK(life("one") == ++expected);
}

TEST_CASE_METHOD(SupervisorFixture, "a child that cannot be started is tried again and takes nobody down") {
    int failures = 3;
    Child bad{spec("bad"), [&](actor::ActorContext context) -> caf::actor {
                  const int left = failures--;
                  if (left == 3) throw std::runtime_error("no port");
                  if (left == 2) return nullptr;
                  if (left == 1) throw 42;
                  return system().spawn<ChildActor>(std::move(context), &diary);
              }};
    start({child("good"), std::move(bad), child("next")});
    CHECK(lost == 0);
    CHECK(life("good") == 1);
    CHECK(life("bad") == 0);
    CHECK(view("next").state == "waiting"); // for its turn
    CHECK(view("bad").last_reason.find("no port") != std::string::npos);
    advance(100ms);
    advance(200ms);
    advance(400ms);
    CHECK(life("bad") == 1);
    CHECK(life("next") == 1);
    CHECK(events_of("actor_ended", "bad").size() == 3);
    CHECK(view("bad").restarts == 3);
    CHECK(ask("bad", manager::AbortPut{"w", "hello"}));
}

TEST_CASE_METHOD(SupervisorFixture, "a child that throws while it makes its handlers is tried again") {
    start({child("good"), child<FragileActor>("fragile")});
    advance(100ms);
    advance(200ms);
    CHECK(events_of("actor_ended", "fragile").size() >= 2);
    CHECK(lost == 0);
    CHECK(life("good") == 1);
}

TEST_CASE_METHOD(SupervisorFixture, "an operator kills and restarts a child by its path") {
    start({child("one")});
    CHECK(command(ActorCommand::Verb::kill, "one").value().outcome == "killed life 1 of one");
    run();
    const auto again = command(ActorCommand::Verb::kill, "one");
    REQUIRE_FALSE(again);
    CHECK(again.error().code == Errc::precondition_failed);
    advance(100ms);
    CHECK(life("one") == 2);
    CHECK(command(ActorCommand::Verb::restart, "one").value().outcome == "restarting life 2 of one");
    run();
    CHECK(life("one") == 3); // without a pause
    CHECK(command(ActorCommand::Verb::kill, "nobody").error().code == Errc::not_found);
    CHECK(command(ActorCommand::Verb::kill, "supervisor").error().code == Errc::precondition_failed);
}

TEST_CASE_METHOD(SupervisorFixture, "a restart cuts a pause short") {
    start({child("one")});
    kill_child("one");
    CHECK(command(ActorCommand::Verb::restart, "one"));
    CHECK(life("one") == 2);
    advance(1s); // the timer of the pause comes too late
    CHECK(life("one") == 2);
    CHECK(view("one").state == "running");
}

TEST_CASE_METHOD(SupervisorFixture, "a quarantined child stays down until it is resumed") {
    using Verb = ActorCommand::Verb;
    start({child("one"), child("two")});
    CHECK(command(Verb::resume, "one").error().code == Errc::precondition_failed);
    SECTION("it ran") {}
    SECTION("it was backing off") { kill_child("one"); }
    CHECK(command(Verb::quarantine, "one").value().outcome == "quarantined one after its life 1");
    advance(10s);
    CHECK(life("one") == 0);
    CHECK(life("two") == 1);
    CHECK(view("one").state == "quarantined");
    CHECK(view("one").quarantine == "tester: a test");
    CHECK(events_of("actor_quarantined", "one")[0].fields.at("reason") == "a test");
    for (const auto verb : {Verb::kill, Verb::restart, Verb::quarantine}) {
        const auto refused = command(verb, "one");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::precondition_failed);
        CHECK(refused.error().message == "one is quarantined by tester: a test");
    }
    CHECK(command(Verb::resume, "one").value().outcome == "resumed one");
    run();
    CHECK(life("one") == 2);
    CHECK(view("one").state == "running");
    CHECK(view("one").quarantine.empty());
    kill_child("one"); // and its restarts go on as before
    advance(1s);
    CHECK(life("one") == 3);
}

TEST_CASE_METHOD(SupervisorFixture, "a dry run of a command says what it would do and does nothing") {
    using Verb = ActorCommand::Verb;
    start({child("one")});
    CHECK(command(Verb::kill, "one", true).value().outcome == "would kill life 1 of one");
    CHECK(command(Verb::restart, "one", true).value().outcome == "would restart life 1 of one");
    CHECK(command(Verb::quarantine, "one", true).value().outcome ==
          "would stop life 1 of one and keep it down");
    CHECK_FALSE(command(Verb::resume, "one", true));
    CHECK_FALSE(command(Verb::kill, "nobody", true));
    advance(10s);
    CHECK(life("one") == 1);
    CHECK(view("one").state == "running");
    CHECK(events_of("actor_quarantined", "one").empty());
}

TEST_CASE_METHOD(SupervisorFixture, "a transient child that ends in order stays ended") {
    auto transient = child("one");
    transient.spec.type = supervision::RestartType::transient;
    start({std::move(transient)});
    kill_child("one", caf::exit_reason::user_shutdown);
    advance(1s);
    CHECK(life("one") == 0);
    CHECK(view("one").state == "ended");
}

TEST_CASE_METHOD(SupervisorFixture, "an orderly exit ends the children in reverse order and is no loss") {
    start({child("one"), child("two"), child("three")});
    kill_child("two");
    advance(100ms);
    kill(root, caf::exit_reason::user_shutdown);
    const auto lines = diary.lines();
    CHECK(Words(lines.end() - 3, lines.end()) == Words{"end three", "end two", "end one"});
    CHECK(lost == 0);
    for (const char* path : {"one", "two", "three"}) {
        CHECK(life(path) == 0);
        CHECK(view(path).state == "stopped");
    }
    advance(10s);
    CHECK(diary.lines() == lines); // nothing comes back
}

TEST_CASE_METHOD(SupervisorFixture,
                 "a stubborn child is killed after its grace, and only then the one below it ends") {
    start({child("one"), child<StubbornActor>("stubborn"), child("three")});
    kill(root, caf::exit_reason::user_shutdown);
    CHECK(diary.lines().back() == "end three");
    CHECK(command(ActorCommand::Verb::restart, "one").error().code == Errc::unavailable);
    advance(4999ms);
    CHECK(diary.lines().back() == "end three");
    advance(1ms);
    const auto lines = diary.lines();
    CHECK(Words(lines.end() - 2, lines.end()) == Words{"end stubborn", "end one"});
    CHECK(lost == 0);
}

TEST_CASE_METHOD(SupervisorFixture, "an orderly exit does not wait for a child that is backing off") {
    start({child("one"), child("two")});
    kill_child("two");
    kill(root, caf::exit_reason::user_shutdown);
    CHECK(diary.lines().back() == "end one");
    advance(10s);
    CHECK(diary.lines().back() == "end one");
    CHECK(lost == 0);
}

TEST_CASE_METHOD(SupervisorFixture,
                 "a child whose state is restored when all are to stop is not waited for") {
    std::function<void(Result<void>)> done;
    auto recovering = child("two");
    recovering.recover = [&](std::function<void(Result<void>)> then) { done = std::move(then); };
    auto stubborn = child<StubbornActor>("three");
    stubborn.spec.stop_grace = 2s;
    start({child("one"), std::move(recovering), std::move(stubborn)});
    std::exchange(done, nullptr)({});
    run();
    kill_child("two");
    advance(100ms);
    REQUIRE(view("two").state == "recovering");
    kill(root, caf::exit_reason::user_shutdown); // three is asked first, and takes its time
    std::exchange(done, nullptr)({});
    run();
    advance(2s);
    CHECK(diary.lines().back() == "end one");
    CHECK(life("one") == 0);
}

TEST_CASE_METHOD(SupervisorFixture, "the supervisor's own end is told, and its children end with it") {
    start({child("one"), child("two")});
    SECTION("killed") { kill(root); }
    SECTION("ended for another reason") { kill(root, caf::exit_reason::unhandled_exception); }
    CHECK(lost == 1);
    CHECK(life("one") == 0);
    const auto lines = diary.lines();
    CHECK(std::ranges::count(lines, "end one") == 1);
    CHECK(std::ranges::count(lines, "end two") == 1);
}

TEST_CASE("callers outside the actor system never notice that an actor is killed") {
    actor::Resolver resolver;
    Diary diary;
    TreeMemory memory({.burst = 1'000, .refill = 1ms});
    EventRing events;
    std::atomic<bool> lost{false};
    actor::System system({.threads = 2});
    auto child_spec = spec("one");
    child_spec.backoff = {.min = 1ms, .max = 5ms, .jitter_ratio = 0.2, .reset_after = 1s};
    actor::ActorContext context{.path = "supervisor", .resolver = &resolver};
    Plan plan = SupervisorFixture::plan("supervisor",
                                        {{child_spec, [&](actor::ActorContext c) -> caf::actor {
                                              return system.get().spawn<ChildActor>(std::move(c), &diary);
                                          }}});
    auto root = spawn_supervisor(system, std::move(context), std::make_shared<const Plan>(std::move(plan)),
                                 memory, events, [&](int) { lost = true; });

    std::atomic<bool> over{false};
    std::atomic<int> answered{0};
    std::atomic<int> failed{0};
    const auto caller = [&] {
        while (!over) {
            const auto deadline = std::chrono::steady_clock::now() + 10s;
            const auto reply =
                actor::call(system.get(), resolver, "one", manager::AbortPut{"w", "hello"}, deadline);
            ++(reply ? answered : failed);
        }
    };
    {
        std::jthread first(caller);
        std::jthread second(caller);
        std::uint64_t life = 0;
        for (int kills = 0; kills < 40; ++kills) {
            const auto live =
                resolver.wait_for_life_after("one", life, std::chrono::steady_clock::now() + 10s);
            REQUIRE(live);
            life = live->life;
            const int before = answered;
            const auto deadline = std::chrono::steady_clock::now() + 10s;
            while (answered == before && std::chrono::steady_clock::now() < deadline)
                std::this_thread::yield();
            caf::anon_send_exit(live->handle, caf::exit_reason::kill);
        }
        over = true;
    }
    CHECK(failed == 0);
    CHECK(answered > 40);
    CHECK_FALSE(lost);
    {
        caf::scoped_actor waiter{system.get()};
        waiter->send_exit(root, caf::exit_reason::user_shutdown);
        waiter->wait_for(root);
    }
    root = nullptr;
    CHECK(diary.lines().back() == "end one"); // whoever waited for the root knows that nothing runs below it
    resolver.close();
}
