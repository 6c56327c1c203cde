// Which release of a system serves a request on this node, and what each release did.
//
// Life cycle: one a system a node, in the node's ReleaseRegistry, outliving the actors that ask it.
// Thread-safe; route() is a load and a hash in the common case.
//
// A request is routed by the sticky hash of its workload's key: the canary's set at 10 % lies inside the one
// at 25 %. A key that has work under way stays with that work's release until it ended, so that the order
// within a key holds across changes of weight; not so after a rollback: then everything new is stable's at
// once, and what the canary still holds is finished or replayed by its system, which keeps the order within
// the key itself.
//
// The window of measurement begins when a directive with a higher seq is applied: counts start anew then.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/ramp/measure.hpp"
#include "protocols/ramp/ramp.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace dwcp::release {

using ramp::Release;

/// What the canary's share of traffic is compared by: buckets of 0.01 %.
inline constexpr std::uint32_t kBuckets = 10'000;
/// The bucket of a key; the same on every node and in every life.
std::uint32_t bucket_of(std::string_view system, std::string_view key);

class ReleaseSwitch;

/// One request under way on a release. Ended by finished() or failed(), else by its destruction (as one that
/// nobody counts: a client's own mistake, a repetition). Movable.
class Lease {
  public:
    Lease() = default;
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    Release release() const { return release_; }
    /// Whether the canary that holds this was withdrawn meanwhile: finish on stable instead.
    bool revoked() const;
    /// The shadow of this request should go to the canary too, without answering.
    bool shadowed() const { return shadowed_; }

    void finished(Duration took, std::uint64_t bytes, std::uint64_t cost_us);
    void failed();

  private:
    friend class ReleaseSwitch;
    ReleaseSwitch* switch_ = nullptr;
    Release release_ = Release::stable;
    bool shadowed_ = false;
    std::string key_;
    std::uint64_t generation_ = 0;
};

struct ReleaseNames {
    std::string system; ///< "manager"
    std::string stable; ///< "one-stream-1"
    std::string canary; ///< "multi-stream-1"; empty: none yet
    std::string cost;   ///< What cost_us measures, in words.
};

class ReleaseSwitch {
  public:
    explicit ReleaseSwitch(ReleaseNames names);
    virtual ~ReleaseSwitch() = default;

    virtual Lease route(std::string_view key) = 0;
    const ReleaseNames& names() const { return names_; }

    /// One atomic change of weight; a new `seq` also opens a new window.
    virtual void set(std::uint64_t seq, double canary_percent, bool shadow, std::uint64_t recent_ms) = 0;
    /// Stable from now on whatever set() says, e.g. because the canary crash-loops here; until a directive of
    /// a higher seq.
    virtual void force_stable(std::string reason) = 0;
    /// Called on another thread's change to 0 or force_stable: what the system must do with the canary's work
    /// under way.
    virtual void on_withdrawn(std::function<void()> replay) = 0;
    virtual ramp::SystemReport report() const = 0;

  private:
    ReleaseNames names_;
};

} // namespace dwcp::release
