// Asking any actor whether it is at work, past what waits in its mailbox.
#pragma once

#include "protocols/base/clock.hpp"

#include <caf/all.hpp>

#include <string>

namespace dwcp::actor {

/// CAF answers this question through the actor's mailbox, whatever its handlers are. It goes past a full
/// mailbox and overtakes what waits there: the answer comes with CAF's next round, which the message under
/// way and two more may precede.
inline auto ask_next(caf::scoped_actor& self, const caf::actor& actor, Duration limit) {
    // With a limit of std::chrono CAF 0.17 drops the priority; only its own duration keeps it.
    return self->request<caf::message_priority::high>(actor, caf::duration{limit}, caf::sys_atom_v,
                                                      caf::get_atom_v, "info");
}

} // namespace dwcp::actor
