// The ramp's transitions as sentences: one host, one journal that takes everything, observations as wanted.
#include "protocols/ramp/ramp.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <optional>

namespace dwcp::ramp {
namespace {

using Kind = Record::Kind;
using Verb = Command::Verb;

constexpr std::uint64_t kRequests = 1'000'000;
/// The plan's clock of a review, shortened with its day.
constexpr UnixMillis kReviewMs = kReviewMsMin;

/// Two steps of one stage each; the second wants an approval.
Plan small_plan() {
    Plan plan;
    plan.name = "small";
    plan.day_ms = 60'000;
    plan.review_ms = 30'000;
    plan.recent_ms = 5'000;
    plan.steps = {{.name = "first",
                   .title = "First",
                   .targets = {{.system = "manager", .instances = 1, .of = 2}},
                   .stages = {{.percent = 10, .days = 1, .gate = "g", .shadow = false}},
                   .approval = {}},
                  {.name = "second",
                   .title = "Second",
                   .targets = {},
                   .stages = {{.percent = 100, .days = 1, .gate = "g", .shadow = false}},
                   .approval = "admin"}};
    plan.gates["g"] = {{.name = "errors",
                        .check = Check::error_rate,
                        .limit = 0.001,
                        .samples_min = 100,
                        .systems = {},
                        .subject = {}},
                       {.name = "docs",
                        .check = Check::attested,
                        .limit = 0,
                        .samples_min = 0,
                        .systems = {},
                        .subject = "docs"}};
    plan.triggers.resize(2);
    plan.triggers[0] = {.name = "many errors",
                        .what = Trigger::What::error_rate,
                        .limit = 0.01,
                        .samples_min = 100,
                        .window_ms = 300'000,
                        .at_once = true};
    plan.triggers[1] = plan.triggers[0];
    plan.triggers[1].name = "some errors";
    plan.triggers[1].limit = 0.005;
    plan.triggers[1].at_once = false;
    return plan;
}

Result<Plan> read_small(const std::string& text) {
    Plan plan = small_plan();
    if (text == "good") return plan;
    if (text == "half") plan.steps[1].stages[0].percent = 50;
    if (text == "half") return plan;
    return fail(Errc::invalid_argument, "plan:1: nonsense", "correct it");
}

/// Runs the effects; the journal takes every record at once unless it is told not to.
class Host {
  public:
    Host() { perform(ramp.take_over(now_ms, "first")); }

    void tick(UnixMillis ms = 1'000) {
        now_ms += ms;
        perform(ramp.step(Observed{look()}, now_ms));
    }
    /// Ticks until the phase is reached.
    void until(Phase phase) {
        for (int i = 0; i < 200 && ramp.state().phase != phase; ++i)
            tick();
        INFO("wanted " << to_string(phase) << ", it is " << to_string(ramp.state().phase) << ": "
                       << ramp.state().reason);
        REQUIRE(ramp.state().phase == phase);
    }
    Result<std::string> ask(Verb verb, std::string subject = {}, std::string reason = "a reason",
                            bool on = false) {
        Command command;
        command.verb = verb;
        command.id = ++last_id;
        command.by = {.name = "op", .role = role, .reason = std::move(reason)};
        command.subject = std::move(subject);
        command.plan_toml = plan;
        command.on = on;
        command.expires_ms = expires_ms;
        perform(ramp.step(command, now_ms));
        for (const Answer& answer : answers) {
            if (answer.id == last_id) return answer.outcome;
        }
        return fail(Errc::internal, "no answer yet");
    }
    void start() { REQUIRE(ask(Verb::start).has_value()); }

    Observation look() const {
        Observation look;
        look.at_ms = now_ms;
        for (const char* name : {"a", "b"}) {
            if (silent == name) {
                look.silent.push_back(name);
                continue;
            }
            NodeReport report;
            report.node = name;
            report.seq = directed.seq;
            report.window_ms = 1'000;
            SystemReport& of = report.systems["manager"];
            of.stable = "old";
            of.canary = has_canary ? "new" : "";
            for (const Weight& weight : directed.weights)
                if (std::ranges::count(weight.nodes, report.node) > 0) of.canary_percent = weight.percent;
            of.canary_in_flight = in_flight;
            if (unsettled == name) of.unsettled = "stable's stream to c is not up";
            of.total[0].requests = kRequests;
            of.total[1].requests = kRequests;
            of.total[1].errors = static_cast<std::uint64_t>(error_rate * kRequests);
            of.recent = of.total;
            look.nodes.push_back(report);
        }
        return look;
    }
    std::size_t count(Kind kind) const {
        return static_cast<std::size_t>(std::ranges::count(journal, kind, &Record::kind));
    }

    UnixMillis now_ms = 1'000'000;
    Ramp ramp{"a", read_small};
    Directive directed; ///< What the nodes were told last.
    std::vector<Record> journal;
    std::vector<Answer> answers;
    std::vector<std::string> told;
    std::size_t kept = 0; ///< Evidence.
    bool journal_works = true;
    std::optional<Kind> held_back; ///< Is in the journal, and the host does not know yet.
    bool has_canary = true;
    double error_rate = 0;
    std::uint64_t in_flight = 0;
    NodeName silent;
    NodeName unsettled; ///< Whose stable is not ready.
    std::string role = "admin";
    std::string plan = "good";
    std::uint64_t last_id = 0;
    std::uint64_t expires_ms = 0; ///< Of what ask() vouches for; 0: in a day.

  private:
    void perform(const Effects& effects) {
        for (const Effect& effect : effects) {
            if (const auto* write = std::get_if<Journal>(&effect)) {
                if (!journal_works) {
                    perform(ramp.step(NotCommitted{write->record.seq, "no quorum"}, now_ms));
                    continue;
                }
                journal.push_back(write->record);
                if (write->record.kind == held_back) continue;
                perform(ramp.step(Committed{write->record}, now_ms));
            } else if (const auto* direct = std::get_if<Direct>(&effect)) {
                directed = direct->directive;
            } else if (const auto* answer = std::get_if<Answer>(&effect)) {
                answers.push_back(*answer);
            } else if (std::holds_alternative<KeepEvidence>(effect)) {
                ++kept;
            } else if (const auto* tell = std::get_if<Tell>(&effect)) {
                told.push_back(tell->name);
            }
        }
    }
};

void at_gate(Host& s) {
    s.start();
    s.until(Phase::gate);
}

} // namespace

TEST_CASE("a plan waits at its gate for what nobody vouched for, and goes on when somebody does") {
    Host s;
    at_gate(s);
    s.tick();
    s.tick();
    CHECK(s.ramp.state().phase == Phase::gate);
    REQUIRE(s.ask(Verb::attest, "docs").has_value());
    s.until(Phase::approval);
    CHECK(s.count(Kind::stage_passed) == 1);
}

TEST_CASE("a gate without a verdict pauses the ramp after its time, and the weights stay") {
    Host s;
    at_gate(s);
    s.until(Phase::paused);
    CHECK(s.directed.shifts());
    CHECK(s.ramp.state().reason.find("docs") != std::string::npos);
    REQUIRE(s.ask(Verb::resume).has_value());
    CHECK(s.ramp.state().phase == Phase::gate);
}

TEST_CASE("the next step waits for the approval of the role that the plan names") {
    Host s;
    REQUIRE(s.ask(Verb::attest, "docs").has_value());
    s.start();
    s.until(Phase::approval);
    s.role = "operator";
    const auto refused = s.ask(Verb::approve);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::permission_denied);
    s.role = "admin";
    CHECK_FALSE(s.ask(Verb::approve, "", "").has_value()); // without a reason
    REQUIRE(s.ask(Verb::approve).has_value());
    s.until(Phase::soaking);
    CHECK(s.ramp.state().step == 1);
    s.until(Phase::completed);
    CHECK(s.directed.promoted);
}

TEST_CASE("an approval that expired before the step begins does not count") {
    Host s;
    REQUIRE(s.ask(Verb::attest, "docs").has_value());
    s.start();
    s.expires_ms = static_cast<std::uint64_t>(s.now_ms + 10);
    REQUIRE(s.ask(Verb::approve, "second").has_value());
    s.until(Phase::approval);
    CHECK(s.ramp.state().phase == Phase::approval);
}

TEST_CASE("errors above the limit withdraw the canary before the journal has heard of it") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    s.journal_works = false;
    s.error_rate = 0.05;
    s.tick();
    CHECK_FALSE(s.directed.shifts());
    s.tick(); // what it repeats with every look takes nothing back
    REQUIRE(s.ramp.directive().has_value());
    CHECK_FALSE(s.ramp.directive()->shifts());
    CHECK(s.ramp.state().phase == Phase::soaking);
    CHECK(std::ranges::count(s.told, "ramp_withdrawn") == 1);
    s.journal_works = true;
    s.error_rate = 0;
    s.until(Phase::rolled_back);
    CHECK(s.count(Kind::rollback_begun) == 1);
    CHECK(s.ramp.state().reason.find("manager from new to old") != std::string::npos);
}

TEST_CASE("a trigger rolls back from every phase that waits: gate, approval, pause, review") {
    Host s;
    SECTION("at a gate") { at_gate(s); }
    SECTION("in approval") {
        REQUIRE(s.ask(Verb::attest, "docs").has_value());
        s.start();
        s.until(Phase::approval);
    }
    SECTION("paused") {
        s.start();
        s.until(Phase::soaking);
        REQUIRE(s.ask(Verb::pause).has_value());
    }
    SECTION("in review") {
        s.start();
        s.until(Phase::soaking);
        s.error_rate = 0.0075;
        s.until(Phase::review);
    }
    s.error_rate = 0.05;
    s.tick();
    CHECK_FALSE(s.directed.shifts());
    s.error_rate = 0;
    s.until(Phase::rolled_back);
}

TEST_CASE("a review that nobody answers rolls back at the end of its clock, and not before") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    s.error_rate = 0.0075;
    s.until(Phase::review);
    const UnixMillis begun = s.now_ms;
    CHECK(s.ramp.state().review_until_ms == begun + kReviewMs);
    while (s.now_ms < begun + kReviewMs - 1'000)
        s.tick();
    CHECK(s.ramp.state().phase == Phase::review);
    CHECK(s.directed.shifts());
    s.until(Phase::rolled_back);
    CHECK(s.now_ms >= begun + kReviewMs);
}

TEST_CASE("whoever answers a review with resume begins the stage anew, in a new window") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    s.error_rate = 0.0075;
    s.until(Phase::review);
    const auto window = s.directed.seq;
    s.error_rate = 0;
    CHECK_FALSE(s.ask(Verb::resume, "", "").has_value()); // a review is not ended without a reason
    REQUIRE(s.ask(Verb::resume).has_value());
    CHECK(s.ramp.state().phase == Phase::soaking);
    CHECK(s.ramp.state().stage_since_ms == s.now_ms);
    CHECK(s.directed.seq > window);
    CHECK(s.directed.shifts());
}

TEST_CASE("a gate that fails look after look calls people; an override lets exactly that criterion pass") {
    Host s;
    REQUIRE(s.ask(Verb::attest, "docs").has_value());
    s.error_rate = 0.003; // above the gate's limit, below the triggers'
    at_gate(s);
    s.until(Phase::review);
    CHECK(s.ramp.state().reason.find("errors") != std::string::npos);
    CHECK_FALSE(s.ask(Verb::override_, "errors", "").has_value());
    const auto trigger = s.ask(Verb::override_, "many errors");
    REQUIRE_FALSE(trigger.has_value());
    CHECK(trigger.error().message.find("triggers cannot be overridden") != std::string::npos);
    const auto unknown = s.ask(Verb::override_, "erors");
    REQUIRE_FALSE(unknown.has_value());
    CHECK(unknown.error().remedy.find("\"errors\"") != std::string::npos);
    REQUIRE(s.ask(Verb::override_, "errors").has_value());
    REQUIRE(s.ask(Verb::resume).has_value());
    s.until(Phase::approval);
    const auto passed = std::ranges::find(s.journal, Kind::stage_passed, &Record::kind);
    REQUIRE(passed != s.journal.end());
    CHECK(passed->verdicts[0].overridden);
    CHECK(passed->verdicts[0].reason.find("overridden by op (admin): a reason") != std::string::npos);
    CHECK(s.ramp.state().overrides.size() == 1);
    REQUIRE(s.ask(Verb::approve).has_value());
    s.until(Phase::soaking);
    CHECK(s.ramp.state().overrides.empty()); // it held for that gate only
}

TEST_CASE("a rollback waits for silent nodes and for work in flight, and names them") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    s.silent = "b";
    s.in_flight = 1;
    REQUIRE(s.ask(Verb::rollback).has_value());
    CHECK_FALSE(s.directed.shifts());
    for (int i = 0; i < 10; ++i)
        s.tick();
    CHECK(s.ramp.state().phase == Phase::rolling_back);
    CHECK(s.ramp.still_open() == std::vector<NodeName>{"b", "a"});
    CHECK(s.ramp.directive().has_value()); // it goes on telling them
    s.in_flight = 0;
    s.tick();
    CHECK(s.ramp.still_open() == std::vector<NodeName>{"b"});
    CHECK(s.ramp.explain(s.now_ms).find("waits for b") != std::string::npos);
    SECTION("until they answer") { s.silent = ""; }
    SECTION("or an operator gives them up") { REQUIRE(s.ask(Verb::override_, "b").has_value()); }
    s.until(Phase::rolled_back);
}

TEST_CASE("a rollback is verified only when every node says that stable is ready there") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    s.unsettled = "b";
    REQUIRE(s.ask(Verb::rollback).has_value());
    for (int i = 0; i < 10; ++i)
        s.tick();
    CHECK(s.ramp.state().phase == Phase::rolling_back);
    CHECK(s.ramp.still_open() == std::vector<NodeName>{"b"});
    CHECK(s.ramp.explain(s.now_ms).find("waits for b (manager: stable's stream to c is not up)") !=
          std::string::npos);
    SECTION("it says so") { s.unsettled = ""; }
    SECTION("the system has no canary there for the ramp to shift") { s.has_canary = false; }
    s.until(Phase::rolled_back);
}

TEST_CASE("a rollback is verified although the host's clock was set back since it began") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    s.silent = "b";
    REQUIRE(s.ask(Verb::rollback).has_value());
    s.tick();
    REQUIRE(s.ramp.state().phase == Phase::rolling_back);
    s.now_ms -= 600'000;
    s.silent = "";
    s.tick();
    CHECK(s.ramp.state().phase == Phase::rolled_back);
    CHECK(s.ramp.state().reason.find("verified 0 ms after") != std::string::npos);
}

TEST_CASE("abort with nothing under way does nothing and says so") {
    Host s;
    const auto written = s.journal.size();
    const auto answer = s.ask(Verb::abort);
    REQUIRE(answer.has_value());
    CHECK(answer->find("nothing is under way") != std::string::npos);
    CHECK(s.journal.size() == written);
}

TEST_CASE("abort rolls back what was shifted and ends as aborted") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    REQUIRE(s.ask(Verb::abort).has_value());
    s.until(Phase::aborted);
    CHECK_FALSE(s.directed.shifts());
    CHECK(s.count(Kind::rollback_begun) == 1);
}

TEST_CASE("after a rollback a start needs a reason") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    REQUIRE(s.ask(Verb::rollback).has_value());
    s.until(Phase::rolled_back);
    const auto refused = s.ask(Verb::start, "", "");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message.find("rolled back") != std::string::npos);
    CHECK(s.ask(Verb::start).has_value());
}

TEST_CASE("the kill switch gives everything to stable, and nothing starts while it is on") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    CHECK_FALSE(s.ask(Verb::kill_switch, "", "", true).has_value());
    REQUIRE(s.ask(Verb::kill_switch, "", "it burns", true).has_value());
    CHECK(s.directed.kill_switch);
    CHECK_FALSE(s.directed.shifts());
    s.until(Phase::rolled_back);
    CHECK(s.directed.kill_switch);
    const auto refused = s.ask(Verb::start);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message == "the kill switch is on");
    REQUIRE(s.ask(Verb::kill_switch, "", "mended", false).has_value());
    CHECK_FALSE(s.directed.kill_switch);
    CHECK(s.ask(Verb::start).has_value());
}

TEST_CASE("steps without a canary are skipped with the reason, and a plan without any ends as aborted") {
    Host s;
    s.has_canary = false;
    s.start();
    s.until(Phase::aborted);
    CHECK(s.count(Kind::step_skipped) == 2);
    CHECK(s.ramp.state().skipped.at("first").find("no node has a canary of manager") == 0);
    CHECK_FALSE(s.directed.shifts());
}

TEST_CASE("no stage begins while a node is silent") {
    Host s;
    s.silent = "b";
    s.start();
    for (int i = 0; i < 20; ++i)
        s.tick();
    CHECK(s.ramp.state().phase == Phase::starting);
    s.until(Phase::paused);
    CHECK(s.ramp.state().reason.find("b did not answer") == 0);
    CHECK_FALSE(s.directed.shifts());
}

TEST_CASE("promote ends the soak with a reason, and full goes to the last step, whose approval remains") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    CHECK_FALSE(s.ask(Verb::promote, "", "").has_value());
    CHECK_FALSE(s.ask(Verb::promote, "everything").has_value());
    REQUIRE(s.ask(Verb::promote, "full").has_value());
    s.until(Phase::approval);
    CHECK(s.ramp.state().step == 1);
}

TEST_CASE("a command that the journal does not take is answered, and the ramp goes on when it works again") {
    Host s;
    s.journal_works = false;
    const auto refused = s.ask(Verb::start);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::unavailable);
    s.journal_works = true;
    CHECK(s.ask(Verb::start).has_value());
}

TEST_CASE("a node that does not host the ramp says who does") {
    Host s;
    Ramp other("b", read_small);
    for (const Record& record : s.journal)
        CHECK(other.apply(record));
    Command command;
    command.verb = Verb::pause;
    command.id = 7;
    const auto effects = other.step(command, s.now_ms);
    REQUIRE(effects.size() == 1);
    const auto& answer = std::get<Answer>(effects.front());
    CHECK(answer.id == 7);
    REQUIRE_FALSE(answer.outcome.has_value());
    CHECK(answer.outcome.error().message == "b does not host the ramp: a does");
    CHECK(answer.outcome.error().remedy == "give the command to a");
}

TEST_CASE("records of an old term, and records twice, change nothing") {
    Host s;
    s.start();
    const Record started = s.journal.back();
    const auto seq = s.ramp.state().seq;
    CHECK_FALSE(s.ramp.apply(started));
    Record old = started;
    old.seq = seq + 1;
    old.term = 0;
    CHECK_FALSE(s.ramp.apply(old));
    CHECK(s.ramp.state().seq == seq);
}

TEST_CASE("a new host that finds a withdrawn canary leaves it withdrawn") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    s.journal_works = false;
    s.error_rate = 0.05;
    s.tick(); // withdrawn at the nodes, not in the journal
    s.error_rate = 0;
    Ramp next("b", read_small);
    for (const Record& record : s.journal)
        next.apply(record);
    auto effects = next.take_over(s.now_ms, "the host is gone");
    REQUIRE(effects.size() == 1);
    effects = next.step(Committed{std::get<Journal>(effects[0]).record}, s.now_ms);
    CHECK(std::ranges::none_of(effects,
                               [](const Effect& effect) { return std::holds_alternative<Direct>(effect); }));
    effects = next.step(Observed{s.look()}, s.now_ms);
    bool directs = false;
    for (const Effect& effect : effects) {
        if (const auto* direct = std::get_if<Direct>(&effect)) {
            directs = true;
            CHECK_FALSE(direct->directive.shifts());
            CHECK(direct->directive.seq > s.directed.seq);
        }
    }
    CHECK(directs);
}

TEST_CASE("a node that hears of the hand-over before the host does has withdrawn nothing") {
    Host s;
    REQUIRE(s.ask(Verb::attest, "docs").has_value());
    s.held_back = Kind::completed;
    s.start();
    REQUIRE(s.ask(Verb::approve, "second").has_value());
    for (int i = 0; i < 200 && s.count(Kind::completed) == 0; ++i)
        s.tick();
    REQUIRE(s.count(Kind::completed) == 1);
    REQUIRE(s.ramp.state().phase == Phase::starting);
    s.directed = *s.journal.back().directive; // nodes obey a promotion as the journal tells it
    SECTION("and the ramp ends as completed") {
        s.tick();
        CHECK(std::ranges::count(s.told, "ramp_withdrawn") == 0);
        s.ramp.step(Committed{s.journal.back()}, s.now_ms);
        CHECK(s.ramp.state().phase == Phase::completed);
    }
    SECTION("but a number above it is a withdrawal") {
        s.directed.seq += 1;
        s.tick();
        CHECK(std::ranges::count(s.told, "ramp_withdrawn") == 1);
    }
}

TEST_CASE("after the hand-over a rollback still returns to the earlier releases") {
    Host s;
    REQUIRE(s.ask(Verb::attest, "docs").has_value());
    s.start();
    s.until(Phase::approval);
    REQUIRE(s.ask(Verb::approve).has_value());
    s.until(Phase::completed);
    const auto refused = s.ask(Verb::start);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().remedy.find("ramp rollback") != std::string::npos);
    REQUIRE(s.ask(Verb::rollback).has_value());
    s.until(Phase::rolled_back);
    CHECK_FALSE(s.directed.promoted);
    CHECK_FALSE(s.directed.shifts());
}

TEST_CASE("a rollback that waits for the journal keeps its evidence once") {
    Host s;
    s.start();
    s.until(Phase::soaking);
    s.tick();
    const auto before = s.kept;
    s.journal_works = false;
    s.error_rate = 0.02;
    for (int look = 0; look < 10; ++look)
        s.tick();
    CHECK_FALSE(s.directed.shifts());
    CHECK(s.kept == before + 1);
    s.journal_works = true;
    s.until(Phase::rolled_back);
    CHECK(s.count(Kind::rollback_begun) == 1);
}

TEST_CASE("a canary with a part of the traffic is not handed over, and stays watched") {
    Host s;
    s.plan = "half";
    REQUIRE(s.ask(Verb::attest, "docs").has_value());
    s.start();
    s.until(Phase::approval);
    REQUIRE(s.ask(Verb::approve).has_value());
    s.until(Phase::paused);
    CHECK(s.ramp.state().reason.find("manager only at 50 %") != std::string::npos);
    CHECK(s.directed.shifts());
    CHECK_FALSE(s.directed.promoted);
    REQUIRE(s.ask(Verb::resume).has_value());
    s.until(Phase::paused);
    s.error_rate = 0.02;
    s.tick();
    CHECK_FALSE(s.directed.shifts());
    s.until(Phase::rolled_back);
}

TEST_CASE("a plan that does not read, or a day that is too long, is refused with what is wrong") {
    Host s;
    Command command;
    command.verb = Verb::start;
    command.id = 5;
    command.by = {.name = "op", .role = "admin", .reason = "x"};
    command.plan_toml = "bad";
    auto effects = s.ramp.step(command, s.now_ms);
    REQUIRE(effects.size() == 1);
    CHECK(std::get<Answer>(effects[0]).outcome.error().message == "plan:1: nonsense");
    command.plan_toml = "good";
    command.day_ms = kRealDayMs + 1;
    effects = s.ramp.step(command, s.now_ms);
    REQUIRE(effects.size() == 1);
    CHECK(std::get<Answer>(effects[0]).outcome.error().code == Errc::invalid_argument);
}

} // namespace dwcp::ramp
