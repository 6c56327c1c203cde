#include "runtime/node/admin_ramp.hpp"

#include "actors/ramp/ramp_json.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/node/live_config.hpp"
#include "runtime/release/plan_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace dwcp::node {
namespace {

using gateway::AdminCall;
using nlohmann::json;
using ramp::Command;

/// A command waits for its record, and maybe for a takeover before it.
constexpr Duration kCommandLimit = std::chrono::seconds(16);
/// Whoever asks how the ramp stands has an answer within a second: its host's, or what this node knows.
constexpr Duration kQuestionLimit = std::chrono::milliseconds(800);
constexpr std::uint64_t kHistoryDefault = 200;
constexpr std::uint64_t kHistoryMax = 5000;
constexpr std::size_t kReadAtOnce = 1000;
constexpr std::uint64_t kSpanMsMax = 366ULL * ramp::kRealDayMs;
/// Marks a call that came from the node that was asked first: it is not forwarded again.
constexpr const char* kForwarded = "forwarded";

class RampVerbs {
  public:
    RampVerbs(Admin& admin, RampNode& ramp) : admin_(admin), ramp_(ramp) {}

    Result<json> status(const AdminCall& call) const;
    Result<json> explain(const AdminCall& call) const;
    Result<json> plan(const AdminCall& call) const;
    Result<json> history(const AdminCall& call) const;
    Result<json> evidence(const AdminCall& call) const;
    Result<json> command(const AdminCall& call, Command::Verb verb) const;

  private:
    const AdminServices& services() const { return admin_.services(); }
    Result<ramp::RampView> view(Duration limit = kAskDeadline) const;
    bool is_up(const NodeName& node) const;
    std::optional<Result<json>> forwarded(const AdminCall& call, const ramp::RampView& view,
                                          Duration limit = kCommandLimit) const;
    Result<json> answered(const AdminCall& call, json (*answer)(const ramp::RampView&)) const;
    Result<std::string> plan_text(const json& args) const;
    Result<ramp::Plan> plan_of(const json& args, const std::string& text) const;
    Result<Command> command_of(const AdminCall& call, Command::Verb verb, const ramp::State& state) const;
    Result<json> planned(const Command& command, const ramp::RampView& view, const json& args) const;
    Result<std::vector<ramp::Record>> records(std::uint64_t after) const;

    Admin& admin_;
    RampNode& ramp_;
};

Result<ramp::RampView> RampVerbs::view(Duration limit) const {
    const auto answer = actor::call(services().system, services().resolver, "ramp/0", ramp::QueryRamp{},
                                    std::chrono::steady_clock::now() + limit);
    if (!answer) return std::unexpected(answer.error());
    return **answer;
}

bool RampVerbs::is_up(const NodeName& node) const {
    return std::ranges::any_of(services().control.peers(),
                               [&](const auto& peer) { return peer.name == node && peer.up; });
}

/// The host's answer, if the host is another node that is heard of. Where it is not, this node takes the ramp
/// over for a command: whoever wants to roll back does not wait for a silent host.
std::optional<Result<json>> RampVerbs::forwarded(const AdminCall& call, const ramp::RampView& view,
                                                 Duration limit) const {
    const NodeName& host = view.state.host;
    if (view.is_host || host.empty() || host == services().identity.name || !is_up(host)) return std::nullopt;
    if (!view.host_heard) return std::nullopt;
    if (flag_of(call.args, kForwarded)) return std::nullopt;
    AdminCall there = call;
    there.args[kForwarded] = true;
    return admin_.forward(host, std::move(there), limit);
}

// --- questions

/// The host's answer, or this node's own if that one is slow or gone.
Result<json> RampVerbs::answered(const AdminCall& call, json (*answer)(const ramp::RampView&)) const {
    const auto until = std::chrono::steady_clock::now() + kQuestionLimit;
    const auto seen = view(kQuestionLimit);
    if (!seen) return std::unexpected(seen.error());
    const Duration left = until - std::chrono::steady_clock::now();
    if (left > Duration::zero())
        if (auto there = forwarded(call, *seen, left); there && *there) return std::move(*there);
    return answer(*seen);
}

Result<json> RampVerbs::status(const AdminCall& call) const {
    auto answer = answered(call, ramp::status_json);
    if (answer && !answer->contains("node")) (*answer)["node"] = services().identity.name;
    return answer;
}

Result<json> RampVerbs::explain(const AdminCall& call) const { return answered(call, ramp::explain_json); }

/// The text of `plan`, or of the file that the configuration names.
Result<std::string> RampVerbs::plan_text(const json& args) const {
    if (auto given = text_of(args, "plan"); !given.empty()) return given;
    const std::string file = services().config.get()->ramp_plan_file;
    if (file.empty())
        return fail(Errc::invalid_argument, "no plan was given, and ramp.plan_file names none",
                    "give one with `plan`, or set ramp.plan_file to node_configs/rollout.toml");
    return release::read_plan_text(file);
}

Result<ramp::Plan> RampVerbs::plan_of(const json& args, const std::string& text) const {
    auto plan = release::parse_plan(text);
    if (!plan) return plan;
    if (auto sound = plan->check(); !sound) return std::unexpected(sound.error());
    const std::string day = text_of(args, "day");
    if (day.empty()) return plan->scaled(plan->day_ms);
    const auto day_ms = parse_span_ms(day);
    if (!day_ms) return std::unexpected(day_ms.error());
    if (*day_ms > ramp::kRealDayMs)
        return fail(Errc::invalid_argument, "a day of " + day + " is longer than 24 h",
                    "give a shorter one, or none");
    return plan->scaled(*day_ms);
}

/// Of the ramp under way, unless another one is asked for.
Result<json> RampVerbs::plan(const AdminCall& call) const {
    const auto seen = view();
    if (!seen) return std::unexpected(seen.error());
    const bool under_way = seen->state.plan && !ramp::is_at_rest(seen->state.phase);
    if (under_way && text_of(call.args, "day").empty()) return ramp::plan_json(*seen->state.plan);
    const auto text = plan_text(call.args);
    if (!text) return std::unexpected(text.error());
    const auto plan = plan_of(call.args, *text);
    if (!plan) return std::unexpected(plan.error());
    return ramp::plan_json(*plan);
}

Result<std::vector<ramp::Record>> RampVerbs::records(std::uint64_t after) const {
    std::vector<ramp::Record> all;
    for (;;) {
        auto some = ramp_.journal().read(after, kReadAtOnce);
        if (!some) return some;
        std::ranges::move(*some, std::back_inserter(all));
        if (some->size() < kReadAtOnce) return all;
        after = all.back().seq;
    }
}

Result<json> RampVerbs::history(const AdminCall& call) const {
    const auto all = records(number_of(call.args, "after", 0));
    if (!all) return std::unexpected(all.error());
    const auto limit =
        std::clamp<std::uint64_t>(number_of(call.args, "limit", kHistoryDefault), 1, kHistoryMax);
    // With `after` the oldest of them, else the latest.
    const std::size_t count = std::min<std::size_t>(limit, all->size());
    const auto first = call.args.contains("after") ? all->begin() : all->end() - static_cast<long>(count);
    json list = json::array();
    for (auto record = first; record != first + static_cast<long>(count); ++record)
        list.push_back(ramp::to_json(*record));
    return json{{"node", services().identity.name},
                {"records", std::move(list)},
                {"last_seq", all->empty() ? number_of(call.args, "after", 0) : all->back().seq}};
}

Result<json> RampVerbs::evidence(const AdminCall& call) const {
    const std::string text = text_of(call.args, "path");
    std::uint64_t seq = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seq);
    if (problem != std::errc() || end != text.data() + text.size())
        return fail(Errc::invalid_argument, "'" + text + "' is no number of a record",
                    "`ramp history` shows the numbers");
    const auto kept = ramp_.evidence().find(seq);
    if (!kept) return std::unexpected(kept.error());
    if (*kept) return json::parse(**kept, nullptr, false);
    const auto all = records(0);
    if (!all) return std::unexpected(all.error());
    NodeName host;
    for (const auto& record : *all)
        if (record.seq <= seq && record.kind == ramp::Record::Kind::took_over) host = record.node;
    const auto own = ramp_.evidence().list();
    if (!own) return std::unexpected(own.error());
    return fail(Errc::not_found,
                fmt::format("{} keeps no evidence of record {}; it has that of {}", services().identity.name,
                            seq, own->empty() ? "none" : fmt::format("{}", fmt::join(*own, ", "))),
                host.empty() || host == services().identity.name
                    ? "only records that rest on measurements have evidence, and the oldest goes"
                    : host + " hosted the ramp then: ask that node");
}

// --- commands

Result<Command> RampVerbs::command_of(const AdminCall& call, Command::Verb verb,
                                      const ramp::State& state) const {
    Command command;
    command.verb = verb;
    command.by = {call.by.name, std::string(to_string(call.by.role)), text_of(call.args, "reason")};
    command.subject = text_of(call.args, "subject");
    if (verb == Command::Verb::promote && flag_of(call.args, "full")) command.subject = "full";
    const std::string state_wanted = text_of(call.args, "state");
    if (!state_wanted.empty() && state_wanted != "on" && state_wanted != "off")
        return fail(Errc::invalid_argument, "'" + state_wanted + "' is no state of the kill switch",
                    "say on or off; on without");
    command.on = state_wanted != "off";
    if (const auto lasts = text_of(call.args, "lasts"); !lasts.empty()) {
        const auto span = parse_span_ms(lasts);
        if (!span) return std::unexpected(span.error());
        command.expires_ms = static_cast<std::uint64_t>(unix_now_ms()) + *span;
    }
    if (verb == Command::Verb::approve) {
        // Which role may approve is the plan's word, beyond the verb's own.
        const ramp::Step* step = state.step_at_hand();
        if (state.plan && !command.subject.empty())
            for (const auto& known : state.plan->steps)
                if (known.name == command.subject) step = &known;
        const auto needed = step == nullptr ? std::nullopt : identity::parse_role(step->approval);
        if (needed && !call.by.may(*needed))
            return fail(Errc::permission_denied,
                        "step " + step->name + " needs the approval of the role " + step->approval,
                        call.by.name + " has the role " + std::string(to_string(call.by.role)));
    }
    if (verb != Command::Verb::start) return command;
    auto text = plan_text(call.args);
    if (!text) return std::unexpected(text.error());
    const auto plan = plan_of(call.args, *text);
    if (!plan) return std::unexpected(plan.error());
    command.plan_toml = std::move(*text);
    command.day_ms = plan->day_ms;
    return command;
}

Result<json> RampVerbs::planned(const Command& command, const ramp::RampView& view, const json& args) const {
    json answer{{"dry_run", true},
                {"phase", ramp::to_string(view.state.phase)},
                {"outcome", fmt::format("would ask the ramp, which is {}, to {}",
                                        ramp::to_string(view.state.phase), ramp::to_string(command.verb))}};
    if (command.verb != Command::Verb::start) return answer;
    const auto plan = plan_of(args, command.plan_toml);
    if (!plan) return std::unexpected(plan.error());
    answer.update(ramp::plan_json(*plan));
    const bool free = ramp::is_at_rest(view.state.phase);
    answer["outcome"] = free ? "would begin this plan" : "would be refused: a ramp is under way";
    return answer;
}

Result<json> RampVerbs::command(const AdminCall& call, Command::Verb verb) const {
    const auto seen = view();
    if (!seen) return std::unexpected(seen.error());
    const bool begins = verb == Command::Verb::start && ramp::is_at_rest(seen->state.phase);
    if (!begins)
        if (auto there = forwarded(call, *seen)) return std::move(*there);
    auto command = command_of(call, verb, seen->state);
    if (!command) return std::unexpected(command.error());
    if (flag_of(call.args, "dry_run")) return planned(*command, *seen, call.args);
    const auto done =
        actor::call(services().system, services().resolver, "ramp/0", ramp::RampCommand{std::move(*command)},
                    std::chrono::steady_clock::now() + kCommandLimit);
    if (!done) return std::unexpected(done.error());
    return json{{"outcome", (*done)->outcome}, {"dry_run", false}, {"host", services().identity.name}};
}

} // namespace

Result<std::uint64_t> parse_span_ms(const std::string& text) {
    constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
        {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", ramp::kRealDayMs}};
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string_view unit(end, text.data() + text.size());
    for (const auto& [name, factor] : kUnits)
        if (problem == std::errc() && unit == name && value > 0 && value <= kSpanMsMax / factor)
            return value * factor;
    return fail(Errc::invalid_argument, "'" + text + "' is no span of time",
                "give a whole number and ms, s, m, h or d, such as 5s or 24h; at most a year");
}

void add_ramp_verbs(Admin& admin, RampNode& ramp) {
    const auto verbs = std::make_shared<const RampVerbs>(admin, ramp);
    const auto question = [&](const char* name, Result<json> (RampVerbs::*answer)(const AdminCall&) const) {
        admin.add(name, [verbs, answer](const AdminCall& call) { return ((*verbs).*answer)(call); });
    };
    question("ramp.status", &RampVerbs::status);
    question("ramp.explain", &RampVerbs::explain);
    question("ramp.plan", &RampVerbs::plan);
    question("ramp.history", &RampVerbs::history);
    question("ramp.evidence", &RampVerbs::evidence);
    using Verb = Command::Verb;
    for (const Verb verb : {Verb::start, Verb::pause, Verb::resume, Verb::promote, Verb::abort,
                            Verb::rollback, Verb::override_, Verb::approve, Verb::attest, Verb::kill_switch})
        admin.add("ramp." + std::string(ramp::to_string(verb)),
                  [verbs, verb](const AdminCall& call) { return verbs->command(call, verb); });
}

} // namespace dwcp::node
