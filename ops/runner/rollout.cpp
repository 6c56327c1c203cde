#include "ops/runner/rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

namespace dwcp::runner {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

/// No node says how the ramp is: something is broken that nobody will mend.
constexpr auto kSilenceMax = std::chrono::seconds(20);
constexpr auto kNodeLimit = std::chrono::seconds(30);
/// Long enough for any stage of a rehearsal that looks at it, far shorter than people forget what they
/// vouched for.
constexpr const char* kVouchFor = "24h";

/// What is done to the canary, in the words of `chaos canary`: far beyond what triggers allow, as a bad
/// release would be.
struct Injection {
    const char* kind;
    int percent;
    int milliseconds;
};
const std::map<std::string, Injection> kHow{
    {"error-rate", {"error", 30, 0}},
    {"latency", {"latency", 100, 1500}},
    {"corruption", {"corruption", 50, 0}},
    {"crash-loop", {"crash", 100, 0}},
};
constexpr int kInjectSeconds = 600;

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::int64_t unix_now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

bool is_end(const std::string& phase) {
    return phase == "completed" || phase == "rolled_back" || phase == "aborted";
}

std::string text_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

double number_of(const json& object, const char* key, double otherwise = 0) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
}

const json& member(const json& object, const char* key) {
    static const json nothing = json::object();
    const auto found = object.find(key);
    return found != object.end() ? *found : nothing;
}

std::size_t count_of_verdicts(const json& record) {
    return static_cast<std::size_t>(
        std::ranges::count_if(member(record, "verdicts"),
                              [](const json& verdict) { return text_of(verdict, "outcome") == "pass"; }));
}

bool waits_for(const json& status, const char* check) {
    return std::ranges::any_of(member(status, "verdicts"), [&](const json& verdict) {
        const auto outcome = text_of(verdict, "outcome");
        return text_of(verdict, "check") == check && outcome != "pass" && outcome != "not_applicable";
    });
}

/// The runbook of every alert, as the rules name them.
std::vector<std::string> missing_runbooks(const std::filesystem::path& repository, std::size_t& found) {
    std::vector<std::string> missing;
    std::istringstream rules(read_file(repository / "ops/prometheus/alerts.yml"));
    for (std::string line; std::getline(rules, line);) {
        const auto at = line.find("runbooks/"); // of runbook_url, where a package installs them
        if (at == std::string::npos) continue;
        const std::string name = "ops/" + line.substr(at, line.find_first_of("\"' #", at) - at);
        std::error_code error;
        if (std::filesystem::file_size(repository / name, error) > 0 && !error)
            ++found;
        else
            missing.push_back(name);
    }
    return missing;
}

} // namespace

Rollout::Rollout(Cluster& cluster, ProgressDisplay& display, RolloutOptions options)
    : cluster_(cluster), display_(display), options_(std::move(options)) {
    report_.day = options_.day;
    report_.inject = options_.inject.value_or("");
}

Result<void> Rollout::start() {
    started_ = last_answer_ = Clock::now();
    const auto plan_file = options_.repository / "node_configs" / "rollout.toml";
    NodeClient client = cluster_[0].client();
    const Answer answer = client.operate(
        "/v1/ramp/start",
        {{"plan", read_file(plan_file)}, {"day", options_.day}, {"reason", "ops/run plays the plan"}});
    if (!answer.ok())
        return fail(Errc::precondition_failed, "the ramp did not start: " + answer.describe(),
                    "see " + plan_file.string());
    const Answer plan = client.get("/v1/ramp/plan");
    for (const auto& step : member(plan.json, "steps"))
        report_.titles.push_back(text_of(step, "title"));
    return {};
}

std::string Rollout::where() const {
    const std::lock_guard lock(where_mutex_);
    return where_;
}

Answer Rollout::ask_any(const std::string& path) {
    Answer answer;
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
        NodeClient client = cluster_[i].client();
        client.set_answer_limit(std::chrono::seconds(2));
        answer = client.get(path);
        if (answer.ok()) return answer;
    }
    return answer;
}

Result<bool> Rollout::look() {
    if (auto again = restart_who_was_killed(); !again) return std::unexpected(again.error());
    const Answer answer = ask_any("/v1/ramp");
    if (!answer.ok()) {
        if (Clock::now() - last_answer_ < kSilenceMax) return true;
        return fail(Errc::unavailable, "no site says how the ramp is: " + answer.describe());
    }
    last_answer_ = Clock::now();
    status_ = answer.json;
    tell_news();
    const std::string phase = text_of(status_, "phase");
    const json& step = member(status_, "step");
    const json& stage = member(status_, "stage");
    {
        const std::lock_guard lock(where_mutex_);
        where_ = fmt::format("{}: {} at {:g} %", text_of(step, "title"), phase, number_of(stage, "percent"));
    }
    if (is_end(phase)) return false;
    if (phase == "paused") {
        report_.problem = "it paused for people: " + text_of(status_, "reason");
        return false;
    }
    if (phase == "gate") kill_a_node_if_asked();
    if (auto vouched = vouch_for_runbooks(); !vouched) return std::unexpected(vouched.error());
    if (auto spoiled = inject_when_it_has_traffic(); !spoiled) return std::unexpected(spoiled.error());
    return true;
}

/// A line for every record that moves the ramp.
void Rollout::tell_news() {
    const auto seq = static_cast<std::uint64_t>(number_of(status_, "seq"));
    if (seq == told_seq_) return;
    const Answer history = ask_any("/v1/ramp/history?limit=1000");
    if (!history.ok()) return;
    report_.records = member(history.json, "records");
    for (const auto& record : report_.records) {
        const auto number = static_cast<std::uint64_t>(number_of(record, "seq"));
        if (number <= told_seq_) continue;
        told_seq_ = number;
        if (const auto words = news_of(record); !words.empty()) display_.say(words);
    }
}

std::string Rollout::news_of(const json& record) const {
    const std::string kind = text_of(record, "kind");
    const std::string reason = text_of(record, "reason");
    const std::string title = title_of(record);
    if (kind == "stage_begun") return "ramp: " + reason;
    if (kind == "step_skipped") return fmt::format("ramp: {}: skipped, {}", title, reason);
    if (kind == "stage_passed")
        return fmt::format("ramp: {}: passed, {} criteria", title, count_of_verdicts(record));
    if (kind == "gate_judged") return fmt::format("ramp: {}: {}", title, reason);
    if (kind == "took_over" || kind == "started" || kind == "gate_reached" || kind == "attested") return {};
    if (kind == "exercise_done") return "ramp: exercise: " + reason;
    return fmt::format("ramp: {}: {}", kind, reason);
}

std::string Rollout::title_of(const json& record) const {
    const auto step = static_cast<std::size_t>(number_of(record, "step"));
    return step < report_.titles.size() ? report_.titles[step] : fmt::format("step {}", step + 1);
}

/// The gate wants to have seen a node fail and come back: the run is the one that pulls plugs. Once a stage,
/// and never the host's.
void Rollout::kill_a_node_if_asked() {
    const std::pair at{number_of(member(status_, "step"), "index"),
                       number_of(member(status_, "stage"), "index")};
    if (at == killed_at_ || !waits_for(status_, "node_failure")) return;
    killed_at_ = at;
    for (std::size_t i = cluster_.size(); i-- > 0;) {
        if (cluster_[i].name() == text_of(status_, "host")) continue;
        display_.say(
            fmt::format("killing {} with SIGKILL: the gate asks for a node failure", cluster_[i].name()));
        cluster_[i].process().kill();
        return;
    }
}

Result<void> Rollout::restart_who_was_killed() {
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
        Node& node = cluster_[i];
        if (node.process().running() || interrupted) continue;
        if (node.process().exit_code())
            return node.wait_ready({}); // it ended by itself: says how, with its log
        ++report_.nodes_killed;
        display_.say(fmt::format("starting {} again ({}), as a service manager would", node.name(),
                                 node.process().how_it_ended()));
        if (auto started = node.start(); !started) return started;
        if (auto ready = node.wait_ready(kNodeLimit); !ready) return ready;
    }
    return {};
}

/// Once the gate asks for it: the run reads the rules and looks for every runbook, and says so with its name.
Result<void> Rollout::vouch_for_runbooks() {
    if (!waits_for(status_, "attested")) return {};
    std::size_t found = 0;
    const auto missing = missing_runbooks(options_.repository, found);
    if (!missing.empty() || found == 0)
        return fail(Errc::precondition_failed, missing.empty() ? "ops/prometheus/alerts.yml names no runbook"
                                                               : "there is no " + missing.front());
    NodeClient client = cluster_[0].client();
    const Answer answer = client.operate(
        "/v1/ramp/attest", {{"subject", "runbooks"},
                            {"reason", fmt::format("ops/run found the runbook of each of {} alerts", found)},
                            {"lasts", kVouchFor}});
    if (answer.ok() || answer.worth_a_retry()) return {};
    return fail(Errc::precondition_failed, "the runbooks could not be vouched for: " + answer.describe());
}

Result<void> Rollout::inject_when_it_has_traffic() {
    if (!options_.inject || report_.injected_ms != 0) return {};
    for (const auto& weight : member(status_, "weights")) {
        if (text_of(weight, "system") != "manager" || number_of(weight, "percent") <= 0) continue;
        const Injection& how = kHow.at(*options_.inject);
        for (std::size_t i = 0; i < cluster_.size(); ++i) {
            json body{{"system", "manager"},
                      {"kind", how.kind},
                      {"percent", how.percent},
                      {"seconds", kInjectSeconds},
                      {"reason", "ops/run --inject"}};
            if (how.milliseconds > 0) body["milliseconds"] = how.milliseconds;
            NodeClient client = cluster_[i].client();
            const Answer answer = client.operate("/v1/chaos/canary", body);
            if (!answer.ok())
                return fail(Errc::precondition_failed,
                            cluster_[i].name() + " did not take the fault: " + answer.describe());
        }
        report_.injected_ms = unix_now_ms();
        display_.say(fmt::format("injected {} into the manager's canary", *options_.inject));
        return {};
    }
    return {};
}

RolloutReport Rollout::finish(LiveTraffic& traffic) {
    told_seq_ = 0;
    const Answer history = ask_any("/v1/ramp/history?limit=1000");
    if (history.ok()) report_.records = member(history.json, "records");
    if (const Answer last = ask_any("/v1/ramp"); last.ok()) status_ = last.json;
    report_.status = status_;
    report_.phase = text_of(status_, "phase");
    report_.seconds = std::chrono::duration<double>(Clock::now() - started_).count();
    traffic.stop();
    report_.traffic = traffic.totals();
    report_.verdict = traffic.verify();
    return report_;
}

} // namespace dwcp::runner
