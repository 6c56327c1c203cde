// A bounded table of recent facts under 256-bit digests, shared by threads without a lock: the memory of
// SignatureMemo (memo.hpp), which alone uses it.
//
// Buckets of eight slots, picked by the digest's first bits; the oldest of a bucket yields. Each slot is a
// sequence lock (Boehm, "Can seqlocks get along with programming language memory models?", 2012): odd while
// written, and whoever reads it meanwhile, or sees it change, takes it for a miss. A writer that meets
// another in its slot gives up. Both only forget, which a memory of repeatable work may.
#pragma once

#include "protocols/base/ids.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <optional>
#include <vector>

namespace dwcp::crypto {

/// ValueBytes: what is kept beside each digest, a multiple of eight.
template<std::size_t ValueBytes>
class RecentTable {
  public:
    using Value = std::array<Byte, ValueBytes>;

    /// `capacity` is rounded up to a power of two and at least one bucket.
    explicit RecentTable(std::size_t capacity) : buckets_(std::bit_ceil(std::max(capacity, kWays)) / kWays) {}

    std::optional<Value> find(const Hash256& digest) const {
        const Words wanted = words_of(digest);
        for (const Slot& slot : bucket(wanted).slots) {
            if (slot.words[0].load(std::memory_order_relaxed) != wanted[0])
                continue; // cheap, and only a hint
            if (const auto words = read(slot); words && same_digest(*words, wanted)) return value_of(*words);
        }
        return std::nullopt;
    }

    void remember(const Hash256& digest, const Value& value) {
        if (find(digest)) return; // another thread was faster
        Words words = words_of(digest);
        if constexpr (ValueBytes > 0) std::memcpy(words.data() + kDigestWords, value.data(), value.size());
        Bucket& home = bucket(words);
        write(home.slots[home.next.fetch_add(1, std::memory_order_relaxed) % kWays], words);
    }

    /// Facts held now.
    std::size_t size() const {
        std::size_t held = 0;
        for (const Bucket& bucket : buckets_) {
            for (const Slot& slot : bucket.slots)
                held += slot.sequence.load(std::memory_order_relaxed) != 0 ? 1 : 0;
        }
        return held;
    }

    std::size_t capacity() const { return kWays * buckets_.size(); }

  private:
    static constexpr std::size_t kWays = 8;
    static constexpr std::size_t kDigestWords = sizeof(Hash256) / 8;
    static constexpr std::size_t kWords = kDigestWords + ValueBytes / 8;
    static_assert(ValueBytes % 8 == 0);

    using Words = std::array<std::uint64_t, kWords>;

    struct Slot {
        std::atomic<std::uint64_t> sequence{0}; ///< 0: never written; odd: being written.
        std::array<std::atomic<std::uint64_t>, kWords> words{};
    };
    struct Bucket {
        std::array<Slot, kWays> slots;
        std::atomic<std::uint64_t> next{0};
    };

    static Words words_of(const Hash256& digest) {
        Words words{};
        std::memcpy(words.data(), digest.bytes.data(), digest.bytes.size());
        return words;
    }

    static bool same_digest(const Words& a, const Words& b) {
        return std::equal(a.begin(), a.begin() + kDigestWords, b.begin());
    }

    static Value value_of(const Words& words) {
        Value value{};
        if constexpr (ValueBytes > 0) std::memcpy(value.data(), words.data() + kDigestWords, value.size());
        return value;
    }

    const Bucket& bucket(const Words& words) const { return buckets_[words[0] & (buckets_.size() - 1)]; }
    Bucket& bucket(const Words& words) { return buckets_[words[0] & (buckets_.size() - 1)]; }

    // Acquire on every word keeps the second look at the sequence after them, and pairs with the release with
    // which they are written: who sees a new word sees the odd sequence before it.
    static std::optional<Words> read(const Slot& slot) {
        const std::uint64_t before = slot.sequence.load(std::memory_order_acquire);
        if (before == 0 || before % 2 != 0) return std::nullopt;
        Words words;
        for (std::size_t i = 0; i < kWords; ++i)
            words[i] = slot.words[i].load(std::memory_order_acquire);
        if (slot.sequence.load(std::memory_order_relaxed) != before) return std::nullopt;
        return words;
    }

    static void write(Slot& slot, const Words& words) {
        std::uint64_t before = slot.sequence.load(std::memory_order_relaxed);
        if (before % 2 != 0 ||
            !slot.sequence.compare_exchange_strong(before, before + 1, std::memory_order_acq_rel))
            return;
        for (std::size_t i = 0; i < kWords; ++i)
            slot.words[i].store(words[i], std::memory_order_release);
        slot.sequence.store(before + 2, std::memory_order_release);
    }

    std::vector<Bucket> buckets_;
};

} // namespace dwcp::crypto
