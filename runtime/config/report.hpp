// What is wrong with one configuration file, gathered while it is read and checked. Lives for one load.
#pragma once

#include "runtime/config/config.hpp"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dwcp::config {

class Report {
  public:
    explicit Report(std::string origin) : origin_(std::move(origin)) {}

    /// Remembers the line where a key with an acceptable value stands.
    void found_at(const std::string& path, std::uint32_t line) { lines_[path] = line; }

    /// "ORIGIN:LINE: PATH: TEXT". Line 0: the file as a whole.
    void problem(std::uint32_t line, const std::string& path, const std::string& text);

    /// A value that contradicts another one. It is placed where it stands or, if it is a default, where the
    /// other stands.
    void contradiction(const std::string& path, const std::string& found, const std::string& allowed,
                       const std::string& other_path);

    /// True if none of these keys has been reported: only then does comparing them make sense.
    bool good(std::initializer_list<std::string> paths) const;

    bool empty() const { return problems_.empty(); }
    /// Everything reported, in the order of the file.
    Problems take();

  private:
    std::uint32_t line_of(const std::string& path) const;

    std::string origin_;
    std::map<std::string, std::uint32_t> lines_;
    std::set<std::string> reported_;
    std::vector<std::pair<std::uint32_t, std::string>> problems_;
};

/// Checks that concern more than one key; each reports what it finds.
void cross_check(const NodeConfig& config, Report& report);

/// "peers[2].name": how a key of the third [[peers]] entry is called in messages.
std::string peer_path(std::size_t index, std::string_view name);

} // namespace dwcp::config
