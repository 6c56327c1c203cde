#include "protocols/health/fair_places.hpp"

#include <algorithm>

namespace dwcp::health {

std::uint32_t FairPlaces::share(std::uint32_t places) const {
    const auto others = static_cast<std::uint32_t>(std::max<std::size_t>(held_.size(), 1));
    return std::max(places / (others + 1), 1U);
}

std::uint32_t FairPlaces::held(const std::string& client) const {
    const auto found = held_.find(client);
    return found == held_.end() ? 0 : found->second;
}

bool FairPlaces::enter(const std::string& client, std::uint32_t places) {
    const auto [entry, fresh] = held_.try_emplace(client, 0); // counted as one that shares from here on
    if (entry->second < share(places)) {
        ++entry->second;
        return true;
    }
    if (fresh) held_.erase(entry);
    return false;
}

void FairPlaces::leave(const std::string& client) {
    const auto found = held_.find(client);
    if (found == held_.end()) return;
    if (--found->second == 0) held_.erase(found);
}

} // namespace dwcp::health
