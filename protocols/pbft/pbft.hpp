// PBFT with signatures (Castro and Liskov, "Practical Byzantine Fault Tolerance", OSDI 1999, and "Practical
// Byzantine Fault Tolerance and Proactive Recovery", TOCS 20(4), 2002): the engine that the others are
// measured against, and their fall-back.
//
// Phases of a slot in a view (OSDI section 4.2), n replicas, quorum n - f:
//   propose   the leader signs the block; that is its prepare as well
//   prepare   everybody else, once for a slot and view; the proposal and quorum - 1 of them: prepared
//   commit    everybody who prepared; a quorum: decided
// so a decision costs (n - 1) + (n - 1)^2 + n (n - 1) = 2n (n - 1) messages. Several slots are under way at
// once, within kWindow above the stable checkpoint.
//
// View change (OSDI section 4.4): who suspects a leader votes no more in its view and says what it has
// prepared; the next leader proposes again what a quorum's certificates demand, and everybody computes the
// same from them. Where TOCS lets replicas agree on digests that they lack the content of, these here vote
// only for what they hold, so that what is decided can be had.
//
// A replica that is behind f + 1 others does not take that for its leader's fault: it is given what it lacks
// by them, and a view change of its own would only silence it.
//
// What is remembered on disk: memory.hpp. Life cycle and promises of the owner: consensus/engine.hpp.
#pragma once

#include "protocols/consensus/engine.hpp"

namespace dwcp::pbft {

/// Errc::invalid_argument: options that cannot be. Errc::corrupted: memory that cannot be.
Result<std::unique_ptr<consensus::Engine>> make_pbft(consensus::EngineOptions options,
                                                     const consensus::EngineMemory& memory);

} // namespace dwcp::pbft
