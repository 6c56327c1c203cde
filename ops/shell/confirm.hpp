// Before something is done that is hard to undo: whoever is at the terminal types the target's name.
#pragma once

#include "ops/shell/output.hpp"

#include <string>

namespace dwcp::shell {

struct Asked {
    bool yes = false;     ///< --yes: do not ask.
    bool dry_run = false; ///< Nothing will be done.
    std::string reason;
};

/// "Type site-b to drain it: ". Failures: usage where nobody can be asked, failed if something else was
/// typed.
Outcome<void> confirm(Terminal& terminal, const std::string& verb, const std::string& target,
                      const Asked& asked);

/// Asks for a reason that was not given. Failures: usage where nobody can be asked or nothing was typed.
Outcome<void> require_reason(Terminal& terminal, const std::string& verb, Asked& asked);

} // namespace dwcp::shell
