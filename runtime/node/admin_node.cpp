// What is done to the node as a whole, `drain`, `undrain` and `log level`; and its `metrics`.
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/node/admin_verbs.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>

namespace dwcp::node {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSeriesDefault = 1000;
constexpr std::uint64_t kSeriesMax = 5000;
constexpr std::uint64_t kLogSecondsMax = 86'400;

constexpr const char* kLevels[] = {"trace", "debug", "info", "warn", "error", "off"};

const char* name_of(log::Level level) { return kLevels[static_cast<std::size_t>(level)]; }

Result<json> set_draining(const AdminServices& services, const gateway::AdminCall& call, bool wanted) {
    if (!wanted && *services.ending)
        return fail(Errc::precondition_failed,
                    "this node's process is ending: it will not take requests again",
                    "start it again when it has ended");
    const bool dry_run = flag_of(call.args, "dry_run");
    const bool was = dry_run ? services.draining->load() : services.draining->exchange(wanted);
    if (was != wanted && !dry_run)
        services.events.record(wanted ? "node_draining" : "node_undrained", services.identity.name,
                               {{"who", call.by.name}, {"reason", text_of(call.args, "reason")}});
    const auto counts = workload_counts(services);
    // Not knowing is not "none": an operator may be about to stop the node.
    json open = counts["open"].get<int>() + counts["sealed"].get<int>();
    if (counts.contains("managers_silent")) open = nullptr;
    return json{{"node", services.identity.name},
                {"state", wanted ? "draining" : "running"},
                {"changed", was != wanted},
                {"dry_run", dry_run},
                {"workloads_open", std::move(open)}};
}

/// The level that comes back after a time; shared by all calls. A change that is pending keeps it: the node
/// may end first.
class LogLevel : public std::enable_shared_from_this<LogLevel> {
  public:
    explicit LogLevel(const AdminServices& services)
        : deadlines_(services.deadlines), events_(services.events) {}

    Result<json> set(const gateway::AdminCall& call) {
        log::Level level{};
        const auto text = text_of(call.args, "level");
        if (!log::parse_level(text, level))
            return fail(Errc::invalid_argument, "'" + text + "' is not a log level",
                        "give trace, debug, info, warn, error or off");
        const auto seconds = number_of(call.args, "seconds", 0);
        if (seconds > kLogSecondsMax)
            return fail(Errc::invalid_argument, "seconds: at most " + std::to_string(kLogSecondsMax),
                        "leave it out to change the level for good");
        const std::lock_guard lock(mutex_);
        const auto was = log::level();
        const bool dry_run = flag_of(call.args, "dry_run");
        if (!dry_run) change(level, seconds);
        json answer{{"level", text}, {"was", name_of(was)}, {"dry_run", dry_run}};
        if (seconds > 0) answer["back_in_s"] = seconds;
        return answer;
    }

  private:
    void change(log::Level level, std::uint64_t seconds) {
        // What a timed change goes back to is what was there before the first of them.
        const auto back_to = timer_ != 0 ? back_to_ : log::level();
        if (timer_ != 0) deadlines_.cancel(std::exchange(timer_, 0));
        const auto change = ++changes_;
        log::set_level(level);
        events_.record("log_level_changed", name_of(level),
                       {{"was", name_of(back_to)}, {"for_s", std::to_string(seconds)}});
        if (seconds == 0) return;
        back_to_ = back_to;
        timer_ = deadlines_.after(std::chrono::seconds(seconds),
                                  [self = shared_from_this(), change] { self->go_back(change); });
    }

    void go_back(std::uint64_t change) {
        const std::lock_guard lock(mutex_);
        if (change != changes_) return; // another one came in the moment that this was due
        timer_ = 0;
        log::set_level(back_to_);
        events_.record("log_level_changed", name_of(back_to_), {{"was", "for a time"}});
    }

    Deadlines& deadlines_;
    EventRing& events_;
    std::mutex mutex_;
    std::uint64_t changes_ = 0;
    Deadlines::Id timer_ = 0; ///< 0: the level holds for good.
    log::Level back_to_{};
};

json metric_series(const AdminServices& services, const json& args) {
    const auto found = metrics::samples(text_of(args, "grep"));
    const auto limit = std::min(number_of(args, "limit", kSeriesDefault), kSeriesMax);
    json series = json::array();
    for (const auto& sample : found) {
        if (series.size() == limit) break;
        series.push_back({{"name", sample.name},
                          {"type", sample.type},
                          {"help", sample.help},
                          {"labels", sample.labels},
                          {"value", sample.value}});
    }
    const auto left_out = found.size() - series.size();
    return {{"node", services.identity.name}, {"series", std::move(series)}, {"left_out", left_out}};
}

} // namespace

void add_node_verbs(VerbTable& verbs, const AdminServices& services) {
    using gateway::AdminCall;
    verbs["drain"] = [&services](const AdminCall& call) { return set_draining(services, call, true); };
    verbs["undrain"] = [&services](const AdminCall& call) { return set_draining(services, call, false); };
    verbs["metrics"] = [&services](const AdminCall& call) { return metric_series(services, call.args); };
    verbs["log.level"] = [level = std::make_shared<LogLevel>(services)](const AdminCall& call) {
        return level->set(call);
    };
}

} // namespace dwcp::node
