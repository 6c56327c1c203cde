// CAF's traps around promises, deadlines, mailboxes and exceptions, on one thread with simulated time. Each
// test names what an actor of ours can rely on.
#include "runtime/caf/actor.hpp"
#include "runtime/caf/ask_next.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"
#include "tests/actors/fixture.hpp"
#include "tests/actors/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>
#include <thread>

using namespace dwcp;
using namespace std::chrono_literals;
using actor::Ticket;
using links::PeerRequest;
using links::PeerResponse;

namespace {

PeerRequest make_request(const std::string& service, const std::string& body = {}) {
    return {"tester", 1, service, "trace", to_bytes(body)};
}

/// Does what the request's service says.
class Subject : public actor::Actor {
  public:
    using actor::Actor::Actor;

  protected:
    caf::behavior handlers() override {
        return {on_later<PeerRequest>([this](const PeerRequest& request, Ticket ticket) {
            if (request.service == "hold" || request.service == "too late") return;
            if (request.service == "quit") return quit();
            if (request.service == "throw") throw std::runtime_error("the handler's bug");
            if (request.service == "refuse") {
                return settle<PeerResponse>(ticket, fail(Errc::precondition_failed, "not now", "later"));
            }
            if (request.service == "outlive") answer_late();
            if (request.service == "twice") settle<PeerResponse>(ticket, PeerResponse{to_bytes("first")});
            settle<PeerResponse>(ticket, PeerResponse{request.body});
        })};
    }

  private:
    /// Its first life answers when the second is already there, as one does whose answer waited in a mailbox.
    void answer_late() {
        if (resolver().find(path())->life == 1)
            resolver().publish(path(), caf::actor_cast<caf::actor>(this),
                               std::make_shared<actor::ActorStats>(), {});
    }
};

/// Ready when it is told to be.
class SlowStarter : public actor::Actor {
  public:
    using actor::Actor::Actor;

  protected:
    caf::behavior handlers() override {
        not_ready_yet();
        return {on<PeerRequest>([this](const PeerRequest& request) -> Result<PeerResponse> {
            if (request.service == "be ready") now_ready();
            return PeerResponse{request.body};
        })};
    }
};

/// Asks the actor at the path that the request's body names, and answers how that went.
class Asker : public actor::Actor {
  public:
    using actor::Actor::Actor;

  protected:
    caf::behavior handlers() override {
        return {on_later<PeerRequest>([this](const PeerRequest& request, Ticket ticket) {
            ask<PeerRequest>(
                std::string(as_text(request.body)), make_request(request.service, "asked"),
                request.service == "too late" ? -1s : 1s,
                [this, ticket](const PeerResponse& reply) { settle<PeerResponse>(ticket, reply); },
                [this, ticket](const Error& error) { settle<PeerResponse>(ticket, std::unexpected(error)); });
        })};
    }
};

struct Fixture : test::ActorFixture {
    caf::actor subject = spawn<Subject>("subject");
    caf::actor asker = spawn<Asker>("asker");

    bool subject_lives() {
        return begin(subject, make_request("echo")).poll().value_or(fail(Errc::internal, {})).has_value();
    }
    bool asker_lives() {
        return begin(asker, make_request("echo", "subject"))
            .poll()
            .value_or(fail(Errc::internal, {}))
            .has_value();
    }
};

template<class Reply>
Errc code_of(const std::optional<Result<Reply>>& answer) {
    REQUIRE(answer.has_value());
    REQUIRE(!answer->has_value());
    return answer->error().code;
}

} // namespace

// ---- promises ----

TEST_CASE_METHOD(Fixture, "a request held by a dying actor is answered at once, however it dies") {
    auto held = begin(subject, make_request("hold"), 1h);
    REQUIRE(!held.poll().has_value());
    SECTION("killed") { kill(subject); }
    SECTION("asked to end") { kill(subject, caf::exit_reason::user_shutdown); }
    SECTION("by itself") { begin(subject, make_request("quit")); }
    SECTION("by an exception") { begin(subject, make_request("throw")); }
    CHECK(code_of(held.poll()) == Errc::unavailable);
}

TEST_CASE_METHOD(Fixture, "the request during which an actor dies is answered too") {
    const std::string service = GENERATE("quit", "throw");
    auto last = begin(subject, make_request(service), 1h);
    const auto answer = last.poll();
    REQUIRE(answer.has_value());
    CHECK(!answer->has_value());
}

TEST_CASE_METHOD(Fixture, "an actor that answers twice has answered once") {
    auto answer = begin(subject, make_request("twice", "second")).poll();
    REQUIRE(answer.has_value());
    CHECK((*answer)->body == to_bytes("first"));
    CHECK(subject_lives());
}

TEST_CASE_METHOD(Fixture, "an error keeps its code, message and remedy on the way to the asker") {
    const auto answer = ask("subject", make_request("refuse"));
    REQUIRE(!answer.has_value());
    CHECK(answer.error().code == Errc::precondition_failed);
    CHECK(answer.error().message == "not now");
    CHECK(answer.error().remedy == "later");
}

// ---- deadlines ----

TEST_CASE_METHOD(Fixture, "a question without an answer reports its deadline and does not end the asker") {
    auto question = begin(asker, make_request("hold", "subject"), 1h);
    REQUIRE(!question.poll().has_value());
    advance(999ms);
    REQUIRE(!question.poll().has_value());
    advance(2ms);
    CHECK(code_of(question.poll()) == Errc::deadline_exceeded);
    CHECK(asker_lives());
}

TEST_CASE_METHOD(Fixture, "a deadline that has passed is reported like any other") {
    auto question = begin(asker, make_request("too late", "subject"));
    advance(1ms);
    CHECK(code_of(question.poll()) == Errc::deadline_exceeded);
    CHECK(asker_lives());
}

TEST_CASE_METHOD(Fixture, "a refusal and a death of the asked do not end the asker") {
    CHECK(code_of(begin(asker, make_request("refuse", "subject")).poll()) == Errc::precondition_failed);
    CHECK(code_of(begin(asker, make_request("quit", "subject")).poll()) == Errc::unavailable);
    CHECK(code_of(begin(asker, make_request("echo", "subject")).poll()) ==
          Errc::unavailable); // dead, still published
    CHECK(code_of(begin(asker, make_request("echo", "nowhere")).poll()) ==
          Errc::unavailable); // not published at all
    resolver().close();
    CHECK(begin(asker, make_request("echo", "subject")).poll().has_value());
}

TEST_CASE_METHOD(Fixture, "a path is resolved at each question, so the next life is reached") {
    kill(subject);
    CHECK(code_of(begin(asker, make_request("echo", "subject")).poll()) == Errc::unavailable);
    spawn<Subject>("subject");
    const auto answer = begin(asker, make_request("echo", "subject")).poll();
    REQUIRE(answer.has_value());
    REQUIRE(answer->has_value());
    CHECK((*answer)->body == to_bytes("asked"));
}

// ---- mailboxes ----

TEST_CASE_METHOD(Fixture, "a full mailbox refuses requests with resource_exhausted and keeps what it has") {
    constexpr std::size_t kMax = 4;
    const auto small = spawn_with_mailbox<Subject>("small", kMax);
    const auto rejected =
        metrics::counter("dwcp_actor_mailbox_rejected_total", "Messages refused by a full mailbox, by actor.",
                         {{"actor", "small"}});
    const double before = rejected.value();
    std::vector<std::unique_ptr<caf::scoped_actor>> askers;
    int answered = 0;
    int refused = 0;
    // Nothing runs while these are sent.
    for (int i = 0; i < 10; ++i) {
        askers.push_back(std::make_unique<caf::scoped_actor>(system()));
        (*askers.back())->send(small, actor::Local<PeerRequest>(make_request("echo")));
    }
    caf::scoped_actor self{system()};
    auto request = self->request(small, 60s, actor::Local<PeerRequest>(make_request("echo")));
    run();
    request.receive([&](const actor::Local<PeerResponse>&) { ++answered; },
                    [&](const caf::error& error) {
                        ++refused;
                        CHECK(actor::from_caf(error).code == Errc::resource_exhausted);
                    });
    CHECK(answered == 0);
    CHECK(refused == 1);
    CHECK(rejected.value() - before == 7); // six sends and the request
    CHECK(ask("small", make_request("echo")).has_value());
}

TEST_CASE_METHOD(Fixture, "an exit passes a full mailbox") {
    const auto small = spawn_with_mailbox<Subject>("small", 2);
    for (int i = 0; i < 10; ++i)
        caf::anon_send(small, actor::Local<PeerRequest>(make_request("hold")));
    kill(small);
    CHECK(code_of(begin(small, make_request("echo")).poll()) == Errc::unavailable);
}

namespace {

/// Counts tasks that came in through its poster and its timer.
class Tasks : public actor::Actor {
  public:
    struct Seen {
        int posted = 0;
        int timed = 0;
        actor::Poster post;
    };
    Tasks(caf::actor_config& config, actor::ActorContext context, Seen* seen)
        : actor::Actor(config, std::move(context)), seen_(seen) {
        seen->post = poster();
    }

  protected:
    caf::behavior handlers() override {
        after(1s, [this] { ++seen_->timed; });
        return {on<PeerRequest>([](const PeerRequest&) -> Result<PeerResponse> { return PeerResponse{}; })};
    }

  private:
    Seen* seen_;
};

} // namespace

TEST_CASE_METHOD(Fixture, "an actor's own tasks pass a full mailbox") {
    Tasks::Seen seen;
    const auto small = spawn_with_mailbox<Tasks>("small", 1, &seen);
    for (int i = 0; i < 5; ++i)
        caf::anon_send(small, actor::Local<PeerRequest>(make_request("echo")));
    for (int i = 0; i < 5; ++i)
        seen.post([&] { ++seen.posted; });
    run();
    CHECK(seen.posted == 5);
    kill(small);
}

TEST_CASE_METHOD(Fixture, "whether an actor is at work is asked past a full mailbox, and is answered first") {
    Tasks::Seen seen;
    const auto small = spawn_with_mailbox<Tasks>("small", 1, &seen);
    constexpr int kWaiting = 100;
    caf::scoped_actor self{system()};
    int before_the_answer = 0;
    for (int i = 0; i < kWaiting; ++i) {
        seen.post([&] {
            ++seen.posted;
            if (!self->has_next_message()) ++before_the_answer;
        });
    }
    auto request = actor::ask_next(self, small, 60s);
    run();
    bool answered = false;
    request.receive([&](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&,
                        const std::string&) { answered = true; },
                    [](const caf::error&) {});
    CHECK(answered);
    CHECK(seen.posted == kWaiting);
    CHECK(before_the_answer < 3); // a round of CAF's
    kill(small);
}

TEST_CASE_METHOD(Fixture, "tasks and timers of an actor that has ended are dropped") {
    Tasks::Seen seen;
    const auto tasks = spawn<Tasks>("tasks", &seen);
    kill(tasks);
    seen.post([&] { ++seen.posted; });
    advance(2s);
    CHECK(seen.posted == 0);
    CHECK(seen.timed == 0);
}

// ---- what an actor does not expect ----

TEST_CASE_METHOD(Fixture, "an unknown message is counted and answered, and harms nobody") {
    const auto unknown = metrics::counter("dwcp_actor_unknown_messages_total",
                                          "Messages that no handler took, by actor.", {{"actor", "subject"}});
    const double before = unknown.value();
    caf::scoped_actor self{system()};
    auto request = self->request(subject, 60s, std::string("what is this?"));
    run();
    request.receive([](const std::string&) { FAIL("answered"); },
                    [](const caf::error& error) { CHECK(actor::from_caf(error).code == Errc::internal); });
    CHECK(unknown.value() - before == 1);
    CHECK(subject_lives());
}

TEST_CASE_METHOD(Fixture, "an exception ends the actor abnormally and is logged with its path") {
    const test::TempDir home;
    const std::string file = home.sub("log") + "/node.log";
    log::Options options;
    options.format = log::Format::json;
    options.file = file;
    log::configure(options);
    caf::scoped_actor self{system()};
    self->monitor(subject);
    begin(subject, make_request("throw"));
    caf::error reason;
    self->receive([&](const caf::down_msg& down) { reason = down.reason; });
    log::configure({});
    CHECK(reason);
    CHECK(reason != caf::exit_reason::normal);
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    CHECK(content.str().find(R"("event":"actor_threw","actor":"subject","what":"the handler's bug")") !=
          std::string::npos);
}

// ---- from other threads ----

TEST_CASE("a call from a thread waits for the next life of an actor that is being restarted") {
    actor::Resolver resolver;
    actor::System system({.threads = 2});
    const auto start = [&] {
        actor::ActorContext context{.path = "subject", .resolver = &resolver};
        const auto stats = context.stats;
        const auto handle = system.get().spawn<Subject>(std::move(context));
        resolver.publish("subject", handle, stats, std::chrono::steady_clock::now());
        return handle;
    };
    const auto deadline = std::chrono::steady_clock::now() + 8s;
    const auto first = start();
    caf::anon_send_exit(first, caf::exit_reason::kill);
    {
        caf::scoped_actor self{system.get()};
        self->wait_for(first);
    }
    caf::actor second;
    std::thread supervisor([&] { second = start(); });
    const auto answer = actor::call(system, resolver, "subject", make_request("echo", "hello"), deadline);
    supervisor.join();
    REQUIRE(answer);
    CHECK((*answer)->body == to_bytes("hello"));
    const auto nobody =
        actor::call(system, resolver, "nobody", make_request("echo"), std::chrono::steady_clock::now() + 1ms);
    REQUIRE(!nobody);
    CHECK(nobody.error().code == Errc::unavailable);
    const auto silent = actor::call(system, resolver, "subject", make_request("hold"),
                                    std::chrono::steady_clock::now() + 20ms);
    REQUIRE(!silent);
    CHECK(silent.error().code == Errc::deadline_exceeded);
    caf::anon_send_exit(second, caf::exit_reason::kill);
    resolver.close();
}

TEST_CASE_METHOD(Fixture, "an answer of a life that has a successor is not believed") {
    const auto late = ask("asker", make_request("outlive", "subject"));
    REQUIRE(!late);
    CHECK(late.error().code == Errc::unavailable);
    CHECK(late.error().message == "subject was restarted before its answer was read");
    CHECK(ask("asker", make_request("outlive", "subject"))); // of the successor
}

TEST_CASE("a caller outside gets the successor's answer, not the late one of a dead life") {
    actor::System system({.threads = 2});
    actor::Resolver resolver;
    actor::ActorContext context{.path = "subject", .resolver = &resolver};
    const auto stats = context.stats;
    const auto subject = system.get().spawn<Subject>(std::move(context));
    resolver.publish("subject", subject, stats, {});
    const auto before = std::chrono::steady_clock::now();
    const auto answer =
        actor::call(system, resolver, "subject", make_request("outlive", "body"), before + 8s);
    REQUIRE(answer);
    CHECK(resolver.find("subject")->life == 2);
    CHECK(resolver.find("subject")->stats != stats);
    CHECK(stats->superseded);
    // The second life was asked in its turn: two requests have gone through the mailbox.
    CHECK(stats->enqueued == 2);
    caf::anon_send_exit(subject, caf::exit_reason::kill);
    resolver.close();
}

// ---- readiness ----

TEST_CASE_METHOD(Fixture, "an actor is ready when its mailbox answers") {
    CHECK(ask("subject", actor::AwaitReady{}));
}

TEST_CASE_METHOD(Fixture, "an actor that is not ready yet answers when it is, or when it ends") {
    const auto slow = spawn<SlowStarter>("slow");
    auto ready = begin(slow, actor::AwaitReady{}, 1h);
    CHECK_FALSE(ready.poll().has_value());
    SECTION("it gets ready") {
        CHECK(ask("slow", make_request("be ready")));
        const auto answer = ready.poll();
        REQUIRE(answer.has_value());
        CHECK(answer->has_value());
        CHECK(ask("slow", actor::AwaitReady{})); // from now on at once
    }
    SECTION("it ends first") {
        kill(slow);
        CHECK(code_of(ready.poll()) == Errc::unavailable);
    }
}

TEST_CASE("withdrawing an earlier life leaves the later one in place") {
    actor::Resolver resolver;
    const auto first = resolver.publish("a/0", {}, nullptr, {});
    const auto second = resolver.publish("a/0", {}, nullptr, {});
    resolver.withdraw("a/0", first);
    REQUIRE(resolver.find("a/0"));
    CHECK(resolver.find("a/0")->life == second);
    resolver.withdraw("a/0", second);
    CHECK(!resolver.find("a/0"));
    CHECK(resolver.publish("a/0", {}, nullptr, {}) == second + 1);
}
