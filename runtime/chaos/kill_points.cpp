#include "runtime/chaos/kill_points.hpp"

#include "runtime/log/log.hpp"

#include <csignal>
#include <unistd.h>

namespace dwcp::chaos {

const std::vector<std::string_view>& KillPoints::names() {
    static const std::vector<std::string_view> all{kRampWrite, kRampCommit};
    return all;
}

void KillPoints::arm(const std::string& point, std::uint64_t count) {
    const std::lock_guard lock(mutex_);
    left_[point] = count;
}

void KillPoints::pass(std::string_view point) {
    const std::lock_guard lock(mutex_);
    const auto armed = left_.find(point);
    if (armed == left_.end() || armed->second == 0 || --armed->second > 0) return;
    log::error("chaos_kill", {{"point", std::string(point)}});
    log::shutdown();
    ::kill(::getpid(), SIGKILL);
}

} // namespace dwcp::chaos
