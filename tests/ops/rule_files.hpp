// What Prometheus' rule files say, as far as the tests look at it. Not a YAML parser: it reads the plain form
// that ops/prometheus keeps to, a key a line, and a file that it cannot read yields nothing, which the tests
// notice.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::ops_files {

struct Alert {
    std::string name;
    std::string severity;
    std::string summary;
    std::string description;
    std::string runbook_url;
};

std::string content_of(const std::filesystem::path& file);

std::vector<Alert> alerts_in(std::string_view text);

/// Metrics of ours that a rule file or dashboard names: words that begin with dwcp_ or process_, but for
/// comments, names of groups, and recorded series (dwcp:...). _bucket, _sum and _count stay.
std::set<std::string> metrics_named_in(std::string_view text);

/// Metrics that an exposition has samples of, _bucket, _sum and _count included.
std::set<std::string> metrics_exposed_in(std::string_view exposition);

} // namespace dwcp::ops_files
