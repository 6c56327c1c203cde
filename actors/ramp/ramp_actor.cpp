#include "actors/ramp/ramp_actor.hpp"

#include "actors/consensus/messages.hpp"
#include "actors/ramp/node_failures.hpp"
#include "actors/ramp/observation_log.hpp"
#include "actors/ramp/ramp_probe.hpp"
#include "protocols/ramp/wire.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <set>

namespace dwcp::ramp {
namespace {

constexpr const char* kLanePath = "consensus/control";
/// A record's way to a quorum's disks; the lane answers sooner if there is no quorum.
constexpr Duration kProposalDeadline = std::chrono::seconds(5);
/// A command waits for a record or two.
constexpr Duration kCommandDeadline = std::chrono::seconds(15);
/// The answer says how far the exercise is, not its end.
constexpr Duration kExerciseAnswerLimit = std::chrono::seconds(5);
/// A node that needs longer for an answer from memory counts as silent in this look.
constexpr Duration kPollDeadlineMin = milliseconds(500);
constexpr Duration kPoolRetry = milliseconds(5);
/// Records read at once; more come with the next read.
constexpr std::size_t kRecordsRead = 256;

class RampActor : public actor::Actor {
  public:
    RampActor(caf::actor_config& config, actor::ActorContext context, RampOptions options,
              RampServices services)
        : Actor(config, std::move(context)), options_(std::move(options)), s_(std::move(services)),
          ramp_(options_.self, s_.read_plan) {}

  protected:
    caf::behavior handlers() override;
    void ended() override { s_.journal.watch({}); }

  private:
    struct Waiting {
        Command command;
        actor::Ticket ticket = 0;
        bool given = false; ///< To the core; before that, this node is not the host yet.
    };
    /// One look at all nodes.
    struct Round {
        std::uint64_t number = 0;
        Observation observation;
        std::set<NodeName> open;
    };
    /// The question to all others whether they hear of the host.
    struct Survey {
        std::uint64_t number = 0;
        std::set<NodeName> open;
        bool heard = false;
    };
    using Continuation = std::function<void()>;

    // --- the journal
    void read_journal();
    void take_over_records(const std::vector<Record>& records);
    void follow(const Record& record);
    void caught_up();
    void propose(const Record& record);
    void proposed(const Record& record, const consensus::CommandCommitted& committed);
    void not_committed(const Record& record, const std::string& why);

    // --- being the host
    void beat();
    void look_after_host();
    bool host_heard() const;
    Duration since_host_heard() const;
    bool is_my_turn() const;
    void ask_who_hears_the_host();
    void surveyed(std::uint64_t survey, const NodeName& node, const Result<Bytes>& reply);
    void end_survey();
    void take_the_ramp_over(const std::string& reason);
    void begin_round();
    void reported(std::uint64_t round, const NodeName& node, const Result<Bytes>& reply);
    void close_round();
    void tell_nodes(const Directive& directive);
    void ask_about(const ExerciseOrder& order);
    void exercised(const ExerciseOrder& order, const Result<ExerciseResult>& result);

    // --- the decision core
    void step(const Event& event);
    void perform(const Effects& effects);
    void perform(const Journal& effect) { propose(effect.record); }
    void perform(const Direct& effect);
    void perform(const StartExercise& effect);
    void perform(const Tell& effect) { s_.events.record(effect.name, effect.subject, effect.fields); }
    void perform(const KeepEvidence& effect);
    void perform(const ramp::Answer& effect);

    // --- what it is asked
    void command(const RampCommand& request, actor::Ticket ticket);
    bool may_take_over(const Command& command) const;
    void give_commands();
    RampView view() const;

    void run(std::function<Continuation()> job);

    const RampOptions options_;
    const RampServices s_;
    const RampProbe probe_;
    Ramp ramp_;
    ObservationLog observations_;
    NodeFailures failures_;
    bool ready_ = false;   ///< The journal was read to its end once.
    bool reading_ = false; ///< And whether it must be read once more after that.
    bool read_again_ = false;
    bool hosting_ = false;                   ///< The last record was taken up by this life.
    std::optional<std::uint64_t> proposing_; ///< The number of the record that is on its way.
    std::optional<Round> round_;
    std::uint64_t rounds_ = 0;
    bool hears_majority_ = false; ///< In the last look.
    std::optional<Survey> survey_;
    std::uint64_t surveys_ = 0;
    std::optional<Observation> seen_;
    std::set<ExerciseOrder> exercises_;         ///< Under way.
    std::map<std::uint64_t, Waiting> commands_; ///< By id; until they are answered.
    std::uint64_t last_command_ = 0;
    TimePoint begun_{};
};

caf::behavior RampActor::handlers() {
    begun_ = now();
    not_ready_yet(); // until it knows where the ramp stands
    s_.journal.watch([post = poster(), this] { post([this] { read_journal(); }); });
    read_journal();
    beat();
    return {
        on_later<RampCommand>([this](const RampCommand& r, actor::Ticket ticket) { command(r, ticket); }),
        on<QueryRamp>([this](const QueryRamp&) -> Result<RampView> { return view(); }),
    };
}

// --- the journal

void RampActor::read_journal() {
    if (std::exchange(reading_, true)) {
        read_again_ = true;
        return;
    }
    run([this, &journal = s_.journal, after = ramp_.state().seq]() -> Continuation {
        auto records = journal.read(after, kRecordsRead);
        return [this, records = std::move(records)] {
            reading_ = false;
            if (records) return take_over_records(*records);
            log::error("ramp_journal_unreadable", {{"why", records.error().render()}}, {.actor = path()});
            quit(actor::to_caf(records.error()));
        };
    });
}

void RampActor::take_over_records(const std::vector<Record>& records) {
    for (const Record& record : records)
        follow(record);
    if (std::exchange(read_again_, false) || records.size() == kRecordsRead) return read_journal();
    caught_up();
}

/// A committed record. Before the end of the journal was reached, records are history and move nothing.
void RampActor::follow(const Record& record) {
    if (proposing_ == record.seq) proposing_.reset();
    if (!ready_) {
        if (!ramp_.apply(record))
            log::error("ramp_record_dropped", {{"seq", record.seq}, {"term", record.term}},
                       {.actor = path()});
        return;
    }
    step(Committed{record});
    probe_.count(record, ramp_.state());
    observations_.follow(record);
    if (record.kind == Record::Kind::started) failures_ = {};
}

/// The state is that of the journal's end.
void RampActor::caught_up() {
    const bool first = !std::exchange(ready_, true);
    probe_.show(ramp_.state());
    // Promoted canaries and the kill switch hold without a host that says so.
    const Directive& last = ramp_.state().directive;
    if (last.promoted || last.kill_switch) s_.obey(last);
    if (first) now_ready();
    if (first) log::info("ramp_journal_read", {{"seq", ramp_.state().seq}}, {.actor = path()});
    if (!ramp_.is_host()) {
        hosting_ = false;
    } else if (!std::exchange(hosting_, true)) {
        perform(ramp_.take_up(s_.clock()));
        begin_round();
    }
    give_commands();
}

void RampActor::propose(const Record& record) {
    proposing_ = record.seq;
    s_.kill_points.pass(chaos::kRampWrite);
    ask<consensus::SubmitCommand>(
        kLanePath, {command_of(record), kProposalDeadline, {}}, kProposalDeadline + milliseconds(500),
        [this, record](const consensus::CommandCommitted& committed) { proposed(record, committed); },
        [this, post = poster(), record](const Error& error) {
            // A lane that does not run says so at once, amid the effects: its answer is an event of its own.
            post([this, record, why = error.message] { not_committed(record, why); });
        });
}

void RampActor::proposed(const Record& record, const consensus::CommandCommitted& committed) {
    if (as_text(committed.result) != kRecordTaken) {
        read_journal(); // somebody else was first
        return not_committed(record, "another record has its place in the journal");
    }
    s_.kill_points.pass(chaos::kRampCommit);
    read_journal();
}

void RampActor::not_committed(const Record& record, const std::string& why) {
    if (proposing_ == record.seq) proposing_.reset();
    log::warn("ramp_record_not_committed", {{"seq", record.seq}, {"why", why}}, {.actor = path()});
    step(NotCommitted{record.seq, why});
    if (hosting_) return;
    // A takeover that came to nothing: who waits for it is told, the rest is tried again.
    for (const auto& [id, waiting] : std::exchange(commands_, {}))
        refuse(waiting.ticket, {Errc::unavailable, "this node could not take the ramp over: " + why,
                                "`lanes` in `status` says what the control lane lacks; try again"});
}

// --- being the host

void RampActor::beat() {
    after(options_.poll_interval, [this] { beat(); });
    if (!ready_) return;
    if (hosting_)
        begin_round();
    else
        look_after_host();
}

Duration RampActor::since_host_heard() const { return now() - std::max(s_.host_heard(), begun_); }

bool RampActor::host_heard() const { return ramp_.is_host() || since_host_heard() < options_.takeover_after; }

/// Of the nodes that are up, the silent host aside, the first by name comes first; the next ones wait longer,
/// for one that is up need not have a ramp that works.
bool RampActor::is_my_turn() const {
    const State& state = ramp_.state();
    if (is_at_rest(state.phase) || ramp_.is_host() || proposing_) return false;
    const auto before = std::ranges::count_if(s_.links.peers(), [&](const links::PeerState& peer) {
        return peer.up && peer.name != state.host && peer.name < options_.self;
    });
    return since_host_heard() >= options_.takeover_after * (1 + before);
}

void RampActor::look_after_host() {
    if (!survey_ && is_my_turn()) ask_who_hears_the_host();
}

void RampActor::ask_who_hears_the_host() {
    survey_.emplace(Survey{++surveys_, {}, false});
    for (const auto& peer : s_.links.peers())
        if (peer.up && peer.name != ramp_.state().host) survey_->open.insert(peer.name);
    if (survey_->open.empty()) return end_survey();
    for (const NodeName& node : std::set(survey_->open))
        s_.links.request(
            node, kHeardService, {}, kPollDeadlineMin, {},
            [this, post = poster(), node, survey = surveys_](Result<Bytes> reply) {
                post([this, node, survey, reply = std::move(reply)] { surveyed(survey, node, reply); });
            });
}

/// Who does not answer hears nothing.
void RampActor::surveyed(std::uint64_t survey, const NodeName& node, const Result<Bytes>& reply) {
    if (!survey_ || survey_->number != survey || survey_->open.erase(node) == 0) return;
    if (reply) {
        const auto text = as_text(*reply);
        std::uint64_t ms = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), ms);
        const auto limit = std::chrono::duration_cast<milliseconds>(options_.takeover_after).count();
        survey_->heard |= read.ec == std::errc() && ms < static_cast<std::uint64_t>(limit);
    }
    if (survey_->open.empty()) end_survey();
}

void RampActor::end_survey() {
    const bool heard = survey_->heard;
    survey_.reset();
    if (!heard && is_my_turn()) take_the_ramp_over("its host " + ramp_.state().host + " was not heard of");
}

void RampActor::take_the_ramp_over(const std::string& reason) {
    perform(ramp_.take_over(s_.clock(), reason));
}

/// Tells every node the directive and asks how it is. One look at a time.
void RampActor::begin_round() {
    if (round_) return;
    round_.emplace(Round{++rounds_, {}, {options_.members.begin(), options_.members.end()}});
    // Before it has looked once, a host says nothing; who has nothing in force loses nothing by that.
    tell_nodes(ramp_.directive().value_or(Directive{}));
}

void RampActor::tell_nodes(const Directive& said) {
    Directive directive = said;
    directive.lease_ms =
        static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(options_.lease).count());
    if (hears_majority_ || directive.promoted || !directive.shifts()) s_.obey(directive);
    // In a message of its own, as the others' answers: what a look leads to never comes amid what led to it.
    poster()([this, round = rounds_] { reported(round, options_.self, encode(s_.report())); });
    const Bytes request = encode(directive);
    const Duration deadline = std::max(options_.poll_interval, kPollDeadlineMin);
    for (const auto& member : options_.members) {
        if (member == options_.self) continue;
        s_.links.request(
            member, kPollService, request, deadline, {},
            [this, post = poster(), member, round = rounds_](Result<Bytes> reply) {
                post([this, member, round, reply = std::move(reply)] { reported(round, member, reply); });
            });
    }
}

void RampActor::reported(std::uint64_t round, const NodeName& node, const Result<Bytes>& reply) {
    if (!round_ || round_->number != round || round_->open.erase(node) == 0) return;
    auto report = reply ? decode_report(*reply) : std::unexpected(reply.error());
    if (report && report->node == node)
        round_->observation.nodes.push_back(std::move(*report));
    else
        round_->observation.silent.push_back(node);
    if (round_->open.empty()) close_round();
}

void RampActor::close_round() {
    Observation observation = std::move(round_->observation);
    round_.reset();
    hears_majority_ = observation.nodes.size() * 2 > options_.members.size();
    if (!hosting_) return;
    observation.at_ms = s_.clock();
    std::ranges::sort(observation.nodes, {}, &NodeReport::node);
    std::ranges::sort(observation.silent);
    seen_ = observation;
    observations_.add(observation);
    failures_.look(observation);
    step(Observed{std::move(observation)});
    step(Tick{});
    probe_.show(ramp_.state());
    probe_.show(ramp_.preview(s_.clock()));
    // Nobody waits any more for the end of what another window's gate wanted, nor may it begin late.
    std::erase_if(exercises_, [seq = ramp_.state().directive.seq](const ExerciseOrder& order) {
        return order.seq != seq;
    });
    for (const ExerciseOrder& order : std::set(exercises_))
        ask_about(order);
}

/// Begins it, or asks how far it is: the same question.
void RampActor::ask_about(const ExerciseOrder& order) {
    if (order.what == Check::node_failure) return exercised(order, failures_.result());
    if (order.node == options_.self || order.node.empty()) return exercised(order, s_.exercises.run(order));
    s_.links.request(order.node, kExerciseService, to_bytes(to_text(order)), kExerciseAnswerLimit, {},
                     [this, post = poster(), order](Result<Bytes> reply) {
                         post([this, order, reply = std::move(reply)] {
                             exercised(order, reply ? result_from_text(as_text(*reply))
                                                    : std::unexpected(reply.error()));
                         });
                     });
}

void RampActor::exercised(const ExerciseOrder& order, const Result<ExerciseResult>& result) {
    if (!result) // asked again with the next look; the ramp's own clock gives it up
        log::warn("ramp_exercise_unanswered", {{"node", order.node}, {"why", result.error().message}},
                  {.actor = path()});
    if (!result || !result->done || exercises_.erase(order) == 0) return;
    if (hosting_) step(ExerciseEnded{order.seq, *result});
}

// --- the decision core

void RampActor::step(const Event& event) { perform(ramp_.step(event, s_.clock())); }

void RampActor::perform(const Effects& effects) {
    for (const Effect& effect : effects)
        std::visit([this](const auto& one) { perform(one); }, effect);
}

/// A look that is under way said what held before: a new one begins at once.
void RampActor::perform(const Direct& effect) {
    round_.emplace(Round{++rounds_, {}, {options_.members.begin(), options_.members.end()}});
    tell_nodes(effect.directive);
}

/// The first question begins it; in a message of its own, since the answer is an event.
void RampActor::perform(const StartExercise& effect) {
    const ExerciseOrder order{effect.seq, effect.what, effect.system, effect.node};
    if (exercises_.insert(order).second) poster()([this, order] { ask_about(order); });
}

void RampActor::perform(const KeepEvidence& effect) {
    const State& state = ramp_.state();
    PhaseRecord about;
    about.since_ms = state.phase_since_ms;
    about.plan_toml = state.plan_toml;
    if (state.plan) about.day_ms = state.plan->day_ms;
    if (const Stage* stage = state.stage_at_hand()) about.gate = stage->gate;
    about.observations = observations_.lines();
    run([&store = s_.evidence, effect, about = std::move(about)]() -> Continuation {
        const auto kept = store.keep(effect, about);
        if (!kept) log::error("ramp_evidence_lost", {{"seq", effect.seq}, {"why", kept.error().render()}});
        return {};
    });
}

void RampActor::perform(const ramp::Answer& effect) {
    const auto waiting = commands_.extract(effect.id);
    if (waiting.empty()) return; // too late
    if (effect.outcome)
        settle<RampAnswered>(waiting.mapped().ticket, RampAnswered{*effect.outcome});
    else
        refuse(waiting.mapped().ticket, effect.outcome.error());
}

// --- what it is asked

void RampActor::command(const RampCommand& request, actor::Ticket ticket) {
    if (!ready_) return refuse(ticket, {Errc::unavailable, "the ramp's journal is being read", "try again"});
    if (commands_.size() >= kCommandsWaitingMax)
        return refuse(ticket, {Errc::resource_exhausted, "too many commands wait for the ramp", "try again"});
    if (!hosting_ && !may_take_over(request.command))
        return refuse(ticket, {Errc::unavailable, ramp_.state().host + " hosts the ramp, not this node",
                               "ask that node"});
    Command command = request.command;
    command.id = ++last_command_;
    commands_.emplace(command.id, Waiting{command, ticket});
    after(kCommandDeadline, [this, id = command.id] {
        const auto late = commands_.extract(id);
        if (late.empty()) return;
        refuse(late.mapped().ticket,
               {Errc::deadline_exceeded, "the ramp gave no answer in time; it may still happen",
                "see `ramp status` and `ramp history`"});
    });
    give_commands();
}

/// A start makes its node the host; so does whoever must act while the host is away.
bool RampActor::may_take_over(const Command& command) const {
    if (ramp_.state().host.empty() || !host_heard()) return true;
    return command.verb == Command::Verb::start && is_at_rest(ramp_.state().phase);
}

void RampActor::give_commands() {
    if (commands_.empty()) return;
    if (!hosting_) {
        if (!proposing_) take_the_ramp_over("it was asked by " + commands_.begin()->second.command.by.name);
        return;
    }
    std::vector<Command> fresh;
    for (auto& [id, waiting] : commands_)
        if (!std::exchange(waiting.given, true)) fresh.push_back(waiting.command);
    for (Command& command : fresh)
        step(std::move(command));
}

RampView RampActor::view() const {
    RampView view;
    view.state = ramp_.state();
    view.is_host = hosting_;
    view.host_heard = host_heard();
    view.explanation = ramp_.explain(s_.clock());
    if (hosting_) {
        view.verdicts = ramp_.preview(s_.clock());
        view.silent = ramp_.silent();
        view.observation = seen_;
    }
    return view;
}

/// Runs `job` on the pool, and what it returns in this actor.
void RampActor::run(std::function<Continuation()> job) {
    const bool taken = s_.pool.try_submit([post = poster(), job] {
        if (auto then = job()) post(std::move(then));
    });
    if (!taken) after(kPoolRetry, [this, job = std::move(job)] { run(job); });
}

} // namespace

caf::actor spawn_ramp(caf::actor_system& system, actor::ActorContext context, RampOptions options,
                      RampServices services) {
    return system.spawn<RampActor>(std::move(context), std::move(options), std::move(services));
}

} // namespace dwcp::ramp
