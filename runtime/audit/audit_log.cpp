#include "runtime/audit/audit_log.hpp"

#include "runtime/base/events.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::audit {
namespace {

using nlohmann::json;
using store::Family;

constexpr std::string_view kRecords = "audit/record/";
constexpr std::string_view kOpen = "audit/open/"; ///< Begun and not ended, by number.
constexpr std::string_view kHead = "audit/head";

std::string key(std::string_view prefix, std::uint64_t n) { return fmt::format("{}{:016x}", prefix, n); }

struct Probe {
    metrics::Counter failures =
        metrics::counter("dwcp_audit_write_failures_total",
                         "Audit records that could not be written; their verbs did not run.");
    metrics::Counter left_out = metrics::counter(
        "dwcp_audit_refusals_left_out_total", "Refused attempts that came too fast to be kept one by one.");
    metrics::Gauge size = metrics::gauge("dwcp_audit_size_bytes", "Size of the audit log, which only grows.");

    static void count(const std::string& kind) {
        metrics::counter("dwcp_audit_records_total", "Audit records written, by kind.", {{"kind", kind}})
            .add();
    }
};

const Probe& probe() {
    static const Probe instance;
    return instance;
}

/// Large ones are kept as their beginning.
json bounded(json value) {
    const auto text = canonical(value);
    if (text.size() <= kPartBytesMax) return value;
    return {{"cut", text.substr(0, kPartBytesMax)}, {"bytes", text.size()}};
}

json outcome_of(const Result<json>& result) {
    if (result) return {{"outcome", "done"}, {"answer", bounded(without_secrets(*result))}};
    return {
        {"outcome", "failed"}, {"code", to_string(result.error().code)}, {"message", result.error().message}};
}

} // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::open(store::Store& store, std::string node) {
    probe(); // its series are there from the start, at 0
    std::unique_ptr<AuditLog> log(new AuditLog(store, std::move(node)));
    if (auto loaded = log->load(); !loaded) return std::unexpected(loaded.error());
    std::vector<std::uint64_t> begun;
    auto scanned = store.scan(Family::state, kOpen, kOpen, [&](std::string_view name, ByteView) {
        begun.push_back(std::stoull(std::string(name.substr(kOpen.size())), nullptr, 16));
        return true;
    });
    if (!scanned) return std::unexpected(scanned.error());
    for (const auto n : begun) {
        store::Batch batch;
        batch.erase(Family::state, key(kOpen, n));
        const json unknown{{"outcome", "unknown"},
                           {"message", "the node ended before the result was recorded"}};
        auto ended = log->append({{"kind", "end"}, {"of", n}, {"result", unknown}}, std::move(batch), false);
        if (!ended) return std::unexpected(ended.error());
    }
    return log;
}

Result<void> AuditLog::load() {
    const auto stored = store_.get(Family::state, kHead);
    if (!stored) return std::unexpected(stored.error());
    if (!*stored) return {};
    const auto kept = json::parse(as_text(**stored), nullptr, false);
    const auto head = kept.is_object() ? parse_head(kept.value("head", "")) : std::nullopt;
    if (!head)
        return fail(Errc::corrupted, "the audit log's head in the store is unreadable",
                    "restore this node from a backup");
    head_ = *head;
    size_bytes_ = kept.value("size_bytes", std::uint64_t{0});
    probe().size.set(static_cast<double>(size_bytes_));
    return {};
}

json AuditLog::describe(const Attempt& attempt, const char* kind) const {
    return {{"kind", kind},
            {"by",
             {{"name", attempt.by.name},
              {"role", to_string(attempt.by.role)},
              {"how", attempt.by.how},
              {"peer", attempt.peer}}},
            {"claims", attempt.claims},
            {"verb", attempt.verb},
            {"args", bounded(without_secrets(attempt.args))},
            {"reason", attempt.reason},
            {"dry_run", attempt.dry_run}};
}

Result<std::uint64_t> AuditLog::begin(const Attempt& attempt) {
    return append(describe(attempt, "begin"), {}, true);
}

void AuditLog::end(std::uint64_t begun, const Result<json>& result) {
    store::Batch batch;
    batch.erase(Family::state, key(kOpen, begun));
    const auto ended =
        append({{"kind", "end"}, {"of", begun}, {"result", outcome_of(result)}}, std::move(batch), false);
    if (!ended) log::error("audit_result_lost", {{"of", begun}, {"problem", ended.error().message}});
}

void AuditLog::refused(const Attempt& attempt, const Error& why, TimePoint now) {
    std::uint64_t left_out = 0;
    {
        const std::lock_guard lock(refusals_mutex_);
        if (!may_keep_refusal(now)) {
            ++left_out_;
            probe().left_out.add();
            return;
        }
        left_out = std::exchange(left_out_, 0);
    }
    auto record = describe(attempt, "refused");
    record["result"] = {{"outcome", "refused"}, {"code", to_string(why.code)}, {"message", why.message}};
    if (left_out > 0) record["left_out_before"] = left_out;
    if (auto kept = append(std::move(record), {}, false); !kept)
        log::error("audit_refusal_lost", {{"problem", kept.error().message}});
}

bool AuditLog::may_keep_refusal(TimePoint now) {
    if (!refilled_at_) refilled_at_ = now;
    const auto earned = std::max<std::int64_t>(0, (now - *refilled_at_) / kRefusalEvery);
    *refilled_at_ += earned * kRefusalEvery;
    refusals_left_ =
        static_cast<std::uint32_t>(std::min<std::int64_t>(kRefusalBurst, refusals_left_ + earned));
    if (refusals_left_ == 0) return false;
    --refusals_left_;
    return true;
}

Result<std::uint64_t> AuditLog::append(json record, store::Batch batch, bool leaves_open) {
    const std::string kind = record["kind"];
    const std::string verb = record.value("verb", "");
    const std::lock_guard lock(mutex_);
    Head next{head_.n + 1, {}};
    record["n"] = next.n;
    record["time_ms"] = unix_now_ms();
    record["node"] = node_;
    const auto text = canonical(record);
    next.hash = link(head_.hash, text);
    const auto size_bytes = size_bytes_ + text.size() + next.hash.bytes.size();
    batch.put(Family::state, key(kRecords, next.n), pack(next.hash, text));
    batch.put(Family::state, kHead, to_bytes(json{{"head", next.text()}, {"size_bytes", size_bytes}}.dump()));
    if (leaves_open) batch.put(Family::state, key(kOpen, next.n), {});
    if (auto written = store_.write(batch, store::Sync::yes); !written) {
        probe().failures.add();
        return fail(written.error().code, "the audit record could not be written: " + written.error().message,
                    written.error().remedy);
    }
    head_ = next;
    size_bytes_ = size_bytes;
    probe().size.set(static_cast<double>(size_bytes));
    Probe::count(kind);
    // Where the log goes, the head goes: what is cut from the store is missed there.
    log::info("audit_record", {{"head", next.text()}, {"kind", kind}, {"verb", verb}});
    return next.n;
}

Result<std::vector<json>> AuditLog::since(std::uint64_t after, std::size_t limit) const {
    std::vector<json> records;
    const auto scanned = store_.scan(
        Family::state, kRecords, key(kRecords, after + 1), [&](std::string_view, ByteView stored) {
            if (records.size() == limit) return false;
            const auto record = unpack(stored);
            auto parsed = record ? json::parse(record->text, nullptr, false) : json();
            if (!parsed.is_object()) parsed = {{"kind", "unreadable"}};
            if (record) parsed["hash"] = record->hash.hex();
            records.push_back(std::move(parsed));
            return true;
        });
    // A damaged record is skipped here, so that the others can be read; verify() names it.
    if (!scanned && scanned.error().code != Errc::corrupted) return std::unexpected(scanned.error());
    return records;
}

Result<std::vector<json>> AuditLog::latest(std::size_t limit) const {
    const auto last = head().n;
    return since(last > limit ? last - limit : 0, limit);
}

Verdict AuditLog::verify(const std::optional<Head>& noted) const {
    const Head end = head(); // what is added meanwhile is for the next time
    Verdict verdict;
    const auto broken = [&](std::string problem) {
        verdict.broken_at = verdict.head.n + 1;
        verdict.problem = std::move(problem);
        return false;
    };
    if (noted && noted->n > end.n)
        return {
            end, end.n + 1,
            fmt::format("record {} was noted, but the log ends at {}: its end was cut off", noted->n, end.n)};
    const auto scanned =
        store_.scan(Family::state, kRecords, kRecords, [&](std::string_view name, ByteView stored) {
            const auto n = verdict.head.n + 1;
            if (n > end.n) return false;
            if (name != key(kRecords, n)) return broken(fmt::format("record {} is missing", n));
            const auto record = unpack(stored);
            if (!record || link(verdict.head.hash, record->text) != record->hash)
                return broken(fmt::format("record {} is not what was written", n));
            verdict.head = {n, record->hash};
            if (noted && noted->n == n && *noted != verdict.head)
                return broken(
                    fmt::format("record {} is another than the one noted: the log was rewritten", n));
            return true;
        });
    if (!verdict.ok()) return verdict;
    if (!scanned && verdict.head.n < end.n)
        broken(fmt::format("record {} is damaged: {}", verdict.head.n + 1, scanned.error().message));
    else if (verdict.head.n < end.n)
        broken(fmt::format("the records from {} to {} are missing", verdict.head.n + 1, end.n));
    else if (verdict.head != end)
        broken(fmt::format("record {} is another than the last one written", end.n));
    return verdict;
}

Head AuditLog::head() const {
    const std::lock_guard lock(mutex_);
    return head_;
}

std::uint64_t AuditLog::size_bytes() const {
    const std::lock_guard lock(mutex_);
    return size_bytes_;
}

} // namespace dwcp::audit
