// Counts connections by the address they come from, so that no single one off this machine can take them all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

namespace dwcp::http {

/// Whether an address, as inet_ntop() writes it, is this machine itself.
inline bool is_loopback(std::string_view host) {
    if (host.starts_with("::ffff:")) host.remove_prefix(7);
    return host == "::1" || host.starts_with("127.");
}

class Sources {
  public:
    explicit Sources(std::size_t each_max) : each_max_(each_max) {}

    /// False: this address has as many as it may. Connections of this machine are not counted.
    bool enter(const std::string& host) {
        if (is_loopback(host)) return true;
        auto& count = counts_[host];
        if (count >= each_max_) return false;
        ++count;
        return true;
    }
    /// Once for each enter() that was true.
    void leave(const std::string& host) {
        const auto found = counts_.find(host);
        if (found != counts_.end() && --found->second == 0) counts_.erase(found);
    }
    /// Addresses that have connections; bounded by the connections.
    std::size_t size() const { return counts_.size(); }

  private:
    const std::size_t each_max_;
    std::unordered_map<std::string, std::size_t> counts_;
};

} // namespace dwcp::http
