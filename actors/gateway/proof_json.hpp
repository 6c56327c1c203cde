// A proof of the consensus (protocols/consensus/proof.hpp) as JSON: what a node hands out and `dwcp-shell
// verify` reads.
//
//   {"format": "dwcp-proof-1", "cluster": "lab", "lane": "control", "genesis": COMMITTEE,
//    "epochs": [{"block": BLOCK, "commit": CERTIFICATE}],
//    "header": {"height", "epoch", "time_ms", "proposer", "merkle_root", "count"},
//    "index": 0, "path": [HASH], "transaction": TRANSACTION, "commit": CERTIFICATE}
//   COMMITTEE:   {"epoch", "first", "engine", "l_permille", "o_permille", "members": [{"name", "key"}]}
//   BLOCK:       {"height", "epoch", "time_ms", "proposer", "transactions": [TRANSACTION]}
//   TRANSACTION: {"id", "sequence", "payload", "submitter"}
//   CERTIFICATE: {"kind": "commit", "engine", "epoch", "view", "slot", "digest", "recipient",
//                 "leader_signature", "votes": [{"replica", "signature", "proof"}]}
//
// Bytes are hexadecimal. `recipient`, `leader_signature` and `proof` are there where the engine is ProBFT.
// The reader trusts nothing: an unknown member, a wrong type, too many of anything is one error,
// Errc::invalid_argument or too_large, with its place. Pure; nothing throws.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/consensus/proof.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace dwcp::gateway {

/// A proof that leads through the ends of some epochs, each at most a full block in hexadecimal.
inline constexpr std::size_t kProofJsonBytesMax = 64U << 20;

nlohmann::json to_json(const consensus::Proof& proof);
/// `origin` is how problems call the text.
Result<consensus::Proof> parse_proof(std::string_view text, const std::string& origin);

} // namespace dwcp::gateway
