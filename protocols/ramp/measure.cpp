#include "protocols/ramp/measure.hpp"

#include "protocols/ramp/counts.hpp"

#include <algorithm>
#include <cmath>

namespace dwcp::ramp {

void Work::add(const Work& other) {
    requests = add_counts(requests, other.requests);
    errors = add_counts(errors, other.errors);
    latency.merge(other.latency);
    bytes = add_counts(bytes, other.bytes);
    cost_us = add_counts(cost_us, other.cost_us);
}

void Facts::add(const Facts& other) {
    for (auto count :
         {&Facts::consensus_failures, &Facts::lane_looks, &Facts::lane_looks_available, &Facts::corruptions,
          &Facts::security_breaches, &Facts::critical_incidents, &Facts::checks, &Facts::checks_failing,
          &Facts::metrics_expected, &Facts::metrics_present}) {
        this->*count = add_counts(this->*count, other.*count);
    }
    for (const std::string& name : other.failing) {
        if (failing.size() < kFailingNamesMax && std::ranges::find(failing, name) == failing.end()) {
            failing.push_back(name);
        }
    }
    // What is not a number stays one: a node that cannot say how loaded it is must not look idle.
    if (std::isnan(other.resource_use) || other.resource_use > resource_use) {
        resource_use = other.resource_use;
    }
}

} // namespace dwcp::ramp
