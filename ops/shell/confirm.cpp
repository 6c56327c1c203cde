#include "ops/shell/confirm.hpp"

#include "ops/shell/units.hpp"

#include <fmt/format.h>

namespace dwcp::shell {

Outcome<void> confirm(Terminal& terminal, const std::string& verb, const std::string& target,
                      const Asked& asked) {
    if (asked.yes || asked.dry_run) return {};
    if (!terminal.in_is_terminal)
        return give_up(Exit::usage,
                       fmt::format("'{}' asks for a confirmation and there is no terminal", verb),
                       "add --yes if you mean it");
    const auto typed = terminal.ask(fmt::format("Type {} to confirm '{}': ", printable(target), verb));
    if (typed != target) return give_up(Exit::failed, "not confirmed, nothing was done");
    return {};
}

Outcome<void> require_reason(Terminal& terminal, const std::string& verb, Asked& asked) {
    if (!asked.reason.empty() || asked.dry_run) return {};
    if (terminal.in_is_terminal) asked.reason = terminal.ask("Reason, for the audit log: ").value_or("");
    if (asked.reason.empty())
        return give_up(Exit::usage, fmt::format("'{}' needs a reason", verb), "add --reason TEXT");
    return {};
}

} // namespace dwcp::shell
