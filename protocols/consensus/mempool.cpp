#include "protocols/consensus/mempool.hpp"

#include "protocols/crypto/hash.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace {

constexpr std::size_t kIdBytesMax = 64;
constexpr std::size_t kSubmitterBytesMax = 63;
/// Of the view timeout: how long a command may be let wait while later ones, or any, are ordered.
constexpr int kOvertakenAfter = 2;
constexpr int kForgottenAfter = 8;
constexpr int kTellAllAgainAfter = 2;

} // namespace

CommandKey key_of(const Command& command) { return {command.id, command.sequence}; }

Result<void> check_transaction(const Transaction& transaction) {
    const auto& command = transaction.command;
    if (command.id.empty() || command.id.size() > kIdBytesMax)
        return fail(Errc::invalid_argument, "a command's id has 1 to 64 characters",
                    "shorten or hash the client's id");
    if (command.payload.empty()) return fail(Errc::invalid_argument, "a command has no payload");
    if (command.payload.size() > kCommandBytes)
        return fail(Errc::too_large, "a command's payload is over its limit of 32 KiB",
                    "store the content as an object and order its manifest");
    if (transaction.submitter.empty() || transaction.submitter.size() > kSubmitterBytesMax)
        return fail(Errc::invalid_argument, "a command's submitter is not a node's name");
    return {};
}

Mempool::Mempool(std::size_t commands_max, std::size_t bytes_max, Duration view_timeout)
    : commands_max_(commands_max), bytes_max_(bytes_max), view_timeout_(view_timeout) {}

Mempool::Added Mempool::add(Transaction transaction, Origin origin, TimePoint now) {
    auto key = key_of(transaction.command);
    if (const auto known = by_key_.find(key); known != by_key_.end()) {
        const auto at = entries_.find(known->second);
        if (at->second.transaction.command.payload != transaction.command.payload) return Added::differs;
        if (origin < at->second.origin) {
            unwatch(at);
            watch(at, origin, now);
        }
        return Added::known;
    }
    if (recent_.contains(key)) return Added::ordered;
    const auto bytes = transaction.bytes();
    if (entries_.size() >= commands_max_ || bytes_ + bytes > bytes_max_) return Added::full;
    const auto arrival = next_++;
    by_key_.emplace(std::move(key), arrival);
    const auto at = entries_.emplace(arrival, Entry{}).first;
    at->second = {.transaction = std::move(transaction), .bytes = bytes, .came = now};
    bytes_ += bytes;
    ready_.insert(arrival);
    ready_bytes_ += bytes;
    watch(at, origin, now);
    return Added::fresh;
}

void Mempool::watch(Entries::iterator at, Origin origin, TimePoint now) {
    auto& [arrival, entry] = *at;
    entry.origin = origin;
    entry.since = now;
    if (origin == Origin::passed_on) {
        entry.due = now + kUnwatchedFor;
        unwatched_.emplace(entry.due, arrival);
        return;
    }
    watched_.emplace(entry.since, arrival);
    if (origin != Origin::here) return;
    entry.due = now + view_timeout_;
    slow_.emplace(entry.due, arrival);
    unsent_.insert(arrival);
}

void Mempool::unwatch(Entries::iterator at) {
    const auto& [arrival, entry] = *at;
    unwatched_.erase({entry.due, arrival});
    watched_.erase({entry.since, arrival});
    slow_.erase({entry.due, arrival});
    unsent_.erase(arrival);
}

void Mempool::erase(Entries::iterator at) {
    unwatch(at);
    if (ready_.erase(at->first) > 0) ready_bytes_ -= at->second.bytes;
    bytes_ -= at->second.bytes;
    by_key_.erase(key_of(at->second.transaction.command));
    entries_.erase(at);
}

const Mempool::Ordered* Mempool::ordered(const CommandKey& key) const {
    const auto at = recent_.find(key);
    return at == recent_.end() ? nullptr : &at->second;
}

void Mempool::remember(const Transaction& transaction, Height height, std::uint32_t position) {
    auto key = key_of(transaction.command);
    const Ordered ordered{height, position, crypto::sha256(transaction.command.payload)};
    if (!recent_.emplace(key, ordered).second) return; // the first place counts
    recent_order_.push_back(std::move(key));
    if (recent_order_.size() <= kRecentMax) return;
    recent_.erase(recent_order_.front());
    recent_order_.pop_front();
}

void Mempool::decided(const Block& block) {
    for (std::uint32_t position = 0; position < block.transactions.size(); ++position) {
        const auto& transaction = block.transactions[position];
        anything_ordered_ = true;
        remember(transaction, block.height, position);
        const auto known = by_key_.find(key_of(transaction.command));
        if (known == by_key_.end()) continue;
        const auto at = entries_.find(known->second);
        latest_ordered_ = std::max(latest_ordered_.value_or(at->second.came), at->second.came);
        erase(at);
    }
}

std::vector<CommandKey> Mempool::drop_if(const std::function<bool(const Transaction&)>& unwanted) {
    std::vector<CommandKey> gone;
    for (auto at = entries_.begin(); at != entries_.end();) {
        const auto here = at++;
        if (!unwanted(here->second.transaction)) continue;
        gone.push_back(key_of(here->second.transaction.command));
        erase(here);
    }
    return gone;
}

void Mempool::abandon(const CommandKey& key, TimePoint now) {
    const auto known = by_key_.find(key);
    if (known == by_key_.end()) return;
    const auto at = entries_.find(known->second);
    unwatch(at);
    watch(at, Origin::passed_on, now);
}

std::optional<TimePoint> Mempool::ready_since() const {
    if (ready_.empty()) return std::nullopt;
    return entries_.at(*ready_.begin()).came;
}

std::vector<Transaction> Mempool::take(std::size_t bytes_max, std::size_t commands_max) {
    std::vector<Transaction> taken;
    std::size_t bytes = 0;
    while (!ready_.empty() && taken.size() < commands_max) {
        auto& entry = entries_.at(*ready_.begin());
        if (!taken.empty() && bytes + entry.bytes > bytes_max) break;
        bytes += entry.bytes;
        ready_bytes_ -= entry.bytes;
        entry.taken = true;
        taken.push_back(entry.transaction);
        ready_.erase(ready_.begin());
        if (taken.back().command.id.starts_with(kReconfigureId)) break;
    }
    return taken;
}

void Mempool::begin_view(TimePoint now) {
    watched_.clear();
    unsent_.clear();
    for (auto& [arrival, entry] : entries_) {
        if (entry.taken) {
            entry.taken = false;
            ready_.insert(arrival);
            ready_bytes_ += entry.bytes;
        }
        if (entry.origin == Origin::passed_on) continue;
        entry.since = now;
        watched_.emplace(now, arrival);
        if (entry.origin == Origin::here) unsent_.insert(arrival);
    }
    latest_ordered_.reset();
    anything_ordered_ = false;
}

std::vector<Transaction> Mempool::take_unsent(std::size_t bytes_max) {
    std::vector<Transaction> taken;
    std::size_t bytes = 0;
    while (!unsent_.empty()) {
        const auto& entry = entries_.at(*unsent_.begin());
        if (!taken.empty() && bytes + entry.bytes > bytes_max) break;
        bytes += entry.bytes;
        taken.push_back(entry.transaction);
        unsent_.erase(unsent_.begin());
    }
    return taken;
}

std::vector<Transaction> Mempool::take_slow(std::size_t bytes_max, TimePoint now) {
    std::vector<Transaction> taken;
    std::size_t bytes = 0;
    while (!slow_.empty() && slow_.begin()->first <= now) {
        const auto arrival = slow_.begin()->second;
        auto& entry = entries_.at(arrival);
        if (!taken.empty() && bytes + entry.bytes > bytes_max) break;
        bytes += entry.bytes;
        taken.push_back(entry.transaction);
        slow_.erase(slow_.begin());
        entry.due = now + kTellAllAgainAfter * view_timeout_;
        slow_.emplace(entry.due, arrival);
    }
    return taken;
}

std::optional<TimePoint> Mempool::slow_at() const {
    if (slow_.empty()) return std::nullopt;
    return slow_.begin()->first;
}

std::optional<TimePoint> Mempool::watched_since() const {
    if (watched_.empty()) return std::nullopt;
    return watched_.begin()->first;
}

std::optional<TimePoint> Mempool::overtaken_at() const {
    if (watched_.empty()) return std::nullopt;
    const auto& [since, arrival] = *watched_.begin();
    if (latest_ordered_ && *latest_ordered_ >= entries_.at(arrival).came + view_timeout_)
        return since + kOvertakenAfter * view_timeout_;
    if (anything_ordered_) return since + kForgottenAfter * view_timeout_;
    return std::nullopt;
}

bool Mempool::overtaken(TimePoint now) const {
    const auto at = overtaken_at();
    return at && now >= *at;
}

void Mempool::expire(TimePoint now) {
    while (!unwatched_.empty() && unwatched_.begin()->first <= now)
        erase(entries_.find(unwatched_.begin()->second));
}

std::optional<TimePoint> Mempool::expires_at() const {
    if (unwatched_.empty()) return std::nullopt;
    return unwatched_.begin()->first;
}

} // namespace dwcp::consensus
