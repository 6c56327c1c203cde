// What the supervisor is asked. It lives at "supervisor".
#pragma once

#include <string>

namespace dwcp::supervisor {

struct ActorCommandDone {
    std::string outcome; ///< A sentence for the operator.
};

/// Kill: ends the actor as a crash would. Restart: ends it in an orderly way; both bring it back by its
/// restart policy. Quarantine: ends it in an orderly way and keeps it down, whatever else asks for it, until
/// resume or the node's restart: nothing of it is kept on disk. Resume: starts one that is quarantined or was
/// given up.
struct ActorCommand {
    using Reply = ActorCommandDone;
    enum class Verb { kill, restart, quarantine, resume };
    Verb verb = Verb::kill;
    std::string path;
    std::string who;      ///< For the event.
    std::string reason;   ///< Of a quarantine; shown while it lasts.
    bool dry_run = false; ///< Say what would be done.
};

} // namespace dwcp::supervisor
