#include "runtime/node/health.hpp"

#include "runtime/node/actor_probe.hpp"
#include "runtime/node/admin_verbs.hpp"
#include "runtime/node/deep_health.hpp"

#include <chrono>

namespace dwcp::node {
namespace {

using nlohmann::json;

constexpr Duration kProbeDeadline = std::chrono::seconds(1);
/// Balancers and people ask often, and an answer of a second ago serves them.
constexpr Duration kReportAge = std::chrono::seconds(1);
/// An examination is over after three probe deadlines, or it hangs.
constexpr Duration kStaleAfter = std::chrono::seconds(10);
/// Of whoever asks while the very first report is made.
constexpr Duration kFirstWait = std::chrono::seconds(3);

TimePoint now() { return std::chrono::steady_clock::now(); }

} // namespace

/// Gathers what was found.
class Health::Checks {
  public:
    /// `vital`: a failure makes the node unhealthy, not just degraded.
    void add(const std::string& name, bool ok, const std::string& detail, double seconds, bool vital) {
        list_.push_back({{"name", name}, {"ok", ok}, {"detail", detail}, {"seconds", seconds}});
        (vital ? broken_ : impaired_) |= !ok;
    }
    json report() && {
        return {{"status", broken_     ? "unhealthy"
                           : impaired_ ? "degraded"
                                       : "healthy"},
                {"checks", std::move(list_)}};
    }

  private:
    json list_ = json::array();
    bool broken_ = false;
    bool impaired_ = false;
};

json Health::report() {
    std::unique_lock lock(mutex_);
    if (!last_.is_null() && now() - made_ < kReportAge) return last();
    if (examining_) {
        if (last_.is_null()) examined_.wait_for(lock, kFirstWait, [this] { return !last_.is_null(); });
        return last();
    }
    examining_ = true;
    lock.unlock();
    auto found = examine();
    lock.lock();
    last_ = std::move(found);
    made_ = now();
    examining_ = false;
    examined_.notify_all();
    return last();
}

/// With the mutex held.
json Health::last() const {
    auto report = last_.is_null() ? json{{"status", "unhealthy"}, {"checks", json::array()}} : last_;
    const double age_s = last_.is_null() ? 0 : milliseconds_since(made_) / 1000;
    report["age_s"] = age_s;
    if (last_.is_null() || now() - made_ >= kStaleAfter) {
        report["status"] = "unhealthy";
        report["checks"].push_back({{"name", "examination"},
                                    {"ok", false},
                                    {"detail", "it does not come to its end; the disk may hang"},
                                    {"seconds", age_s}});
    }
    add_deep(report);
    if (degradation_) report["degradation"] = degradation_();
    return report;
}

void Health::show(const DeepHealth* deep) {
    const std::lock_guard lock(mutex_);
    deep_ = deep;
}

/// With the mutex held.
void Health::add_deep(json& report) const {
    if (deep_ == nullptr) return;
    const auto found = deep_->report();
    const auto worsen = [&](bool vital) {
        auto& status = report["status"];
        if (vital)
            status = "unhealthy";
        else if (status == "healthy")
            status = "degraded";
    };
    for (const auto& check : found.checks) {
        const bool ok = check.condition == health::Condition::ok;
        if (!ok) worsen(check.vital);
        report["checks"].push_back({{"name", check.part},
                                    {"ok", ok},
                                    {"detail", check.detail},
                                    {"seconds", check.seconds},
                                    {"age_s", found.age_s}});
    }
    if (found.stale) {
        worsen(false);
        report["checks"].push_back({{"name", "deep examination"},
                                    {"ok", false},
                                    {"detail", "it does not come to its end"},
                                    {"seconds", found.age_s},
                                    {"age_s", found.age_s}});
    }
    report["recoveries"] = json::array();
    for (const auto& recovery : found.recoveries)
        report["recoveries"].push_back({{"part", recovery.part},
                                        {"state", recovery.state},
                                        {"attempts", recovery.attempts},
                                        {"reason", recovery.reason}});
}

json Health::examine() {
    Checks checks;
    ask_actors(checks);
    write_to_store(checks);
    for (const auto& peer : control_.peers())
        checks.add("peer " + peer.name, peer.up, peer.problem, 0, false);
    for (const auto& lane : lane_states(system_, resolver_, now() + kProbeDeadline)) {
        checks.add("lane " + lane["lane"].get<std::string>(), lane["available"].get<bool>(),
                   lane["note"].get<std::string>(), 0, false);
    }
    return std::move(checks).report();
}

void Health::ask_actors(Checks& checks) {
    // One that is being restarted is the supervisor doing its work, and one that is quarantined an operator's
    // decision; one that is there and does not answer is broken.
    for (const auto& answer : probe_actors(system_, resolver_, board_.all(), kProbeDeadline, Turn::own))
        checks.add("actor " + answer.path, answer.problem.empty(), answer.problem, answer.seconds,
                   answer.alive);
}

void Health::write_to_store(Checks& checks) {
    const auto begin = now();
    store::Batch batch;
    batch.put(store::Family::state, "health/probe", to_bytes(std::to_string(unix_now_ms())));
    const auto written = store_.write(batch, store::Sync::yes);
    checks.add("store write", written.has_value(), written ? "" : written.error().message,
               milliseconds_since(begin) / 1000, true);
}

} // namespace dwcp::node
