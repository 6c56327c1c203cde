// Faults of the links to a peer, asked for by the links before they send: a relaxed load while there is none.
//
// Life cycle: one a node, made before its links and outliving them. Thread-safe.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/base/random.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace dwcp::chaos {

enum class Link : std::uint8_t { control, data };

/// What to do with one frame.
struct Verdict {
    bool drop = false;
    bool corrupt = false;
    Duration delay{};
};

struct LinkFault {
    NodeName peer;
    bool control = false; ///< Of which links.
    bool data = false;
    std::uint32_t percent = 100; ///< Of the frames.
    Verdict verdict;
    std::shared_ptr<std::atomic<std::uint64_t>> hits = std::make_shared<std::atomic<std::uint64_t>>(0);
};

class LinkFaults {
  public:
    using Id = std::uint64_t;

    explicit LinkFaults(std::uint64_t seed) : random_(seed) {}

    Id add(LinkFault fault);
    void remove(Id id);

    bool any() const { return any_.load(std::memory_order_relaxed); }
    /// Only if any(): what befalls the next frame; several faults add up.
    Verdict judge(Link link, const NodeName& peer);

  private:
    std::atomic<bool> any_{false};
    std::mutex mutex_;
    Random random_;
    Id last_id_ = 0;
    std::map<Id, LinkFault> faults_;
};

} // namespace dwcp::chaos
