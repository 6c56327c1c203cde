// Which release of a system serves a request on this node, and what each release did.
//
// Life cycle: one a system a node, made by the node's ReleaseRegistry, outliving the actors that ask it.
// Thread-safe; route() is a hash and one short lock of the key's shard.
//
// A request is routed by the sticky hash of its workload's key: the canary's set at 10 % lies inside the one
// at 25 %. A key that has work under way stays with that work's release until it ended, so that the order
// within a key holds across changes of weight; not so after a rollback: then everything new is stable's at
// once, and what the canary still holds is finished or replayed by its system, which keeps the order within
// the key itself.
//
// The window of measurement begins when a directive with a higher seq is applied: counts start anew then. A
// request counts in the window in which it ends.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/ramp/measure.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/release/window_recorder.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dwcp::release {

using ramp::Release;

std::string_view to_string(Release release);

/// What the canary's share of traffic is compared by: buckets of 0.01 %.
inline constexpr std::uint32_t kBuckets = 10'000;
/// The bucket of a key; the same on every node and in every life. Each system has its own salt, so that the
/// canaries of two systems do not meet the same keys.
std::uint32_t bucket_of(std::string_view system, std::string_view key);

class ReleaseSwitch;

/// One request under way on a release. Ended by finished() or failed(), else by its destruction (as one that
/// nobody counts: a client's own mistake, a repetition). Movable; used by one thread at a time.
class Lease {
  public:
    Lease() = default;
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    Release release() const { return release_; }
    /// Whether the canary that holds this was withdrawn meanwhile: finish on stable instead.
    bool revoked() const;
    /// From now on stable does the rest: the canary holds it no more, and its end counts for neither, unless
    /// it fails. Whoever finds a lease revoked calls this once nothing of it is on the canary's path.
    void move_to_stable();
    /// The shadow of this request should go to the canary too, without answering.
    bool shadowed() const { return shadowed_; }

    void finished(Duration took, std::uint64_t bytes, std::uint64_t cost_us);
    void failed();

  private:
    friend class ReleaseSwitch;
    void end();

    ReleaseSwitch* switch_ = nullptr;
    Release release_ = Release::stable;
    bool shadowed_ = false;
    bool moved_ = false;
    std::string key_;
    std::uint64_t generation_ = 0;
};

struct ReleaseNames {
    std::string system; ///< "manager"
    std::string stable; ///< "one-stream-1"
    std::string canary; ///< "multi-stream-1"; empty: none yet
    std::string cost;   ///< What cost_us measures, in words.
};

/// What this node's configuration says of a system.
enum class Pin : std::uint8_t {
    none,   ///< The ramp decides.
    stable, ///< Stable, whatever the ramp says; it is told that there is no canary here.
    canary, ///< The same with the canary; only the kill switch is stronger.
};

struct Clocks {
    std::function<TimePoint()> now = [] { return std::chrono::steady_clock::now(); };
    std::function<UnixMillis()> unix_ms; ///< Empty: the system's.
};

class ReleaseSwitch {
  public:
    ReleaseSwitch(ReleaseNames names, Pin pin, Clocks clocks);
    ReleaseSwitch(const ReleaseSwitch&) = delete;
    ReleaseSwitch& operator=(const ReleaseSwitch&) = delete;

    Lease route(std::string_view key);
    const ReleaseNames& names() const { return names_; }
    const std::string& name_of(Release release) const;

    /// What the canary made of a request that stable answered (Lease::shadowed()).
    void shadow_finished(Duration took, std::uint64_t bytes, std::uint64_t cost_us);
    void shadow_failed();

    /// Stable from now on whatever the ramp says, e.g. because the canary crash-loops here; until a new
    /// directive.
    void force_stable(std::string reason);
    /// `replay` is called, on whatever thread changed it, when the canary is withdrawn: what the system must
    /// do with the canary's work under way. It must be quick, and is called as long as the answer lives.
    [[nodiscard]] std::shared_ptr<const std::function<void()>> on_withdrawn(std::function<void()> replay);
    /// What must hold for stable to be really there: why not, or empty. Asked by report().
    void check_stable_with(std::function<std::string()> why_not_ready);

    double canary_percent() const; ///< Of the keys, whose requests the canary answers.
    /// The canary serves here, and no plan has made it the stable release yet.
    bool on_trial() const;
    std::uint64_t canary_in_flight() const { return in_flight_[1]; }
    std::string forced() const;
    /// Why this node is not wholly on stable; empty: weight 0, nothing of the canary under way, stable ready.
    std::string unsettled() const;
    ramp::SystemReport report() const;

    /// What the ramp says, for its registry alone.
    struct Order {
        double canary_percent = 0;
        bool shadow = false; ///< That share is mirrored to the canary, and stable answers it.
        bool kill_switch = false;
        /// A new directive: counts start anew, and what was forced is over. Its recent part's length.
        std::optional<Duration> new_window{};
        bool promoted = false; ///< The plan is through: the canary is the new stable release.
    };
    /// One atomic change.
    void obey(const Order& order);

  private:
    friend class Lease;
    struct InFlight {
        Release release = Release::stable;
        std::uint64_t generation = 0;
        std::uint32_t count = 0;
    };
    /// Keys with work under way; sharded so that threads seldom meet.
    struct Shard {
        std::mutex mutex;
        std::unordered_map<std::string, InFlight> keys;
    };
    static constexpr std::size_t kShards = 16;

    /// Generation, weight and shadow in one word, so that a route sees all of one moment.
    struct Word {
        std::uint64_t generation = 0; ///< Counts withdrawals of the canary.
        std::uint32_t buckets = 0;
        bool shadow = false; ///< These buckets are stable's, and mirrored to the canary.
        std::uint32_t answered() const { return shadow ? 0 : buckets; }
    };
    Word word() const;
    /// Recomputes the word from what is asked and what is stronger; tells of a withdrawal after unlocking.
    void change(const std::function<void()>& what);
    std::uint32_t wanted_buckets() const;
    Shard& shard_of(std::string_view key);
    void leave(const std::string& key, Release release);
    void count(Release release, Duration took, std::uint64_t bytes, std::uint64_t cost_us);
    void count_failed(Release release);
    UnixMillis unix_ms() const;

    const ReleaseNames names_;
    const Pin pin_;
    const Clocks clocks_;

    std::atomic<std::uint64_t> word_ = 0;
    std::array<Shard, kShards> shards_;
    std::array<std::atomic<std::uint64_t>, 2> in_flight_{};
    std::atomic<UnixMillis> canary_last_ms_ = 0;
    std::array<WindowRecorder, 2> windows_;
    WindowRecorder shadow_;

    mutable std::mutex mutex_; ///< Of what follows.
    Order order_;
    std::string forced_;
    std::vector<std::weak_ptr<const std::function<void()>>> listeners_;
    std::function<std::string()> why_not_ready_;

    struct Probe {
        explicit Probe(const std::string& system);
        std::array<metrics::Counter, 2> finished;
        std::array<metrics::Counter, 2> failed;
        std::array<metrics::Histogram, 2> seconds;
        metrics::Gauge ratio;
    };
    const Probe probe_;
};

} // namespace dwcp::release
