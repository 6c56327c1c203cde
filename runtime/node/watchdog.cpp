#include "runtime/node/watchdog.hpp"

#include "runtime/caf/ask_next.hpp"
#include "runtime/caf/errors.hpp"
#include "runtime/log/log.hpp"

#include <caf/all.hpp>

#include <chrono>

namespace dwcp::node {
namespace {

/// Three probes in half an interval: one may be slow without the service manager losing patience.
constexpr int kProbesPerInterval = 6;

} // namespace

Watchdog::Watchdog(WatchdogOptions options, caf::actor_system& system, const actor::Resolver& resolver)
    : options_(std::move(options)), system_(system), resolver_(resolver),
      looks_("watchdog", options_.interval / kProbesPerInterval, [this] { look(); }) {}

void Watchdog::look() {
    const bool alive = probe();
    if (alive) options_.ping();
    if (!alive && !silent_) {
        log::error("watchdog_silent", {{"remedy", "the service manager restarts a node that stays so; "
                                                  "`dwcp-shell -c health` names who does not answer"}});
    }
    silent_ = !alive;
}

bool Watchdog::probe() {
    const auto deadline = std::chrono::steady_clock::now() + options_.interval / 2;
    const auto supervisor = resolver_.find(options_.supervisor_path);
    if (!supervisor || ask(supervisor->handle, deadline) != Answer::given) return false;
    for (const auto& path : options_.actor_paths) {
        const auto live = resolver_.find(path);
        if (!live) continue;
        const Answer answer = ask(live->handle, deadline);
        // One that has just ended is being restarted: the next one is asked.
        if (answer != Answer::ended) return answer == Answer::given;
    }
    return true; // all are being restarted, and the supervisor, which does that, has answered
}

Watchdog::Answer Watchdog::ask(const caf::actor& actor, TimePoint deadline) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= Duration::zero()) return Answer::none;
    Answer answer = Answer::none;
    // An actor that has much to do is not stuck.
    caf::scoped_actor self{system_};
    dwcp::actor::ask_next(self, actor, left)
        .receive([&](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&,
                     const std::string&) { answer = Answer::given; },
                 [&](const caf::error& error) {
                     if (dwcp::actor::is_receiver_down(error)) answer = Answer::ended;
                 });
    return answer;
}

} // namespace dwcp::node
