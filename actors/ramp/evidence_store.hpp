// What the verdicts of a phase rest on, kept by the node that hosted the ramp then: the observation that was
// judged, the verdicts, the events since the phase began, the configuration in force, and the phase's
// observations one a line, as `ramp replay` reads them.
//
// Kept in Family::state under "ramp-evidence/<seq>", where the sequence number is that of the record that the
// evidence belongs to; the last kEvidenceKept, older ones go. Calls block on the disk. Thread-safe.
#pragma once

#include "protocols/ramp/ramp.hpp"
#include "runtime/base/events.hpp"
#include "runtime/store/store.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace dwcp::ramp {

/// Two ramps of the whole plan; a bundle has some megabytes at the most (kLogBytesMax).
inline constexpr std::size_t kEvidenceKept = 64;

/// The phase that the evidence is of.
struct PhaseRecord {
    UnixMillis since_ms = 0;
    std::string plan_toml;
    std::uint64_t day_ms = 0;
    std::string gate;
    std::vector<std::string> observations; ///< Lines of JSON (runtime/release/observation_json.hpp).
};

class EvidenceStore {
  public:
    struct Sources {
        store::Store& store;
        EventRing& events;
        std::function<nlohmann::json()> configuration; ///< In force, without secrets.
        NodeName self;
    };
    explicit EvidenceStore(Sources sources) : sources_(std::move(sources)) {}

    /// Again with the same number: the last one counts.
    Result<void> keep(const KeepEvidence& evidence, const PhaseRecord& about);
    /// nullopt: this node has none of that number.
    Result<std::optional<std::string>> find(std::uint64_t seq) const;
    Result<std::vector<std::uint64_t>> list() const;

  private:
    Result<void> read_numbers() const;

    const Sources sources_;
    mutable std::mutex mutex_;
    mutable std::optional<std::set<std::uint64_t>> numbers_; ///< Of the bundles that are kept.
};

} // namespace dwcp::ramp
