// What operators did to this node, and what they were refused: append-only, hash-chained, in the node's
// store.
//
// Before a verb that changes something runs, begin() makes its record durable; if that fails the verb does
// not run. end() adds a second record with the result. A begin without an end is of a node that died between
// the two: the next open() ends it with the result "unknown". Refused attempts are kept as well, but only so
// many a minute, so that a flood of them cannot fill the disk; how many were left out is said in the next one
// kept.
//
// The node never deletes a record: an operator's deeds are few and small (about 600 bytes), and size_bytes()
// is shown. Whoever owns the disk could cut the end off or write the whole chain anew. So the head, number
// and hash, is also in the log line of each record: verify() against a head that was noted elsewhere tells.
//
// Life cycle: one a node, opened after its store, destroyed before it. Thread-safe; calls block on the disk.
#pragma once

#include "runtime/audit/record.hpp"
#include "runtime/store/store.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace dwcp::audit {

/// Refusals kept at once, and one more each kRefusalEvery after that: at most 9 MiB a day of them.
inline constexpr std::uint32_t kRefusalBurst = 20;
inline constexpr Duration kRefusalEvery = std::chrono::seconds(6);
/// Of arguments and results: a record tells what was done, it does not keep payloads.
inline constexpr std::size_t kPartBytesMax = 4096;

struct Verdict {
    Head head;                   ///< Up to where the chain is whole.
    std::uint64_t broken_at = 0; ///< The first record that is not as it was written; 0: none.
    std::string problem;         ///< Empty: all is well.

    bool ok() const { return problem.empty(); }
};

class AuditLog {
  public:
    /// Ends what an earlier life began. Errors: the store's.
    static Result<std::unique_ptr<AuditLog>> open(store::Store& store, std::string node);

    /// Durable when it returns; gives the record's number, for end(). Errors: the store's.
    Result<std::uint64_t> begin(const Attempt& attempt);
    /// `result`: what the verb answered. It has happened, so a failure to write is logged, not returned.
    void end(std::uint64_t begun, const Result<nlohmann::json>& result);
    /// An attempt that was turned away: no role, no identity.
    void refused(const Attempt& attempt, const Error& why, TimePoint now);

    /// Records with a number > `after`, oldest first; each as its text says, and `hash`.
    Result<std::vector<nlohmann::json>> since(std::uint64_t after, std::size_t limit) const;
    Result<std::vector<nlohmann::json>> latest(std::size_t limit) const;
    /// Walks the whole chain. `noted`: a head of earlier, which must still be in it.
    Verdict verify(const std::optional<Head>& noted = {}) const;

    Head head() const;
    std::uint64_t size_bytes() const;

  private:
    AuditLog(store::Store& store, std::string node) : store_(store), node_(std::move(node)) {}
    Result<void> load();
    nlohmann::json describe(const Attempt& attempt, const char* kind) const;
    Result<std::uint64_t> append(nlohmann::json record, store::Batch batch, bool leaves_open);
    bool may_keep_refusal(TimePoint now);

    store::Store& store_;
    const std::string node_;

    mutable std::mutex mutex_; ///< One record after the other: each needs the hash of the one before.
    Head head_;
    std::uint64_t size_bytes_ = 0;

    std::mutex refusals_mutex_;
    std::uint32_t refusals_left_ = kRefusalBurst;
    std::optional<TimePoint> refilled_at_;
    std::uint64_t left_out_ = 0;
};

} // namespace dwcp::audit
