#include "actors/ramp/evidence_store.hpp"

#include "actors/ramp/ramp_json.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace dwcp::ramp {
namespace {

using nlohmann::json;
using store::Family;

constexpr std::string_view kPrefix = "ramp-evidence/";

std::string key_of(std::uint64_t seq) { return fmt::format("{}{:016x}", kPrefix, seq); }

json events_since(const EventRing& events, UnixMillis since_ms) {
    json list = json::array();
    for (const dwcp::Event& event : events.latest(kEventsKept)) {
        if (event.time_ms < since_ms) continue;
        list.push_back({{"time_ms", event.time_ms},
                        {"name", event.name},
                        {"subject", event.subject},
                        {"trace", event.trace},
                        {"fields", event.fields}});
    }
    return list;
}

} // namespace

Result<void> EvidenceStore::keep(const KeepEvidence& evidence, const PhaseRecord& about) {
    const json bundle{{"seq", evidence.seq},
                      {"phase", evidence.phase},
                      {"node", sources_.self},
                      {"since_ms", about.since_ms},
                      {"kept_ms", unix_now_ms()},
                      {"plan", about.plan_toml},
                      {"day_ms", about.day_ms},
                      {"gate", about.gate},
                      {"window_ms", evidence.evidence.window_ms},
                      {"systems", evidence.evidence.systems},
                      {"verdicts", to_json(evidence.verdicts)},
                      {"events", events_since(sources_.events, about.since_ms)},
                      {"configuration", sources_.configuration()}};
    // The observations are JSON already, and many: they are put in as they are.
    std::string text = bundle.dump(-1, ' ', false, json::error_handler_t::replace);
    text.back() = ',';
    text += fmt::format("\"observations\":[{}]}}", fmt::join(about.observations, ","));
    const std::lock_guard lock(mutex_);
    if (const auto read = read_numbers(); !read) return std::unexpected(read.error());
    store::Batch batch;
    batch.put(Family::state, key_of(evidence.seq), as_bytes(text));
    numbers_->insert(evidence.seq);
    while (numbers_->size() > kEvidenceKept)
        batch.erase(Family::state, key_of(numbers_->extract(numbers_->begin()).value()));
    auto written = sources_.store.write(batch, store::Sync::yes);
    if (!written) numbers_.reset(); // what is there now, the store knows
    return written;
}

Result<std::optional<std::string>> EvidenceStore::find(std::uint64_t seq) const {
    const auto value = sources_.store.get(Family::state, key_of(seq));
    if (!value) return std::unexpected(value.error());
    if (!*value) return std::nullopt;
    return std::string(as_text(**value));
}

Result<std::vector<std::uint64_t>> EvidenceStore::list() const {
    const std::lock_guard lock(mutex_);
    if (const auto read = read_numbers(); !read) return std::unexpected(read.error());
    return std::vector<std::uint64_t>(numbers_->begin(), numbers_->end());
}

/// Once a life: a scan reads the bundles as well, and they are large.
Result<void> EvidenceStore::read_numbers() const {
    if (numbers_) return {};
    std::set<std::uint64_t> found;
    const auto scanned =
        sources_.store.scan(Family::state, kPrefix, kPrefix, [&](std::string_view key, ByteView) {
            std::uint64_t seq = 0;
            std::from_chars(key.data() + kPrefix.size(), key.data() + key.size(), seq, 16);
            found.insert(seq);
            return true;
        });
    if (!scanned) return std::unexpected(scanned.error());
    numbers_ = std::move(found);
    return {};
}

} // namespace dwcp::ramp
