// ProBFT (Avelas, Heydari, Alchieri, Distler, Bessani; PODC 2024, arXiv 2405.04606v3) as a consensus engine:
// PBFT's three steps, but a replica sends its PREPARE and its COMMIT only to a sample of the others that a
// verifiable random function drew, and a quorum is only l * sqrt(n) of them: (n - 1) + 2 n s messages a slot.
//
// The paper decides one value. Ours: slots, pipelining, a window above the stable checkpoint, restarts,
// fetching of contents, all as in the sibling engine pbft. In particular
//   - a draw binds the slot (consensus::vrf_alpha), so nobody knows a sample before its votes are out;
//   - samples and quorums are clamped, q = min(ceil(l sqrt n), Qd) and s = min(ceil(o q), n): at n = 7 that
//   is
//     q = 5, s = 7, which is deterministically safe. Elsewhere bound.hpp says how safe, and make_probft()
//     refuses what is not safe enough;
//   - the value that a leader signed travels in every vote, so two values of one leader meet. Whoever sees
//     them blocks the view: votes and decides no more in it, shows both to all, and wants the next view. With
//     small quorums this is what agreement rests on under a lying leader, not an optimisation;
//   - the view synchroniser is that of Bravo, Chockler and Gotsman (DISC 2020): WISH, f + 1 are amplified,
//     quorum() enter;
//   - NEWLEADER is a consensus::ViewChange of the certificates that the sender itself collected; the new
//     leader waits for the deterministic quorum of them (safe_proposal.hpp);
//   - a replica may miss a quorum that others had. It learns the decision as anybody who is behind does: the
//     owner fetches decided blocks. Members only send it their votes again if it is in the samples.
//
// Life cycle and who calls it: protocols/consensus/engine.hpp.
#pragma once

#include "protocols/consensus/engine.hpp"

namespace dwcp::probft {

/// Errc::invalid_argument: no member, no signer. Errc::precondition_failed: parameters that bound.hpp finds
/// unsafe or dead. Errc::corrupted: a memory that no life of this engine wrote.
Result<std::unique_ptr<consensus::Engine>> make_probft(consensus::EngineOptions options,
                                                       const consensus::EngineMemory& memory);

} // namespace dwcp::probft
