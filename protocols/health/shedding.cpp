#include "protocols/health/shedding.hpp"

namespace dwcp::health {
namespace {

/// One of so many new writes of normal priority is served while severely degraded.
constexpr std::uint64_t kNormalWritesServed = 2;

} // namespace

bool Shedding::admits(Level level, Work work, Priority priority) {
    if (work == Work::none || level == Level::normal) return true;
    if (level == Level::emergency) return priority == Priority::critical;
    if (priority == Priority::low) return false;
    if (level == Level::degraded || work != Work::write || priority != Priority::normal) return true;
    return normal_writes_++ % kNormalWritesServed == 0;
}

} // namespace dwcp::health
