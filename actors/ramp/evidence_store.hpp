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
#include <optional>
#include <string>
#include <vector>

namespace dwcp::ramp {

/// Two ramps of the whole plan, and some megabytes at the most.
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

    Result<void> keep(const KeepEvidence& evidence, const PhaseRecord& about);
    /// nullopt: this node has none of that number.
    Result<std::optional<std::string>> find(std::uint64_t seq) const;
    Result<std::vector<std::uint64_t>> list() const;

  private:
    const Sources sources_;
};

} // namespace dwcp::ramp
