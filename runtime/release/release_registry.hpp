// The releases of all systems of a node, and the ramp's word about them.
//
// Life cycle: one a node, made before its actors and outliving them. Systems add() themselves at the start;
// the ramp's actor of this node apply()s what the host says and sends reports() back; look() is called every
// kLookEvery by the node, so that a lease ends even where no actor runs. Thread-safe.
#pragma once

#include "protocols/ramp/ramp.hpp"
#include "runtime/base/events.hpp"
#include "runtime/release/release_switch.hpp"

#include <map>
#include <memory>
#include <mutex>

namespace dwcp::release {

/// How late a lease may end.
inline constexpr milliseconds kLookEvery{100};

class ReleaseRegistry {
  public:
    explicit ReleaseRegistry(NodeName self, EventRing& events, Clocks clocks = {});

    /// Once a system; the switch lives as long as the registry.
    ReleaseSwitch& add(ReleaseNames names, Pin pin = Pin::none);
    /// Null: unknown.
    ReleaseSwitch* find(std::string_view system);
    std::vector<ReleaseSwitch*> all();

    /// Takes the directive as a whole if it is the newest by (term, seq); the same again renews its lease, an
    /// older one is ignored, and so is one of a newer term that would give weight again to what was taken
    /// back with a higher seq. True: this directive is in force now.
    bool apply(const ramp::Directive& directive);
    /// Ends a lease that ran out: stable, until the host is heard again.
    void look();

    /// Of the directive in force; 0: none yet. It names the window.
    std::uint64_t seq() const;
    std::uint64_t term() const;
    /// How long its window has been open.
    std::uint64_t window_ms() const;
    /// The lease of the directive in force ran out.
    bool lease_expired() const;
    std::map<ramp::System, ramp::SystemReport> reports() const;
    /// Why this node is not wholly on stable, a system each; empty: it is.
    std::map<ramp::System, std::string> unsettled() const;

  private:
    void put_in_force(bool new_window);

    const NodeName self_;
    EventRing& events_;
    const Clocks clocks_;

    mutable std::mutex mutex_;
    std::map<ramp::System, std::unique_ptr<ReleaseSwitch>, std::less<>> switches_;
    ramp::Directive directive_;
    bool any_ = false; ///< A directive was given.
    TimePoint window_begin_{};
    TimePoint lease_until_{};
    bool expired_ = false;
};

} // namespace dwcp::release
