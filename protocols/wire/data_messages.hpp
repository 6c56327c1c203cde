// The headers of the data plane's frames as plain structs, and their Cap'n Proto encoding.
//
// encode() cannot fail. decode() checks everything a peer could get wrong (lengths, codec numbers, text
// sizes) and never throws; what it returns owns its memory.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/crypto/ed25519.hpp"
#include "protocols/wire/block.hpp"
#include "protocols/wire/frame.hpp"

#include <span>
#include <string>
#include <vector>

namespace dwcp::wire {

using Nonce = std::array<Byte, 32>;

/// Bits of Hello::features. What an older node lacks is not asked of it. They are not part of what both
/// sides sign, since an older node would not sign the same: nothing that protects may depend on them.
inline constexpr std::uint32_t kFeatureEcho = 1;

struct Hello {
    std::string cluster_id;
    NodeName name;
    PublicKey public_key;
    Incarnation incarnation = 0;
    Nonce nonce{};
    std::uint32_t features = 0;
};

struct HelloAck {
    Hello hello;
    crypto::Signature signature{};
};

struct BlockHeader {
    Hash256 hash;
    CodecChoice codec;
    std::uint32_t raw_bytes = 0;
    WorkloadId workload;
};

Words encode_hello(const Hello& hello);
Words encode_hello_ack(const HelloAck& ack);
Words encode_proof(const crypto::Signature& signature);
/// For refuse and error frames. Texts are cut to kErrorTextBytesMax.
Words encode_failure(const Error& error);
Words encode_credit(std::uint32_t requests);
Words encode_block(const BlockHeader& header);
Words encode_sync(const WorkloadId& workload);
Words encode_fetch(const Hash256& hash);

using Header = std::span<const std::uint64_t>;

Result<Hello> decode_hello(Header header);
Result<HelloAck> decode_hello_ack(Header header);
Result<crypto::Signature> decode_proof(Header header);
Result<Error> decode_failure(Header header);
/// 1..kCreditGrantMax.
Result<std::uint32_t> decode_credit(Header header);
/// `payload_bytes`: of the same frame; with codec none it must equal the block's length.
Result<BlockHeader> decode_block(Header header, std::size_t payload_bytes);
Result<WorkloadId> decode_sync(Header header);
Result<Hash256> decode_fetch(Header header);

/// A list of hashes as the payload of sync and sync_ack.
Bytes encode_hashes(std::span<const Hash256> hashes);
Result<std::vector<Hash256>> decode_hashes(ByteView payload);

/// What both sides sign: everything said so far, with a domain and the signer's role, so that a signature
/// made here means nothing anywhere else and one side's cannot be played back as the other's.
enum class Role : std::uint8_t { dialler = 1, acceptor = 2 };
Bytes handshake_transcript(Role signer, const Hello& dialler, const Hello& acceptor);

} // namespace dwcp::wire
