// A simulated network of datagrams: delays them, and so reorders them; loses, doubles and blocks them.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/base/random.hpp"
#include "tests/sim/world/clock.hpp"

#include <functional>
#include <map>
#include <set>
#include <utility>

namespace dwcp::sim {

struct NetworkConditions {
    Duration latency_min = std::chrono::microseconds(100);
    Duration latency_max = milliseconds(2);
    double loss = 0;
    double duplication = 0;
};

class Network {
  public:
    using Receiver = std::function<void(const NodeName& from, const Bytes& datagram)>;

    Network(Clock& clock, Random& random) : clock_(clock), random_(random) {}

    /// A node that is down attaches a receiver that drops.
    void attach(const NodeName& node, Receiver receiver) { receivers_[node] = std::move(receiver); }
    void set(NetworkConditions conditions) { conditions_ = conditions; }
    /// Blocks one direction; what is on the way still arrives.
    void cut(const NodeName& from, const NodeName& to) { cuts_.emplace(from, to); }
    void mend_all() { cuts_.clear(); }

    /// False if the sender can know that it will not arrive.
    bool send(const NodeName& from, const NodeName& to, Bytes datagram) {
        ++sent_;
        if (cuts_.contains({from, to})) return false;
        if (random_.unit() < conditions_.loss) return true;
        if (random_.unit() < conditions_.duplication) deliver(from, to, datagram);
        deliver(from, to, std::move(datagram));
        return true;
    }

    std::uint64_t sent() const { return sent_; }

  private:
    void deliver(const NodeName& from, const NodeName& to, Bytes datagram) {
        const auto range =
            static_cast<std::uint64_t>((conditions_.latency_max - conditions_.latency_min).count());
        const Duration delay = conditions_.latency_min + Duration(range == 0 ? 0 : random_.below(range));
        clock_.after(delay, [this, from, to, datagram = std::move(datagram)] {
            if (const auto found = receivers_.find(to); found != receivers_.end())
                found->second(from, datagram);
        });
    }

    Clock& clock_;
    Random& random_;
    NetworkConditions conditions_;
    std::set<std::pair<NodeName, NodeName>> cuts_;
    std::map<NodeName, Receiver> receivers_;
    std::uint64_t sent_ = 0;
};

} // namespace dwcp::sim
