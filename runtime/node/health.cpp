#include "runtime/node/health.hpp"

#include "runtime/caf/errors.hpp"
#include "runtime/node/admin_verbs.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <map>

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
    return report;
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
    caf::scoped_actor self{system_};
    // CAF answers this question through the actor's mailbox, whatever its handlers are.
    const auto ask = [&](const caf::actor& actor) {
        return self->request(actor, kProbeDeadline, caf::sys_atom_v, caf::get_atom_v, "info");
    };
    std::map<std::string, decltype(ask({}))> asked;
    const auto begin = now();
    for (const auto& child : board_.all()) {
        // One that is being restarted is the supervisor doing its work, and one that is quarantined an
        // operator's decision; one that is there and does not answer is broken.
        if (const auto live = resolver_.find(child.path))
            asked.emplace(child.path, ask(live->handle));
        else
            checks.add("actor " + child.path, false, "is " + child.state, 0, false);
    }
    for (auto& [path, answer] : asked) {
        std::string detail;
        answer.receive(
            [](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&, const std::string&) {},
            [&](const caf::error& error) { detail = actor::from_caf(error).message; });
        checks.add("actor " + path, detail.empty(), detail, milliseconds_since(begin) / 1000, true);
    }
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
