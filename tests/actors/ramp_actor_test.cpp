// The ramp's actor on a node with a real journal and a real decision core; the control lane and the other
// nodes are played. One thread of actors and simulated time; only reading the journal is another thread's.
#include "actors/consensus/messages.hpp"
#include "actors/ramp/ramp_actor.hpp"
#include "protocols/ramp/wire.hpp"
#include "runtime/release/plan_file.hpp"
#include "tests/actors/fixture.hpp"
#include "tests/actors/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <thread>

namespace dwcp::ramp {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPlan = R"(
name = "small"
day_ms = 86_400_000
recent_ms = 60_000
wait_days_max = 1
review_ms = 900_000
[[steps]]
name = "manager"
title = "Manager at 10 %"
targets = [{ system = "manager", instances = 1, of = 3 }]
stages = [{ percent = 10, days = 1, gate = "quiet" }]
[[steps]]
name = "full"
title = "Everything at 100 %"
stages = [{ percent = 100, days = 1, gate = "quiet" }]
[gates.quiet]
[[gates.quiet.criteria]]
name = "zero critical incidents"
check = "critical_incidents"
limit = 0
[[triggers]]
name = "data corruption detected"
what = "corruptions"
limit = 0
)";

/// A node as the host's polls see it.
struct PlayedNode {
    Directive directive;
    bool up = true;
    std::uint64_t corruptions = 0;
    std::size_t polled = 0;
    std::size_t renewed = 0;
    std::size_t ordered = 0;          ///< Exercises, none of which it answers.
    std::string heard_ms = "3600000"; ///< Since it heard of the ramp's host.
    NodeName claims;                  ///< Who it says it is; empty: the truth.

    void obey(const Directive& said) {
        if (said.shifts()) ++renewed;
        if (std::tuple(said.term, said.seq) >= std::tuple(directive.term, directive.seq)) directive = said;
    }
    double percent(const NodeName& self) const {
        for (const Weight& weight : directive.weights)
            if (std::ranges::find(weight.nodes, self) != weight.nodes.end()) return weight.percent;
        return 0;
    }
    NodeReport report(const NodeName& self) const {
        NodeReport report;
        report.node = claims.empty() ? self : claims;
        report.incarnation = 1;
        report.seq = directive.seq;
        report.window_ms = 1000;
        SystemReport manager;
        manager.stable = "one";
        manager.canary = "many";
        manager.canary_percent = percent(self);
        report.systems["manager"] = manager;
        report.total.checks = report.recent.checks = 3;
        report.total.corruptions = report.recent.corruptions = corruptions;
        return report;
    }
};

/// Peers answer at once, from their own thread of nothing.
class PlayedLinks final : public links::ControlLinks {
  public:
    std::map<NodeName, PlayedNode> nodes;

    std::uint16_t port() const override { return 0; }
    void serve(const std::string&, const std::string&) override {}
    void serve_function(const std::string&, Server) override {}
    void watch(Watcher) override {}
    void request(const NodeName& peer, const std::string& service, Bytes body, Duration, const WorkloadId&,
                 Done done) override {
        PlayedNode& node = nodes.at(peer);
        if (!node.up) return done(fail(Errc::unavailable, peer + " is down"));
        if (service == kHeardService) return done(to_bytes(node.heard_ms));
        if (service == kExerciseService) {
            ++node.ordered;
            return done(fail(Errc::deadline_exceeded, peer + " does not answer"));
        }
        REQUIRE(service == kPollService);
        const auto directive = decode_directive(body);
        REQUIRE(directive);
        ++node.polled;
        node.obey(*directive);
        done(encode(node.report(peer)));
    }
    std::vector<links::PeerState> peers() const override {
        std::vector<links::PeerState> states;
        for (const auto& [name, node] : nodes) {
            links::PeerState state;
            state.name = name;
            state.up = node.up;
            states.push_back(state);
        }
        return states;
    }
};

class PlayedLane final : public actor::Actor {
  public:
    struct Mood {
        bool silent = false;
        bool away = false;
        std::vector<Record> seen;
    };
    PlayedLane(caf::actor_config& config, actor::ActorContext context, RampJournal* journal,
               store::Store* store, NodeName self, Mood* mood)
        : Actor(config, std::move(context)), journal_(*journal), store_(*store), self_(std::move(self)),
          mood_(*mood) {}

  protected:
    caf::behavior handlers() override {
        return {on_later<consensus::SubmitCommand>(
            [this](const consensus::SubmitCommand& request, actor::Ticket ticket) {
                if (mood_.silent) return;
                if (mood_.away) return refuse(ticket, {Errc::unavailable, "there is no quorum", ""});
                const auto record = decode_record(request.command.payload);
                REQUIRE(record);
                mood_.seen.push_back(*record);
                store::Batch batch;
                const auto position = journal_.position();
                REQUIRE(position);
                const consensus::Entry entry{position->seq + 1, 0, self_, request.command};
                consensus::CommandCommitted committed;
                committed.result = journal_.apply(entry, batch);
                REQUIRE(store_.write(batch, store::Sync::no));
                journal_.applied(entry);
                settle<consensus::CommandCommitted>(ticket, committed);
            })};
    }

  private:
    RampJournal& journal_;
    store::Store& store_;
    const NodeName self_;
    Mood& mood_;
};

class NoExercises final : public ExerciseRunner {
  public:
    ExerciseResult run(const ExerciseOrder& order) override { return {order.what, true, true, 1, "played"}; }
};

/// Node "b" of "a", "b", "c".
class Rig : public test::ActorFixture {
  public:
    Rig() {
        links.nodes["a"];
        links.nodes["c"];
        spawn<PlayedLane>("consensus/control", &journal, store_.get(), NodeName("b"), &lane);
    }
    ~Rig() {
        end_actor();
        pool_.stop();
        run();
    }

    void start_actor() {
        RampServices services{.journal = journal,
                              .evidence = evidence_,
                              .exercises = exercises_,
                              .links = links,
                              .pool = pool_,
                              .events = events,
                              .kill_points = kill_points_,
                              .obey =
                                  [this](const Directive& directive) {
                                      own.obey(directive);
                                      heard_ = clock_.now();
                                  },
                              .report = [this] { return own.report("b"); },
                              .read_plan = [](const std::string& text) { return release::parse_plan(text); },
                              .host_heard = [this] { return heard_; },
                              .clock = [this] { return now_ms_; }};
        actor::ActorContext context{.path = "ramp/0", .resolver = &resolver()};
        const auto stats = context.stats;
        actor_ =
            spawn_ramp(system(), std::move(context), {"b", {"a", "b", "c"}, 1s, 6s, 5s}, std::move(services));
        life_ = resolver().publish("ramp/0", actor_, stats, {});
        settle_down(); // until it has read the journal
    }
    void end_actor() {
        if (!actor_) return;
        kill(actor_);
        resolver().withdraw("ramp/0", life_);
        actor_ = nullptr;
    }
    /// Lets the ramp look once and do what follows.
    void pass(Duration time) {
        now_ms_ += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
        advance(time);
        settle_down();
    }
    /// Time that only the plan sees.
    void skip(std::uint64_t ms) { now_ms_ += static_cast<UnixMillis>(ms); }
    void settle_down() {
        for (int quiet = 0; quiet < 3; ++quiet) {
            run();
            while (pool_.queued() > 0)
                std::this_thread::yield();
            std::atomic<bool> idle = false;
            while (!pool_.try_submit([&] { idle = true; }))
                std::this_thread::yield();
            while (!idle)
                std::this_thread::yield();
            run();
        }
    }
    std::optional<RampView> view() {
        auto answer = ask("ramp/0", QueryRamp{});
        return answer ? std::optional(*answer) : std::nullopt;
    }
    Phase phase() { return view()->state.phase; }
    Result<RampAnswered> command(Command::Verb verb, const std::string& plan = {}) {
        RampCommand request;
        request.command.verb = verb;
        request.command.by = {"ann", "admin", "a test"};
        request.command.plan_toml = plan;
        auto pending = begin(resolver().find("ramp/0")->handle, request, 60s);
        std::optional<Result<RampAnswered>> answer;
        for (int i = 0; i < 100 && !answer; ++i) {
            settle_down();
            answer = pending.poll();
            if (!answer) pass(200ms);
        }
        return answer ? *answer : fail(Errc::deadline_exceeded, "no answer");
    }
    /// A record that another node wrote.
    void foreign(const Record& record, const NodeName& proposer) {
        store::Batch batch;
        const consensus::Entry entry{record.seq, 0, proposer, command_of(record)};
        REQUIRE(as_text(journal.apply(entry, batch)) == kRecordTaken);
        REQUIRE(store_->write(batch, store::Sync::no));
        journal.applied(entry);
    }
    std::size_t count(Record::Kind kind) {
        const auto all = journal.read(0, 1000);
        REQUIRE(all);
        return static_cast<std::size_t>(
            std::ranges::count_if(*all, [&](const Record& record) { return record.kind == kind; }));
    }

  private:
    test::TempDir directory_;
    std::unique_ptr<store::Store> store_ =
        *store::Store::open({.directory = directory_.sub("store"), .memory_budget_bytes = 16U << 20});

  public:
    EventRing events;
    PlayedLinks links;
    PlayedLane::Mood lane;
    RampJournal journal{*store_};
    PlayedNode own;

  private:
    struct Clock {
        TimePoint now() const { return fixture.system().clock().now(); }
        test::ActorFixture& fixture;
    } clock_{*this};
    EvidenceStore evidence_{{*store_, events, [] { return nlohmann::json(); }, "b"}};
    NoExercises exercises_;
    chaos::KillPoints kill_points_;
    WorkerPool pool_{"disk", 1, 64};
    UnixMillis now_ms_ = 1'790'000'000'000;
    TimePoint heard_{};
    caf::actor actor_;
    std::uint64_t life_ = 0;
};

Record took_over(std::uint64_t seq, std::uint64_t term, const NodeName& node) {
    Record record;
    record.seq = seq;
    record.term = term;
    record.kind = Record::Kind::took_over;
    record.node = node;
    return record;
}

Record started(std::uint64_t seq, std::uint64_t term) {
    Record record;
    record.seq = seq;
    record.term = term;
    record.kind = Record::Kind::started;
    record.plan_toml = kPlan;
    record.day_ms = kRealDayMs;
    return record;
}

} // namespace

TEST_CASE_METHOD(Rig, "whoever is asked to start takes the ramp over, and every node gets its weight") {
    start_actor();
    const auto answer = command(Command::Verb::start, kPlan);
    if (!answer) FAIL(answer.error().render());
    for (int look = 0; look < 20 && phase() != Phase::soaking; ++look)
        pass(1s);
    REQUIRE(phase() == Phase::soaking);
    CHECK(view()->is_host);
    CHECK(view()->state.host == "b");
    CHECK(count(Record::Kind::took_over) == 1);
    // One of three nodes runs the canary.
    const double sum = own.percent("b") + links.nodes["a"].percent("a") + links.nodes["c"].percent("c");
    CHECK(sum == 10);
    CHECK(links.nodes["a"].directive == own.directive);
    CHECK(links.nodes["c"].directive.lease_ms == 6000);
}

TEST_CASE_METHOD(Rig, "a rollback reaches every node before its record is in the lane") {
    start_actor();
    REQUIRE(command(Command::Verb::start, kPlan));
    for (int look = 0; look < 20 && phase() != Phase::soaking; ++look)
        pass(1s);
    REQUIRE(phase() == Phase::soaking);
    const auto seq = own.directive.seq;
    lane.silent = true;
    links.nodes["c"].up = false;
    links.nodes["a"].corruptions = 1;
    pass(1s);
    CHECK(count(Record::Kind::rollback_begun) == 0);
    CHECK(own.directive.seq > seq);
    CHECK_FALSE(own.directive.shifts());
    CHECK_FALSE(links.nodes["a"].directive.shifts());
    SECTION("and a node that was away gets it with the next look") {
        links.nodes["c"].up = true;
        pass(1s);
        CHECK_FALSE(links.nodes["c"].directive.shifts());
        CHECK(links.nodes["c"].directive.seq == own.directive.seq);
    }
    SECTION("and it is written down once the lane answers again") {
        lane.silent = false;
        links.nodes["c"].up = true;
        links.nodes["a"].corruptions = 0;
        for (int look = 0; look < 40 && phase() != Phase::rolled_back; ++look)
            pass(1s);
        CHECK(phase() == Phase::rolled_back);
        CHECK(count(Record::Kind::rollback_begun) == 1);
        CHECK(count(Record::Kind::rolled_back) == 1);
    }
}

TEST_CASE_METHOD(Rig, "a host whose actor died goes on where the journal ends, and writes nothing twice") {
    start_actor();
    REQUIRE(command(Command::Verb::start, kPlan));
    for (int look = 0; look < 20 && phase() != Phase::soaking; ++look)
        pass(1s);
    REQUIRE(phase() == Phase::soaking);
    const auto before = view()->state;
    end_actor();
    start_actor();
    pass(1s);
    pass(1s);
    CHECK(view()->is_host);
    CHECK(view()->state.term == before.term);
    CHECK(view()->state.seq == before.seq);
    CHECK(own.directive.seq == before.directive.seq);
    CHECK(count(Record::Kind::took_over) == 1);
    CHECK(count(Record::Kind::stage_begun) == 1);
}

TEST_CASE_METHOD(Rig, "a record whose answer was lost is not written again by the next life") {
    start_actor();
    REQUIRE(command(Command::Verb::start, kPlan));
    for (int look = 0; look < 20 && phase() != Phase::soaking; ++look)
        pass(1s);
    lane.silent = true;
    links.nodes["a"].corruptions = 1;
    pass(1s); // the rollback's record is on its way, for ever
    end_actor();
    lane.silent = false;
    start_actor();
    for (int look = 0; look < 40 && phase() != Phase::rolled_back; ++look) {
        links.nodes["a"].corruptions = 0;
        pass(1s);
    }
    CHECK(phase() == Phase::rolled_back);
    CHECK(count(Record::Kind::rollback_begun) == 1);
    CHECK(count(Record::Kind::took_over) == 1);
}

TEST_CASE_METHOD(Rig, "the first by name of those that are up takes over when the host is silent") {
    foreign(took_over(1, 1, "c"), "c");
    foreign(started(2, 1), "c");
    links.nodes["c"].up = false;
    start_actor();
    SECTION("which is another node, but not for ever") {
        for (int second = 0; second < 9; ++second)
            pass(1s);
        CHECK(view()->state.host == "c");
        for (int second = 0; second < 4; ++second)
            pass(1s);
        CHECK(view()->state.host == "b"); // "a" is up and does nothing
    }
    SECTION("which is nobody while another node still hears the host") {
        links.nodes["a"].heard_ms = "700";
        for (int second = 0; second < 30; ++second)
            pass(1s);
        CHECK(view()->state.host == "c");
        links.nodes["a"].heard_ms = "nonsense";
        for (int second = 0; second < 3; ++second)
            pass(1s);
        CHECK(view()->state.host == "b");
    }
    SECTION("which is this node if it is the first") {
        links.nodes["a"].up = false;
        pass(1s);
        CHECK(view()->state.host == "c"); // not yet
        for (int second = 0; second < 6; ++second)
            pass(1s);
        CHECK(view()->state.host == "b");
        CHECK(view()->state.term == 2);
        CHECK(count(Record::Kind::took_over) == 2);
    }
}

TEST_CASE_METHOD(Rig, "a host that hears of no majority renews its own lease no more") {
    start_actor();
    REQUIRE(command(Command::Verb::start, kPlan));
    for (int look = 0; look < 20 && phase() != Phase::soaking; ++look)
        pass(1s);
    pass(1s);
    links.nodes["a"].up = false;
    const auto with_two = own.renewed;
    pass(1s);
    pass(1s);
    CHECK(own.renewed > with_two);
    links.nodes["c"].up = false;
    pass(1s);
    const auto alone = own.renewed;
    for (int second = 0; second < 5; ++second)
        pass(1s);
    CHECK(own.renewed == alone);
    CHECK(view()->silent == std::vector<NodeName>{"a", "c"});
    links.nodes["a"].up = true;
    pass(1s);
    pass(1s);
    CHECK(own.renewed > alone);
    // And what takes weight away needs nobody.
    links.nodes["a"].up = false;
    pass(1s);
    lane.away = true;
    command(Command::Verb::rollback);
    CHECK(own.percent("b") == 0);
}

TEST_CASE_METHOD(Rig, "an exercise that never ended is ordered no more once its stage is over") {
    start_actor();
    std::string drill = kPlan;
    const std::string incidents = "critical_incidents";
    drill.replace(drill.find(incidents), incidents.size(), "recovery");
    REQUIRE(command(Command::Verb::start, drill));
    for (int look = 0; look < 20 && phase() != Phase::soaking; ++look)
        pass(1s);
    skip(kRealDayMs);
    for (int look = 0; look < 20 && links.nodes["a"].ordered < 2; ++look)
        pass(1s);
    CHECK(phase() == Phase::gate);
    REQUIRE(links.nodes["a"].ordered >= 2);
    REQUIRE(command(Command::Verb::rollback));
    for (int look = 0; look < 20 && phase() != Phase::rolled_back; ++look)
        pass(1s);
    pass(1s);
    const auto ordered = links.nodes["a"].ordered;
    for (int look = 0; look < 5; ++look)
        pass(1s);
    CHECK(links.nodes["a"].ordered == ordered);
}

TEST_CASE_METHOD(Rig, "a report in another node's name is no answer") {
    start_actor();
    REQUIRE(command(Command::Verb::start, kPlan));
    links.nodes["a"].claims = "c";
    pass(1s);
    pass(1s);
    CHECK(view()->silent == std::vector<NodeName>{"a"});
}

TEST_CASE_METHOD(Rig, "nobody takes a ramp over that is at rest") {
    foreign(took_over(1, 1, "c"), "c");
    links.nodes["a"].up = false;
    links.nodes["c"].up = false;
    start_actor();
    for (int second = 0; second < 20; ++second)
        pass(1s);
    CHECK(view()->state.host == "c");
}

TEST_CASE_METHOD(Rig, "a node that is not the host sends a command to the one that is") {
    foreign(took_over(1, 1, "c"), "c");
    foreign(started(2, 1), "c");
    start_actor();
    const auto answer = command(Command::Verb::pause);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::unavailable);
    CHECK(answer.error().message.find("c hosts the ramp") != std::string::npos);
    CHECK(lane.seen.empty());
}

TEST_CASE_METHOD(Rig, "a command without a quorum is refused, and the ramp goes on when there is one") {
    start_actor();
    lane.away = true;
    const auto answer = command(Command::Verb::start, kPlan);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::unavailable);
    lane.away = false;
    CHECK(command(Command::Verb::start, kPlan));
    CHECK(count(Record::Kind::started) == 1);
}

TEST_CASE_METHOD(Rig, "what another host wrote is followed, and ends the own driving") {
    start_actor();
    REQUIRE(command(Command::Verb::start, kPlan));
    for (int look = 0; look < 20 && phase() != Phase::soaking; ++look)
        pass(1s);
    const auto seq = view()->state.seq;
    foreign(took_over(seq + 1, 2, "a"), "a");
    settle_down();
    CHECK_FALSE(view()->is_host);
    const auto polled = links.nodes["c"].polled;
    pass(1s);
    pass(1s);
    CHECK(links.nodes["c"].polled == polled);
}

} // namespace dwcp::ramp
