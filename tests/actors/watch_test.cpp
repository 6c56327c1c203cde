// Watching an actor and holding it up, in simulated time.
#include "actors/manager/messages.hpp"
#include "tests/actors/fixture.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>

using namespace dwcp;
using namespace std::chrono_literals;

namespace {

/// Answers AbortPut by its reason, DeleteObject through another actor.
class EchoActor final : public actor::Actor {
  public:
    using Actor::Actor;

  protected:
    caf::behavior handlers() override {
        return {
            on<manager::AbortPut>([](const manager::AbortPut& request) -> Result<manager::Acknowledged> {
                if (request.reason == "throw") throw std::runtime_error("a bug");
                if (request.reason == "fail") return fail(Errc::not_found, "nothing here");
                return manager::Acknowledged{};
            }),
            on_later<manager::QueryWorkloads>([this](const manager::QueryWorkloads&, actor::Ticket ticket) {
                after(1s, [this, ticket] { settle<manager::WorkloadReports>(ticket, {}); });
            })};
    }
};

using Outcomes = std::vector<std::pair<std::string, std::string>>;

Outcomes outcomes(const actor::Live& live) {
    Outcomes list;
    for (const auto& message : live.stats->trace.messages())
        list.emplace_back(message.type, message.outcome);
    return list;
}

} // namespace

TEST_CASE_METHOD(test::ActorFixture, "a trace has what an actor handled while it was on, with the outcome") {
    spawn<EchoActor>("echo");
    const auto live = *resolver().find("echo");
    CHECK(ask("echo", manager::AbortPut{"w", "before"}));
    CHECK(outcomes(live).empty());
    live.stats->trace.record_for(1h);
    CHECK(ask("echo", manager::AbortPut{"w", "fine"}));
    CHECK_FALSE(ask("echo", manager::AbortPut{"w", "fail"}));
    auto later = begin(live.handle, manager::QueryWorkloads{});
    advance(1s);
    CHECK(later.poll()->has_value());
    CHECK(outcomes(live) == Outcomes{{"manager::AbortPut", "ok"},
                                     {"manager::AbortPut", "not_found"},
                                     {"manager::QueryWorkloads", "later"},
                                     {"actor::Task", "ok"}});
    CHECK(live.stats->trace.messages().front().time_ms > 0);
    CHECK_FALSE(ask("echo", manager::AbortPut{"w", "throw"}));
    CHECK(outcomes(live).back() == std::pair<std::string, std::string>("manager::AbortPut", "threw"));
}

TEST_CASE_METHOD(test::ActorFixture, "a trace is bounded and ends when it is switched off") {
    spawn<EchoActor>("echo");
    const auto live = *resolver().find("echo");
    live.stats->trace.record_for(1h);
    for (std::size_t i = 0; i < actor::kTracedMessagesMax + 10; ++i)
        CHECK(ask("echo", manager::AbortPut{"w", i == 5 ? "fail" : ""}).has_value() == (i != 5));
    CHECK(outcomes(live).size() == actor::kTracedMessagesMax);
    CHECK(outcomes(live).front().second == "ok"); // the failure was among the first and is gone
    live.stats->trace.record_for(0s);
    CHECK(live.stats->trace.left() == 0s);
    CHECK_FALSE(ask("echo", manager::AbortPut{"w", "fail"}));
    CHECK(outcomes(live).back().second == "ok");
}

TEST_CASE_METHOD(test::ActorFixture, "a paused actor handles nothing, then everything in its order") {
    spawn<EchoActor>("echo");
    const auto live = *resolver().find("echo");
    live.stats->trace.record_for(1h);
    live.stats->pause.begin();
    auto first = begin(live.handle, manager::AbortPut{"w", "fine"}, 1h);
    auto second = begin(live.handle, manager::AbortPut{"w", "fail"}, 1h);
    advance(1min);
    CHECK_FALSE(first.poll().has_value());
    CHECK(outcomes(live).empty());
    live.stats->pause.end();
    CHECK(first.poll()->has_value());
    CHECK(second.poll()->error().code == Errc::not_found);
    CHECK(outcomes(live).size() == 2);
    CHECK(ask("echo", manager::AbortPut{"w", "fine"}));
}

TEST_CASE_METHOD(test::ActorFixture, "a paused actor that is killed ends when the pause does") {
    const auto handle = spawn<EchoActor>("echo");
    const auto live = *resolver().find("echo");
    live.stats->pause.begin();
    kill(handle);
    auto request = begin(handle, manager::AbortPut{"w", "fine"}, 1h);
    CHECK_FALSE(request.poll().has_value());
    live.stats->pause.end();
    REQUIRE(request.poll().has_value());
}

TEST_CASE_METHOD(test::ActorFixture,
                 "pausing an idle actor and going on before anything comes changes nothing") {
    spawn<EchoActor>("echo");
    const auto live = *resolver().find("echo");
    live.stats->pause.begin();
    live.stats->pause.end();
    live.stats->pause.end();
    CHECK(ask("echo", manager::AbortPut{"w", "fine"}));
}
