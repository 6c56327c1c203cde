#include "protocols/supervision/restart_budget.hpp"

#include <algorithm>

namespace dwcp::supervision {

RestartBudget::RestartBudget(BudgetLimits limits) : limits_(limits) {
    limits_.burst = std::max<std::uint32_t>(limits_.burst, 1);
    limits_.refill = std::max(limits_.refill, Duration(1));
}

bool RestartBudget::take(TimePoint now) {
    if (next(now) > now) {
        ++refused_;
        return false;
    }
    full_at_ = std::max(full_at_, now) + limits_.refill;
    ++taken_;
    return true;
}

TimePoint RestartBudget::next(TimePoint now) const {
    // As a bucket that fills steadily: it lacks (full_at_ - now) / refill tokens, and there is one to take
    // while it lacks at most burst - 1.
    return std::max(now, full_at_ - (limits_.burst - 1) * limits_.refill);
}

} // namespace dwcp::supervision
