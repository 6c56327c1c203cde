// The course of ops/run: collect, start three sites, ship while things go wrong, read back, play the rollout
// plan under live traffic, judge, clean up.
#pragma once

#include "protocols/base/result.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace dwcp::runner {

struct RunOptions {
    std::optional<std::filesystem::path> directory; ///< Nothing: a mix that every Debian machine has.
    std::filesystem::path repository;
    std::string day = "5s";            ///< Of the rollout plan.
    std::optional<std::string> inject; ///< One of kInjections (rollout.hpp).
    bool keep = false;
    std::optional<std::filesystem::path> json;
};

/// Whether every check held; an error if the run could not be done, Errc::cancelled if it was interrupted.
/// Leaves no process and no file behind, but with `keep` the cluster, and after a failure the logs.
Result<bool> run(const RunOptions& options);

} // namespace dwcp::runner
