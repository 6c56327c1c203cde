// What was typed in earlier sessions: a text file with a line a command, readable by its owner alone.
//
// Life cycle: load() once at the shell's start, remember() after each command. Lines are appended, so shells
// that run side by side lose nothing of each other. Nobody is bothered when the file cannot be used: the
// shell works without.
#pragma once

#include "ops/shell/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace dwcp::shell {

class History {
  public:
    /// More than anybody searches through.
    static constexpr std::size_t kLinesMax = 1000;
    static constexpr std::size_t kLineBytesMax = 4096;

    /// Empty: nothing is kept.
    explicit History(std::string file);

    /// Oldest first. Cuts the file to the newest kLinesMax lines if it has grown to twice as many, and takes
    /// others' rights to it away.
    std::vector<std::string> load();
    /// False: the line was not kept.
    bool remember(std::string_view line);

  private:
    const std::string file_;
};

/// $DWCP_HISTORY (empty: none), else $XDG_STATE_HOME/dwcp/history, else ~/.local/state/dwcp/history.
std::string history_file(const Environment& environment);

/// Whether a line may be kept: not if it starts with a blank, the custom of shells for what is not to be
/// remembered, and not if it seems to hold a secret (a token, password, key).
bool may_be_remembered(std::string_view line);

} // namespace dwcp::shell
