// `ramp status`, `ramp plan`, `ramp history` and `ramp explain` as people read them.
#include "ops/shell/output.hpp"
#include "ops/shell/printers.hpp"
#include "ops/shell/table.hpp"
#include "ops/shell/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dwcp::shell {
namespace {

using nlohmann::json;

constexpr std::size_t kBarWidth = 40;

Colour colour_of(const std::string& word) {
    if (word == "pass" || word == "completed" || word == "soaking") return Colour::good;
    if (word == "fail" || word == "rolling_back" || word == "rolled_back" || word == "review")
        return Colour::bad;
    if (word == "inconclusive" || word == "no_data" || word == "paused" || word == "approval")
        return Colour::doubtful;
    return Colour::plain;
}

double real_at(const json& object, const char* name) {
    const json& value = part_at(object, name);
    return value.is_number() ? value.get<double>() : 0;
}

std::int64_t whole_at(const json& object, const char* name) {
    return static_cast<std::int64_t>(real_at(object, name));
}

/// A number of a verdict by its unit: "0.03 %", "12.4 ms", "3".
std::string in_unit(const json& value, const std::string& unit) {
    if (!value.is_number()) return "-";
    const double number = value.get<double>();
    if (unit == "s") return fmt::format("{:.3g} ms", number * 1000);
    if (unit == "ratio" || unit == "share") return fmt::format("{:.3g} %", number * 100);
    return fmt::format("{:.4g}", number);
}

std::string interval(const json& verdict, const std::string& unit) {
    if (!part_at(verdict, "effect").is_number()) return "-";
    // A comparison of times is a relative change, all others are differences in their unit.
    const std::string shown = unit == "s" ? "ratio" : unit;
    return fmt::format("{} ({} to {})", in_unit(part_at(verdict, "effect"), shown),
                       in_unit(part_at(verdict, "low"), shown), in_unit(part_at(verdict, "high"), shown));
}

std::string samples(const json& verdict) {
    const auto canary = whole_at(verdict, "n_canary");
    const auto stable = whole_at(verdict, "n_stable");
    return canary == 0 && stable == 0 ? "-" : fmt::format("{}/{}", canary, stable);
}

/// "[=======>      ] 3 of 9": whole steps, and the share of the one at hand.
std::string bar(double done) {
    const auto filled = static_cast<std::size_t>(std::clamp(done, 0.0, 1.0) * kBarWidth);
    std::string text(kBarWidth, ' ');
    std::fill_n(text.begin(), filled, '=');
    if (filled < kBarWidth) text[filled] = '>';
    return "[" + text + "]";
}

void print_position(std::ostream& out, const json& answer, const Look& look) {
    const json& step = part_at(answer, "step");
    const json& stage = part_at(answer, "stage");
    if (!step.is_object()) return;
    const double steps = std::max(1.0, real_at(step, "count"));
    double within = 0;
    std::string time;
    if (stage.is_object()) {
        const auto since = whole_at(stage, "since_ms");
        const auto lasts = std::max<std::int64_t>(1, whole_at(stage, "duration_ms"));
        const auto spent = std::clamp<std::int64_t>(look.now_ms - since, 0, lasts);
        if (text_at(answer, "phase") != "soaking")
            within = real_at(stage, "index");
        else
            within = real_at(stage, "index") + static_cast<double>(spent) / static_cast<double>(lasts);
        within /= std::max(1.0, real_at(stage, "count"));
        time = fmt::format("  stage {} of {}: {} %, {} of {}", whole_at(stage, "index") + 1,
                           whole_at(stage, "count"), real_at(stage, "percent"), human_span(spent),
                           human_span(lasts));
    }
    out << bar((real_at(step, "index") + within) / steps)
        << fmt::format("  step {} of {}: {}\n", whole_at(step, "index") + 1, whole_at(step, "count"),
                       printable(text_at(step, "title")));
    if (!time.empty()) out << time << '\n';
}

void print_weights(std::ostream& out, const json& answer) {
    Table table({"SYSTEM", "STABLE", "CANARY", "NODE", ">PERCENT", ">CANARY REQS", ">STABLE REQS",
                 ">IN FLIGHT", "KEPT TO STABLE BY"});
    for (const json& system : list_at(answer, "systems"))
        for (const json& node : list_at(system, "nodes"))
            table.add({text_at(system, "system"), text_at(system, "stable"), text_at(system, "canary"),
                       text_at(node, "node"), fmt::format("{}", real_at(node, "percent")),
                       text_at(node, "canary_requests"), text_at(node, "stable_requests"),
                       text_at(node, "in_flight"), text_at(node, "forced")});
    if (table.rows() == 0) return;
    out << '\n';
    table.print(out);
}

void print_verdicts(std::ostream& out, const json& verdicts, const Look& look) {
    if (!verdicts.is_array() || verdicts.empty()) return;
    Table table(
        {"CRITERION", ">LIMIT", ">MEASURED", ">N CANARY/STABLE", "EFFECT (INTERVAL)", "VERDICT", "REASON"});
    for (const json& verdict : verdicts) {
        const std::string unit = text_at(verdict, "unit");
        const std::string outcome = text_at(verdict, "outcome");
        const json& overridden = part_at(verdict, "overridden");
        const bool waved = overridden.is_boolean() && overridden.get<bool>();
        table.add({text_at(verdict, "criterion"), in_unit(part_at(verdict, "limit"), unit),
                   in_unit(part_at(verdict, "measured"), unit), samples(verdict), interval(verdict, unit),
                   coloured(outcome, colour_of(outcome), look.colours) + (waved ? " (overridden)" : ""),
                   text_at(verdict, "reason")});
    }
    out << '\n';
    table.print(out);
}

void print_lines(std::ostream& out, const json& answer, const char* list, const char* title,
                 const char* subject, const char* detail) {
    for (const json& entry : list_at(answer, list))
        out << fmt::format("{} {}: {}\n", title, printable(text_at(entry, subject)),
                           printable(text_at(entry, detail)));
}

} // namespace

void print_ramp_status(std::ostream& out, const json& answer, const Look& look) {
    const std::string phase = text_at(answer, "phase");
    out << "ramp      " << coloured(phase, colour_of(phase), look.colours);
    if (const auto since = whole_at(answer, "phase_since_ms"); since > 0)
        out << " for " << human_span(std::max<std::int64_t>(0, look.now_ms - since));
    if (const std::string plan = text_at(answer, "plan"); !plan.empty())
        out << fmt::format(", plan {} (a day takes {})", printable(plan),
                           human_span(whole_at(answer, "day_ms")));
    if (const std::string host = text_at(answer, "host"); !host.empty())
        out << fmt::format(", hosted by {}, term {}, record {}", printable(host), text_at(answer, "term"),
                           text_at(answer, "seq"));
    out << '\n';
    print_position(out, answer, look);
    if (const std::string why = text_at(answer, "explanation"); !why.empty())
        out << "now       " << printable(why) << '\n';
    if (const auto until = whole_at(answer, "review_until_ms"); until > 0)
        out << fmt::format("review    rolls back in {} unless somebody decides\n",
                           human_span(std::max<std::int64_t>(0, until - look.now_ms)));
    const json& kill = part_at(answer, "kill_switch");
    if (kill.is_boolean() && kill.get<bool>()) out << "the kill switch is on: stable everywhere\n";
    if (const json& alarm = part_at(answer, "alarm"); alarm.is_object())
        out << fmt::format("trigger   {}: {}\n", printable(text_at(alarm, "trigger")),
                           printable(text_at(alarm, "reason")));
    print_weights(out, answer);
    print_verdicts(out, part_at(answer, "verdicts"), look);
    const bool more = !list_at(answer, "skipped").empty() || !list_at(answer, "exercises").empty();
    if (more) out << '\n';
    print_lines(out, answer, "exercises", "exercise ", "what", "detail");
    print_lines(out, answer, "skipped", "skipped  ", "step", "reason");
    for (const json& node : list_at(answer, "silent"))
        out << "silent    " << printable(node.is_string() ? node.get<std::string>() : one_line(node)) << '\n';
    for (const json& note : list_at(answer, "notes"))
        out << "note      " << printable(note.is_string() ? note.get<std::string>() : one_line(note)) << '\n';
}

void print_ramp_plan(std::ostream& out, const json& answer, const Look&) {
    if (const std::string outcome = text_at(answer, "outcome"); !outcome.empty())
        out << printable(outcome) << '\n';
    if (list_at(answer, "steps").empty()) return;
    out << fmt::format("plan {}, a day takes {}, a review {}\n", printable(text_at(answer, "plan")),
                       human_span(whole_at(answer, "day_ms")), human_span(whole_at(answer, "review_ms")));
    Table table({"STEP", "TITLE", ">PERCENT", ">FOR", "GATE", "CRITERIA", "APPROVAL"});
    for (const json& step : list_at(answer, "steps")) {
        for (const json& stage : list_at(step, "stages")) {
            const std::string gate = text_at(stage, "gate");
            std::string criteria;
            for (const json& criterion : list_at(part_at(answer, "gates"), gate.c_str()))
                criteria += (criteria.empty() ? "" : "; ") + text_at(criterion, "name");
            table.add({text_at(step, "name"), text_at(step, "title"), text_at(stage, "percent"),
                       human_span(whole_at(stage, "duration_ms")), gate, criteria,
                       text_at(step, "approval")});
        }
    }
    table.print(out);
    out << '\n';
    Table triggers({"TRIGGER", "LIMIT", "THEN"});
    for (const json& trigger : list_at(answer, "triggers")) {
        const json& at_once = part_at(trigger, "at_once");
        triggers.add({text_at(trigger, "name"), text_at(trigger, "limit"),
                      at_once.is_boolean() && at_once.get<bool>() ? "rolls back at once" : "review"});
    }
    triggers.print(out);
    for (const json& note : list_at(answer, "notes"))
        out << "note: " << printable(note.is_string() ? note.get<std::string>() : one_line(note)) << '\n';
}

void print_ramp_history(std::ostream& out, const json& answer, const Look& look) {
    Table table({">RECORD", "TIME", "WHAT", ">STEP", ">STAGE", "BY", "WHY"});
    for (const json& record : list_at(answer, "records")) {
        std::string why = text_at(record, "reason");
        if (const json& alarm = part_at(record, "alarm"); alarm.is_object())
            why = text_at(alarm, "trigger") + ": " + text_at(alarm, "reason");
        table.add({text_at(record, "seq"), shown_value("at_ms", part_at(record, "at_ms"), look.now_ms),
                   text_at(record, "kind"), std::to_string(whole_at(record, "step") + 1),
                   std::to_string(whole_at(record, "stage") + 1), text_at(record, "by"), std::move(why)});
    }
    table.print(out);
}

void print_ramp_explain(std::ostream& out, const json& answer, const Look& look) {
    for (const json& sentence : list_at(answer, "sentences"))
        out << printable(sentence.is_string() ? sentence.get<std::string>() : one_line(sentence)) << '\n';
    for (const json& criterion : list_at(answer, "criteria")) {
        const std::string outcome = text_at(criterion, "outcome");
        out << fmt::format("  {}: {} - {}\n", printable(text_at(criterion, "criterion")),
                           coloured(outcome, colour_of(outcome), look.colours),
                           printable(text_at(criterion, "reason")));
    }
}

} // namespace dwcp::shell
