#include "tests/sim/ramp/ramp_world.hpp"

#include "runtime/release/plan_file.hpp"

#include <algorithm>
#include <stdexcept>

namespace dwcp::ramp::sim {
namespace {

using Kind = Record::Kind;

constexpr double kRequestsPerTick = 40; ///< Of each system on each node.
constexpr UnixMillis kExerciseMs = 2'000;

Result<Plan> read_plan(const std::string& toml) { return release::parse_plan(toml); }

bool is_between(Phase phase) {
    return phase != Phase::idle && phase != Phase::rolled_back && phase != Phase::completed &&
           phase != Phase::aborted;
}

/// Which phase may follow which; staying is always allowed.
bool may_follow(Phase from, Phase to) {
    if (from == to) return true;
    const bool stops =
        to == Phase::rolling_back || to == Phase::aborted || to == Phase::paused || to == Phase::review;
    switch (from) {
    case Phase::idle:
    case Phase::rolled_back:
    case Phase::aborted:
        return to == Phase::starting;
    case Phase::completed:
        return to == Phase::rolling_back;
    case Phase::starting:
        return stops || to == Phase::soaking || to == Phase::approval || to == Phase::completed;
    case Phase::approval:
        return stops || to == Phase::starting;
    case Phase::soaking:
        return stops || to == Phase::gate || to == Phase::starting;
    case Phase::gate:
        return stops || to == Phase::starting;
    case Phase::paused:
        return stops || to == Phase::starting || to == Phase::approval || to == Phase::soaking ||
               to == Phase::gate;
    case Phase::review:
        return to == Phase::rolling_back || to == Phase::aborted || to == Phase::starting ||
               to == Phase::approval || to == Phase::soaking || to == Phase::gate;
    case Phase::rolling_back:
        return to == Phase::rolled_back || to == Phase::aborted;
    }
    return false;
}

bool gives_more(const Directive& now, const Directive& before) {
    for (const Weight& weight : now.weights) {
        const auto had = std::ranges::find(before.weights, weight.system, &Weight::system);
        if (had == before.weights.end() && weight.percent > 0) return true;
        if (had != before.weights.end() && weight.percent > had->percent) return true;
        if (had != before.weights.end() && weight.nodes.size() > had->nodes.size()) return true;
    }
    return false;
}

/// All that apply passed, or an operator vouched.
bool is_passed(const Record& record) {
    if (record.by.name != kRampItself) return !record.by.reason.empty();
    return !record.verdicts.empty() && std::ranges::all_of(record.verdicts, [](const Verdict& verdict) {
        return verdict.outcome == Outcome::pass || verdict.outcome == Outcome::not_applicable ||
               verdict.overridden;
    });
}

double share_of(const Directive& directive, const NodeName& node, const System& system) {
    for (const Weight& weight : directive.weights) {
        if (weight.system == system && std::ranges::count(weight.nodes, node) > 0) return weight.percent;
    }
    return 0;
}

void fill(Work& work, double requests, double errors) {
    work.requests = static_cast<std::uint64_t>(requests);
    work.errors = static_cast<std::uint64_t>(errors);
    const std::uint64_t well = work.requests - work.errors;
    // A hundredth is slow, the rest spread around 10 ms.
    constexpr double kSeconds[] = {0.008, 0.009, 0.010, 0.011, 0.012};
    const std::uint64_t slow = well / 100;
    for (std::size_t i = 0; i < 5; ++i)
        work.latency.add(kSeconds[i], (well - slow) / 5 + (i < (well - slow) % 5 ? 1 : 0));
    if (slow > 0) work.latency.add(0.020, slow);
    work.bytes = well * 4096;
    work.cost_us = well * 1000;
}

} // namespace

std::string shipped_plan() {
    auto text = release::read_plan_text(DWCP_SOURCE_DIR "/node_configs/rollout.toml");
    if (!text) throw std::runtime_error(text.error().render());
    return *text;
}

World::World(std::uint64_t seed) : random_(seed), truth_("nobody", read_plan) {
    for (const char* name : {"site-a", "site-b", "site-c"})
        nodes_.push_back({.name = name, .ramp = Ramp(name, read_plan), .agent = {}});
}

void World::violated(const std::string& what) {
    if (violations.size() < 5) violations.push_back("at " + std::to_string(now_ms_) + ": " + what);
}

std::size_t World::host_index() const {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].alive && nodes_[i].ramp.is_host() && nodes_[i].ramp.state().term == state().term)
            return i;
    }
    return nodes_.size();
}

double World::percent_at_nodes() const {
    double highest = 0;
    for (const Node& node : nodes_) {
        for (const Weight& weight : node.agent.directive.weights) {
            if (node.alive)
                highest = std::max(highest, share_of(node.agent.directive, node.name, weight.system));
        }
    }
    return highest;
}

// The nodes' work and what they say of it.

void World::live_agents() {
    for (Node& node : nodes_) {
        if (!node.alive) continue;
        Agent& agent = node.agent;
        const bool lapsed = !agent.directive.promoted &&
                            now_ms_ - agent.heard_ms > static_cast<UnixMillis>(agent.directive.lease_ms);
        for (const System system : {"manager", "selector", "probft"}) {
            const double share = lapsed ? 0 : share_of(agent.directive, node.name, system) / 100;
            agent.requests[system][0] += kRequestsPerTick * (1 - share);
            agent.requests[system][1] += kRequestsPerTick * share;
            const auto spoiled = spoiled_.find(system);
            const bool reached = spoiled != spoiled_.end() && state().step >= spoiled->second;
            if (reached && state().phase != Phase::starting)
                agent.errors[system] += kRequestsPerTick * share / 2;
        }
    }
}

NodeReport World::report_of(const Node& node) const {
    const Agent& agent = node.agent;
    NodeReport report;
    report.node = node.name;
    report.seq = agent.directive.seq;
    report.window_ms = static_cast<std::uint64_t>(now_ms_ - agent.since_ms);
    for (const auto& [system, requests] : agent.requests) {
        SystemReport& of = report.systems[system];
        of.stable = "plain-1";
        if (canaries_.contains(system)) of.canary = "new-1";
        of.canary_percent = share_of(agent.directive, node.name, system);
        const auto errors = agent.errors.find(system);
        fill(of.total[0], requests[0], 0);
        fill(of.total[1], requests[1], errors == agent.errors.end() ? 0 : errors->second);
        of.recent = of.total;
    }
    report.total.lane_looks = report.total.lane_looks_available = report.window_ms / 10 + 1;
    report.total.checks = 10;
    report.total.metrics_expected = report.total.metrics_present = 100;
    report.total.resource_use = 0.3;
    report.recent = report.total;
    return report;
}

bool World::answers_looks(const Node& node) const {
    return node.alive && !all_silent_ && now_ms_ >= node.silent_until_ms;
}

void World::obey(Node& node, const Directive& directive) {
    Agent& agent = node.agent;
    const auto given = std::pair(directive.term, directive.seq);
    const auto has = std::pair(agent.directive.term, agent.directive.seq);
    const bool taken_back = !agent.directive.shifts() && agent.directive.seq > directive.seq;
    if (given < has || (taken_back && directive.shifts())) return;
    agent.heard_ms = now_ms_;
    if (directive.seq != agent.directive.seq) {
        agent.requests.clear();
        agent.errors.clear();
        agent.since_ms = now_ms_;
    }
    agent.directive = directive;
}

// The host's part.

void World::host_tick(std::size_t index) {
    Node& host = nodes_[index];
    if (!host.alive || !host.ramp.is_host()) return;
    Observation look;
    look.at_ms = now_ms_;
    for (Node& node : nodes_) {
        if (!answers_looks(node)) {
            look.silent.push_back(node.name);
            continue;
        }
        if (const auto directive = host.ramp.directive()) {
            watch_directive(host, *directive);
            obey(node, *directive);
        }
        look.nodes.push_back(report_of(node));
    }
    perform(index, host.ramp.step(Observed{std::move(look)}, now_ms_));
    if (host.alive) perform(index, host.ramp.step(Tick{}, now_ms_));
}

void World::watch_directive(const Node& node, const Directive& directive) {
    const auto [known, fresh] = directives_.try_emplace({directive.term, directive.seq}, directive);
    if (!fresh && known->second.weights != directive.weights)
        violated("two directives of one term and number differ");
    if (directive.term > state().term) violated("a directive of a term that is not in the log");
    const bool current = directive.term == state().term;
    // A host that has not heard of the latest records yet may repeat an older directive: nodes keep the
    // higher.
    if (current && directive.seq >= state().directive.seq && directive.shifts() &&
        !state().directive.shifts())
        violated(node.name + " shifts traffic that the journal took back");
    const bool back = state().phase == Phase::rolling_back || state().phase == Phase::rolled_back;
    if (current && back && directive.shifts() && directive.seq > state().directive.seq)
        violated("a weight above 0 after rollback_begun");
}

void World::perform(std::size_t index, const Effects& effects) {
    for (const Effect& effect : effects) {
        Node& node = nodes_[index];
        if (!node.alive) return;
        if (const auto* journal = std::get_if<Journal>(&effect)) {
            write(index, journal->record);
        } else if (const auto* direct = std::get_if<Direct>(&effect)) {
            watch_directive(node, direct->directive);
            for (Node& other : nodes_) {
                if (answers_looks(other)) obey(other, direct->directive);
            }
        } else if (const auto* start = std::get_if<StartExercise>(&effect)) {
            exercises_.try_emplace({start->seq, start->what}, now_ms_ + kExerciseMs);
        } else if (const auto* answer = std::get_if<Answer>(&effect)) {
            if (!answered_.insert(answer->id).second) violated("a command was answered twice");
            answers_.push_back(*answer);
        }
    }
}

void World::write(std::size_t index, const Record& record) {
    const std::size_t number = writes_++;
    const bool dies = crash_ && !crashed_on_purpose_ && crash_->write == number;
    const UnixMillis away_ms = dies && crash_->other_takes_over ? 4 * kTickMs : kTickMs;
    if (dies) crashed_on_purpose_ = true;
    if (dies && crash_->point == CrashPoint::before_sent) return fail(index, away_ms);
    if (chance(chaos_.refuse)) {
        nodes_[index].ramp.step(NotCommitted{record.seq, "refused"}, now_ms_);
        return;
    }
    commit({record, index});
    if (chance(chaos_.twice)) commit({record, index});
    if (dies && crash_->point == CrashPoint::known_without_effects)
        nodes_[index].ramp.step(Committed{record}, now_ms_); // its effects die with the node
    if (dies) return fail(index, away_ms);
    if (chance(chaos_.lose_word))
        perform(index, nodes_[index].ramp.step(NotCommitted{record.seq, "no answer in time"}, now_ms_));
}

void World::commit(const Proposal& proposal) {
    log_.push_back(proposal);
    const State before = state();
    if (!truth_.apply(proposal.record)) return;
    history_.push_back(proposal.record);
    watch_record(proposal.record, before);
}

void World::watch_record(const Record& record, const State& before) {
    const State& now = state();
    if (now.seq != before.seq + 1) violated("the journal's numbers have a gap");
    if (!may_follow(before.phase, now.phase))
        violated("phase " + std::string(to_string(before.phase)) + " was followed by " +
                 std::string(to_string(now.phase)));
    if (now.directive.seq < before.directive.seq) violated("the number of the directive fell");
    if (record.kind == Kind::started && now.phase == Phase::starting) may_rise_ = true;
    const bool moved = now.step != before.step || now.stage != before.stage;
    if (record.kind == Kind::stage_passed && moved) {
        if (!is_passed(record)) violated("a stage was passed without its gate");
        may_rise_ = true;
    }
    if (!gives_more(now.directive, before.directive)) return;
    if (record.kind != Kind::stage_begun) violated("weights rose by " + std::string(to_string(record.kind)));
    if (!std::exchange(may_rise_, false)) violated("weights rose without a passed gate");
}

void World::deliver(std::size_t index) {
    while (nodes_[index].alive && nodes_[index].delivered < log_.size()) {
        Node& node = nodes_[index];
        const Proposal proposal = log_[node.delivered++];
        const std::uint64_t before = node.ramp.state().seq;
        perform(index, node.ramp.step(Committed{proposal.record}, now_ms_));
        const bool dropped = nodes_[index].ramp.state().seq == before;
        if (dropped && proposal.proposer == index && nodes_[index].alive)
            perform(index, nodes_[index].ramp.step(NotCommitted{proposal.record.seq, "stale"}, now_ms_));
    }
}

void World::end_exercises() {
    const std::size_t host = host_index();
    if (host == nodes_.size()) return;
    for (const auto& [key, ends_ms] : exercises_) {
        if (now_ms_ < ends_ms) continue;
        ExerciseResult result{
            .what = key.second, .done = true, .ok = true, .took_ms = kExerciseMs, .detail = "seen"};
        if (nodes_[host].alive)
            perform(host, nodes_[host].ramp.step(ExerciseEnded{key.first, result}, now_ms_));
    }
}

// Failures.

void World::fail(std::size_t index, UnixMillis back_after_ms) {
    nodes_[index].alive = false;
    nodes_[index].back_ms = now_ms_ + back_after_ms;
}

void World::restart(std::size_t index) {
    Node& node = nodes_[index];
    node.ramp = Ramp(node.name, read_plan);
    node.agent = {};
    node.agent.since_ms = now_ms_;
    node.alive = true;
    // Its own copy of the log is whole: what was committed before is replayed, not lived through again.
    for (const Proposal& proposal : log_)
        node.ramp.apply(proposal.record);
    node.delivered = log_.size();
    perform(index, node.ramp.take_up(now_ms_));
}

void World::take_over_if_orphaned() {
    for (const Node& node : nodes_) {
        const bool comes_back = !node.alive && node.back_ms <= now_ms_ + kTickMs;
        if (node.name == state().host && (node.alive || comes_back)) return;
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].alive) return perform(i, nodes_[i].ramp.take_over(now_ms_, "the host is gone"));
    }
}

void World::random_trouble() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (!nodes_[i].alive) continue;
        if (chance(chaos_.silence))
            nodes_[i].silent_until_ms = now_ms_ + kTickMs * static_cast<UnixMillis>(random_.below(6));
        if (chance(chaos_.usurp))
            perform(i, nodes_[i].ramp.take_over(now_ms_, "it thinks that the host is gone"));
        if (chance(chaos_.crash)) fail(i, kTickMs * static_cast<UnixMillis>(1 + random_.below(8)));
    }
    if (chance(chaos_.command)) random_command();
}

void World::random_command() {
    using Verb = Command::Verb;
    static constexpr Verb kVerbs[] = {Verb::pause,   Verb::resume, Verb::resume,      Verb::promote,
                                      Verb::promote, Verb::abort,  Verb::rollback,    Verb::override_,
                                      Verb::approve, Verb::attest, Verb::kill_switch, Verb::kill_switch,
                                      Verb::start};
    Command command;
    command.verb = kVerbs[random_.below(std::size(kVerbs))];
    command.by = {.name = "op", .role = "admin", .reason = random_.below(4) == 0 ? "" : "a reason"};
    command.on = random_.below(3) == 0;
    command.plan_toml = plan_toml_;
    command.day_ms = kDayMs;
    if (command.verb == Verb::override_)
        command.subject = random_.below(2) == 0 ? "error rate < 0.1 %" : "error rate > 1 %";
    if (command.verb == Verb::promote && random_.below(3) == 0) command.subject = "full";
    if (command.verb == Verb::attest) command.subject = "runbooks";
    this->command(std::move(command));
}

bool World::command(Command command) {
    const std::size_t host = host_index();
    if (host == nodes_.size()) return false;
    command.id = next_command_++;
    perform(host, nodes_[host].ramp.step(command, now_ms_));
    return true;
}

void World::tick() {
    now_ms_ += kTickMs;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (!nodes_[i].alive && now_ms_ >= nodes_[i].back_ms) restart(i);
    }
    random_trouble();
    take_over_if_orphaned();
    live_agents();
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (!chance(chaos_.lag)) deliver(i);
        host_tick(i);
    }
    end_exercises();
    if (plan_toml_.empty() || state().phase != Phase::idle) return;
    for (const auto verb : {Command::Verb::attest, Command::Verb::start}) {
        Command wanted;
        wanted.verb = verb;
        wanted.by = {.name = "op", .role = "admin", .reason = "planned"};
        wanted.subject = "runbooks";
        wanted.expires_ms = static_cast<std::uint64_t>(now_ms_ + 1'000'000);
        wanted.plan_toml = plan_toml_;
        wanted.day_ms = kDayMs;
        command(std::move(wanted));
    }
}

bool World::run(std::size_t ticks_max) {
    bool begun = false;
    for (std::size_t i = 0; i < ticks_max; ++i) {
        tick();
        begun = begun || is_between(state().phase);
        if (begun && !is_between(state().phase)) return true;
    }
    return false;
}

} // namespace dwcp::ramp::sim
