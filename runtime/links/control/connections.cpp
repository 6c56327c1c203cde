#include "runtime/links/control/connections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sys/socket.h>

namespace dwcp::links {
namespace {

bool same(const Bytes& node, ByteView other) { return !node.empty() && std::ranges::equal(node, other); }

constexpr const char* kShareRemedy = "see what connects from there; a node needs one connection";

} // namespace

// ---- rates

double SourceRates::tokens_at(const Bucket& bucket, TimePoint now) const {
    const double gained = std::chrono::duration<double>(now - bucket.at).count() * per_second_;
    return std::min(burst_, bucket.tokens + std::max(0.0, gained));
}

bool SourceRates::admit(const std::string& source, TimePoint now) {
    static const std::string kAllOthers;
    auto found = buckets_.find(source);
    if (found == buckets_.end()) {
        if (buckets_.size() >= kSourcesMax) forget_idle(now);
        const bool full = buckets_.size() >= kSourcesMax;
        found = buckets_.try_emplace(full ? kAllOthers : source, Bucket{burst_, now}).first;
    }
    Bucket& bucket = found->second;
    bucket = {tokens_at(bucket, now), now};
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
}

void SourceRates::forget_idle(TimePoint now) {
    std::erase_if(buckets_, [&](const auto& entry) { return tokens_at(entry.second, now) >= burst_; });
}

// ---- connections

Connections::Connections(const Limits& limits, std::shared_ptr<Refusals> refusals)
    : limits_(limits), refusals_(std::move(refusals)),
      waiting_gauge_(metrics::gauge("dwcp_control_waiting_connections",
                                    "Accepted control connections that have not proven to be a peer's.")),
      rates_(limits.per_source_per_s, limits.per_source_burst) {}

std::expected<Connections::Id, Refused> Connections::accepted(int fd, const std::string& source, bool tls,
                                                              TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (!rates_.admit(source, now)) {
        refusals_->note(
            Refused::rate_limited, source,
            {Errc::resource_exhausted,
             fmt::format("{} connects more than {} times a second", source, limits_.per_source_per_s),
             kShareRemedy},
            now);
        return std::unexpected(Refused::rate_limited);
    }
    make_room(source, now);
    Entry& entry = entries_[++last_];
    entry.fd = fd;
    entry.accepted = true;
    entry.stage = tls ? Stage::handshake : Stage::greeting;
    entry.source = source;
    entry.stage_since = entry.heard_at = now;
    return last_;
}

/// Ends the oldest that waits, of this source or of all, if the next one would be too many.
void Connections::make_room(const std::string& source, TimePoint now) {
    std::size_t all = 0;
    std::size_t of_source = 0;
    Entry* oldest = nullptr; // ids grow with time
    Entry* oldest_of_source = nullptr;
    for (auto& [id, entry] : entries_) {
        if (!entry.is_waiting()) continue;
        ++all;
        if (oldest == nullptr) oldest = &entry;
        if (entry.source != source) continue;
        ++of_source;
        if (oldest_of_source == nullptr) oldest_of_source = &entry;
    }
    const auto give_way = [&](Entry& entry) {
        end(entry, Refused::too_many,
            {Errc::resource_exhausted,
             fmt::format("{} connections, {} of them from {}, wait to be authenticated", all, of_source,
                         source),
             kShareRemedy},
            now);
    };
    if (of_source >= limits_.waiting_per_source_max)
        give_way(*oldest_of_source);
    else if (all >= limits_.waiting_max)
        give_way(*oldest);
}

Connections::Id Connections::dialled(int fd, const std::string& address, const std::string& subject,
                                     UnixMillis valid_until_ms, TimePoint now) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[++last_];
    entry.fd = fd;
    entry.source = address;
    entry.subject = subject;
    entry.valid_until_ms = valid_until_ms;
    entry.stage_since = entry.heard_at = now;
    return last_;
}

void Connections::secured(Id id, const std::string& subject, UnixMillis valid_until_ms, TimePoint now) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    found->second.stage = Stage::greeting;
    found->second.subject = subject;
    found->second.valid_until_ms = valid_until_ms;
    found->second.stage_since = now;
}

Connections::Claim Connections::claim(Id id, ByteView node, TimePoint now) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return Claim::refused;
    Entry& mine = found->second;
    for (const auto& [other_id, other] : entries_) {
        if (other_id == id || other.ended || !same(other.node, node)) continue;
        if (other.subject != mine.subject) {
            end(mine, Refused::node_in_use,
                {Errc::permission_denied,
                 fmt::format("{} claims to be the process that {} is connected from", mine.name(),
                             other.name()),
                 "one of the two is not what it says; restart the honest one"},
                now);
            return Claim::refused;
        }
        // What has proven nothing must not keep the node out whose place it took.
        if (other.stage == Stage::peer && now - other.heard_at < limits_.silent_after) {
            return Claim::duplicate;
        }
    }
    mine.node.assign(node.begin(), node.end());
    return Claim::granted;
}

bool Connections::heard(Id id, TimePoint now) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return false;
    found->second.heard_at = now;
    return found->second.stage == Stage::peer;
}

void Connections::admit(ByteView node) {
    const std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) {
        if (same(entry.node, node)) entry.stage = Stage::peer;
    }
}

std::string Connections::subject_of(ByteView node) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) {
        if (!entry.ended && same(entry.node, node)) return entry.subject;
    }
    return {};
}

bool Connections::end(Entry& entry, Refused reason, const Error& error, TimePoint now, bool gently) {
    if (entry.ended) return false;
    entry.ended = true;
    refusals_->note(reason, entry.name(), error, now);
    ::shutdown(entry.fd, gently ? SHUT_WR : SHUT_RDWR);
    return true;
}

bool Connections::refuse(Id id, Refused reason, const Error& error, TimePoint now, bool gently) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    return found != entries_.end() && end(found->second, reason, error, now, gently);
}

void Connections::close(Id id) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.ended) return;
    found->second.ended = true;
    ::shutdown(found->second.fd, SHUT_RDWR);
}

void Connections::ended_by_caf(Id id, TimePoint now) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found != entries_.end() && found->second.is_waiting()) end_ungreeted(found->second, now);
}

void Connections::end_ungreeted(Entry& entry, TimePoint now) {
    const auto waited = std::chrono::duration_cast<milliseconds>(now - entry.stage_since).count();
    end(entry, Refused::no_greeting,
        {Errc::deadline_exceeded, fmt::format("{} has not greeted as a peer for {} ms", entry.name(), waited),
         "if it is a node, see its log for why"},
        now);
}

void Connections::forget(Id id) {
    const std::lock_guard lock(mutex_);
    entries_.erase(id);
}

void Connections::sweep(TimePoint now, UnixMillis wall_ms) {
    const std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) {
        if (entry.ended) continue;
        const Duration waited = now - entry.stage_since;
        if (entry.stage == Stage::handshake && waited > limits_.handshake_within) {
            end(entry, Refused::no_handshake,
                {Errc::deadline_exceeded,
                 fmt::format("{} has not completed TLS within {} ms", entry.source,
                             std::chrono::duration_cast<milliseconds>(limits_.handshake_within).count()),
                 "if it is a node, give it the same kind of [tls] section"},
                now);
        } else if (entry.stage == Stage::greeting && waited > limits_.greeting_within) {
            if (!entry.accepted) { // Our own attempt, which its link has given up long ago.
                entry.ended = true;
                ::shutdown(entry.fd, SHUT_RDWR);
                continue;
            }
            end_ungreeted(entry, now);
        } else if (entry.valid_until_ms != 0 && wall_ms >= entry.valid_until_ms) {
            end(entry, Refused::certificate_expired,
                {Errc::unauthenticated, fmt::format("the certificate of {} has expired", entry.name()),
                 "make a new one with ops/certs on that node; it connects again by itself"},
                now);
        }
    }
    waiting_gauge_.set(static_cast<double>(count_waiting()));
}

std::size_t Connections::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

std::size_t Connections::waiting() const {
    const std::lock_guard lock(mutex_);
    return count_waiting();
}

std::size_t Connections::count_waiting() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(entries_, [](const auto& entry) { return entry.second.is_waiting(); }));
}

} // namespace dwcp::links
