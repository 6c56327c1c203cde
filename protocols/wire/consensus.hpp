// Consensus messages, blocks, certificates and committees as Cap'n Proto (schema/consensus.capnp), between
// replicas and on disk.
//
// encode() cannot fail. decode_*() checks every count and length against its limit before it copies, never
// throws, and returns what owns its memory: Errc::too_large or Errc::invalid_argument for messages,
// Errc::corrupted for records.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/consensus/message.hpp"

namespace dwcp::wire {

/// The largest message: a full block with its certificate and envelope, or a new view of 100 replicas with a
/// full window.
inline constexpr std::size_t kConsensusMessageBytes = 4U << 20;
inline constexpr std::size_t kCommandIdBytesMax = 64;
/// Votes in a new view, each counted where it is shown: 40 MiB of memory, though each is sent but once.
/// Enough for a full window of 50 replicas (34 x 34 x 128) or half a window of 100.
inline constexpr std::size_t kNewViewVotesMax = 1U << 18;
/// Certificates for different things in a new view: a slot was prepared in a few views at most, and view
/// changes rest on a few checkpoints.
inline constexpr std::size_t kNewViewCertificatesMax = 8 * consensus::kWindow;
/// Decided blocks in one answer: an empty one with its certificate takes at least a few kilobytes.
inline constexpr std::size_t kBlocksMax = 1024;
/// A part of a snapshot: small pairs that fill a message.
inline constexpr std::size_t kSnapshotPairsMax = 16'384;
inline constexpr std::size_t kStateKeyBytesMax = 1024;
/// Many times what a command can bring; leaves room for the rest of a part.
inline constexpr std::size_t kStateValueBytesMax = 1U << 20;

Bytes encode(const consensus::Message& message);
Result<consensus::Message> decode_consensus_message(ByteView bytes);

Bytes encode(const consensus::Block& block);
Result<consensus::Block> decode_block(ByteView bytes);
Bytes encode(const consensus::DecidedBlock& decided);
Result<consensus::DecidedBlock> decode_decided_block(ByteView bytes);
Bytes encode(const consensus::Certificate& certificate);
Result<consensus::Certificate> decode_certificate(ByteView bytes);
Bytes encode(const consensus::Committee& committee);
Result<consensus::Committee> decode_committee(ByteView bytes);
Bytes encode(const consensus::Evidence& evidence);
Result<consensus::Evidence> decode_evidence(ByteView bytes);
Bytes encode(const consensus::Reconfigure& change);
Result<consensus::Reconfigure> decode_reconfigure(ByteView bytes);
/// A signed view change and new view as an engine keeps them.
Bytes encode(const consensus::ViewChange& change);
Result<consensus::ViewChange> decode_view_change(ByteView bytes);
Bytes encode(const consensus::NewView& new_view);
Result<consensus::NewView> decode_new_view(ByteView bytes);

} // namespace dwcp::wire
