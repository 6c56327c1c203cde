#include "runtime/release/release_switch.hpp"

#include "runtime/base/events.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dwcp::release {
namespace {

constexpr std::size_t kCanary = static_cast<std::size_t>(Release::canary);

constexpr std::size_t index_of(Release release) { return static_cast<std::size_t>(release); }

/// FNV-1a over both, then the finaliser of SplitMix64: FNV's low digits alone are not even.
std::uint64_t hash_of(std::string_view salt, std::string_view key) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    const auto mix = [&hash](std::string_view text) {
        for (const char c : text) {
            hash ^= static_cast<unsigned char>(c);
            hash *= 0x100000001b3U;
        }
    };
    mix(salt);
    mix(std::string_view("\0", 1));
    mix(key);
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
    return hash ^ (hash >> 31);
}

std::uint32_t buckets_of(double percent) {
    if (!(percent > 0)) return 0; // not a number neither
    return static_cast<std::uint32_t>(std::lround(std::min(percent, 100.0) * kBuckets / 100));
}

metrics::Counter requests(const std::string& system, Release release, const char* outcome) {
    return metrics::counter(
        "dwcp_release_requests_total", "Requests that a release of a system ended, by outcome.",
        {{"system", system}, {"release", std::string(to_string(release))}, {"outcome", outcome}});
}

metrics::Histogram seconds(const std::string& system, Release release) {
    return metrics::histogram(
        "dwcp_release_duration_seconds", "How long requests took that a release of a system ended well.",
        metrics::duration_bounds(), {{"system", system}, {"release", std::string(to_string(release))}});
}

} // namespace

std::string_view to_string(Release release) { return release == Release::canary ? "canary" : "stable"; }

std::uint32_t bucket_of(std::string_view system, std::string_view key) {
    return static_cast<std::uint32_t>(hash_of(system, key) % kBuckets);
}

// --- Lease

Lease::Lease(Lease&& other) noexcept { *this = std::move(other); }

Lease& Lease::operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    end();
    switch_ = std::exchange(other.switch_, nullptr);
    release_ = std::exchange(other.release_, Release::stable);
    shadowed_ = std::exchange(other.shadowed_, false);
    moved_ = std::exchange(other.moved_, false);
    key_ = std::move(other.key_);
    generation_ = other.generation_;
    return *this;
}

Lease::~Lease() { end(); }

void Lease::end() {
    if (switch_ != nullptr) std::exchange(switch_, nullptr)->leave(key_, release_);
}

bool Lease::revoked() const {
    return switch_ != nullptr && release_ == Release::canary && switch_->word().generation != generation_;
}

void Lease::move_to_stable() {
    if (switch_ == nullptr || release_ == Release::stable) return;
    {
        auto& shard = switch_->shard_of(key_);
        const std::lock_guard lock(shard.mutex);
        shard.keys[key_].release = Release::stable;
    }
    ++switch_->in_flight_[index_of(Release::stable)];
    --switch_->in_flight_[kCanary];
    release_ = Release::stable;
    moved_ = true;
}

void Lease::finished(Duration took, std::uint64_t bytes, std::uint64_t cost_us) {
    if (switch_ == nullptr) return;
    if (!moved_) switch_->count(release_, took, bytes, cost_us);
    end();
}

void Lease::failed() {
    if (switch_ == nullptr) return;
    switch_->count_failed(release_);
    end();
}

// --- ReleaseSwitch

ReleaseSwitch::Probe::Probe(const std::string& system)
    : finished{requests(system, Release::stable, "ok"), requests(system, Release::canary, "ok")},
      failed{requests(system, Release::stable, "error"), requests(system, Release::canary, "error")},
      seconds{release::seconds(system, Release::stable), release::seconds(system, Release::canary)},
      ratio(metrics::gauge("dwcp_release_canary_ratio",
                           "Share of the keys whose new requests the canary of a system serves.",
                           {{"system", system}})) {}

ReleaseSwitch::ReleaseSwitch(ReleaseNames names, Pin pin, Clocks clocks)
    : names_(std::move(names)), pin_(pin), clocks_(std::move(clocks)), probe_(names_.system) {
    obey({});
}

const std::string& ReleaseSwitch::name_of(Release release) const {
    return release == Release::canary ? names_.canary : names_.stable;
}

UnixMillis ReleaseSwitch::unix_ms() const { return clocks_.unix_ms ? clocks_.unix_ms() : unix_now_ms(); }

ReleaseSwitch::Word ReleaseSwitch::word() const {
    const std::uint64_t packed = word_.load(std::memory_order_acquire);
    return {packed >> 32, static_cast<std::uint32_t>(packed & 0xffffffffU) >> 1, (packed & 1) != 0};
}

ReleaseSwitch::Shard& ReleaseSwitch::shard_of(std::string_view key) {
    return shards_[std::hash<std::string_view>{}(key) % kShards];
}

Lease ReleaseSwitch::route(std::string_view key) {
    const std::uint32_t bucket = bucket_of(names_.system, key);
    Lease lease;
    lease.key_ = key;
    lease.switch_ = this;
    {
        Shard& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        const Word now = word();
        InFlight& under_way = shard.keys[lease.key_];
        if (under_way.count == 0) {
            under_way.release = bucket < now.answered() ? Release::canary : Release::stable;
            under_way.generation = now.generation;
        } else if (under_way.release == Release::canary && under_way.generation != now.generation) {
            under_way.release = Release::stable; // withdrawn meanwhile
        }
        ++under_way.count;
        lease.release_ = under_way.release;
        lease.generation_ = now.generation;
        lease.shadowed_ = now.shadow && bucket < now.buckets && lease.release_ == Release::stable;
        ++in_flight_[index_of(lease.release_)];
    }
    if (lease.release_ == Release::canary) canary_last_ms_ = unix_ms();
    return lease;
}

void ReleaseSwitch::leave(const std::string& key, Release release) {
    Shard& shard = shard_of(key);
    {
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.keys.find(key);
        if (--found->second.count == 0) shard.keys.erase(found);
    }
    --in_flight_[index_of(release)];
}

void ReleaseSwitch::count(Release release, Duration took, std::uint64_t bytes, std::uint64_t cost_us) {
    windows_[index_of(release)].finished(clocks_.now(), took, bytes, cost_us);
    probe_.finished[index_of(release)].add();
    probe_.seconds[index_of(release)].observe(std::chrono::duration<double>(took).count());
}

void ReleaseSwitch::count_failed(Release release) {
    windows_[index_of(release)].failed(clocks_.now());
    probe_.failed[index_of(release)].add();
}

void ReleaseSwitch::shadow_finished(Duration took, std::uint64_t bytes, std::uint64_t cost_us) {
    shadow_.finished(clocks_.now(), took, bytes, cost_us);
}

void ReleaseSwitch::shadow_failed() { shadow_.failed(clocks_.now()); }

// --- what decides the weight

std::uint32_t ReleaseSwitch::wanted_buckets() const {
    if (names_.canary.empty() || order_.kill_switch || !forced_.empty() || pin_ == Pin::stable) return 0;
    return pin_ == Pin::canary ? kBuckets : buckets_of(order_.canary_percent);
}

void ReleaseSwitch::change(const std::function<void()>& what) {
    std::vector<std::shared_ptr<const std::function<void()>>> to_tell;
    {
        const std::lock_guard lock(mutex_);
        what();
        const Word before = word();
        Word after{before.generation, wanted_buckets(), order_.shadow && pin_ == Pin::none};
        const bool withdrawn = before.answered() > 0 && after.answered() == 0;
        if (withdrawn) ++after.generation;
        word_.store((after.generation << 32) | (static_cast<std::uint64_t>(after.buckets) << 1) |
                        (after.shadow ? 1 : 0),
                    std::memory_order_release);
        probe_.ratio.set(static_cast<double>(after.answered()) / kBuckets);
        if (!withdrawn) return;
        std::erase_if(listeners_, [](const auto& listener) { return listener.expired(); });
        for (const auto& listener : listeners_) {
            if (auto live = listener.lock()) to_tell.push_back(std::move(live));
        }
    }
    // Whoever read the word before this has counted itself as under way after this.
    for (auto& shard : shards_)
        const std::lock_guard lock(shard.mutex);
    for (const auto& tell : to_tell)
        (*tell)();
}

void ReleaseSwitch::obey(const Order& order) {
    if (order.new_window) {
        const auto now = clocks_.now();
        for (auto& window : windows_)
            window.reset(now, *order.new_window);
        shadow_.reset(now, *order.new_window);
    }
    change([&] {
        order_ = order;
        if (order.new_window) forced_.clear();
    });
}

void ReleaseSwitch::force_stable(std::string reason) {
    change([&] { forced_ = reason.empty() ? "stable was forced" : std::move(reason); });
}

std::shared_ptr<const std::function<void()>> ReleaseSwitch::on_withdrawn(std::function<void()> replay) {
    auto listener = std::make_shared<const std::function<void()>>(std::move(replay));
    const std::lock_guard lock(mutex_);
    std::erase_if(listeners_, [](const auto& other) { return other.expired(); });
    listeners_.push_back(listener);
    return listener;
}

void ReleaseSwitch::check_stable_with(std::function<std::string()> why_not_ready) {
    const std::lock_guard lock(mutex_);
    why_not_ready_ = std::move(why_not_ready);
}

// --- what is told of it

double ReleaseSwitch::canary_percent() const {
    return static_cast<double>(word().answered()) * 100 / kBuckets;
}

bool ReleaseSwitch::on_trial() const {
    if (word().answered() == 0) return false;
    const std::lock_guard lock(mutex_);
    return !order_.promoted;
}

std::string ReleaseSwitch::forced() const {
    const std::lock_guard lock(mutex_);
    return forced_;
}

std::string ReleaseSwitch::unsettled() const {
    if (word().answered() > 0) return "the canary has weight";
    if (const auto left = in_flight_[kCanary].load(); left > 0)
        return std::to_string(left) + " requests of the canary are under way";
    std::function<std::string()> why_not_ready;
    {
        const std::lock_guard lock(mutex_);
        why_not_ready = why_not_ready_;
    }
    return why_not_ready ? why_not_ready() : std::string();
}

ramp::SystemReport ReleaseSwitch::report() const {
    ramp::SystemReport report;
    // A pinned system has no canary that a ramp could shift traffic to.
    report.stable = name_of(pin_ == Pin::canary ? Release::canary : Release::stable);
    report.canary = pin_ == Pin::none ? names_.canary : std::string();
    report.canary_percent = canary_percent();
    const auto now = clocks_.now();
    for (std::size_t i = 0; i < windows_.size(); ++i) {
        report.total[i] = windows_[i].total();
        report.recent[i] = windows_[i].recent(now);
    }
    report.shadow = shadow_.total();
    report.canary_in_flight = canary_in_flight();
    report.canary_last_ms = canary_last_ms_;
    report.forced = forced();
    report.unsettled = unsettled();
    return report;
}

} // namespace dwcp::release
