#include "tests/sim/consensus/run.hpp"

#include <algorithm>

namespace dwcp::sim {

Shrunk shrink(Plan plan, std::string violation, bool real_crypto, std::size_t runs_max) {
    Shrunk shrunk{std::move(plan), std::move(violation), 0};
    for (std::size_t size = std::max<std::size_t>(shrunk.plan.faults.size() / 2, 1); size > 0;) {
        bool smaller = false;
        for (std::size_t from = 0; from < shrunk.plan.faults.size() && shrunk.runs < runs_max;) {
            Plan without = shrunk.plan;
            const auto first = without.faults.begin() + static_cast<std::ptrdiff_t>(from);
            const auto count = std::min(size, without.faults.size() - from);
            without.faults.erase(first, first + static_cast<std::ptrdiff_t>(count));
            ++shrunk.runs;
            auto report = run_plan(without, real_crypto);
            if (report.violation.empty()) {
                from += count;
            } else {
                shrunk.plan = std::move(without);
                shrunk.violation = std::move(report.violation);
                smaller = true;
            }
        }
        if (shrunk.runs >= runs_max) break;
        if (size == 1 && !smaller) break;
        if (!smaller || size > shrunk.plan.faults.size()) size /= 2;
    }
    return shrunk;
}

} // namespace dwcp::sim
