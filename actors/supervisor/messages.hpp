// What the supervisor is asked. It lives at "supervisor".
#pragma once

#include <string>

namespace dwcp::supervisor {

struct ActorCommandDone {
    std::string outcome; ///< A sentence for the operator.
};

/// Kill: ends the actor as a crash would. Restart: ends it in an orderly way; both bring it back by its
/// restart policy.
struct ActorCommand {
    using Reply = ActorCommandDone;
    enum class Verb { kill, restart };
    Verb verb = Verb::kill;
    std::string path;
    std::string who; ///< For the event.
};

} // namespace dwcp::supervisor
