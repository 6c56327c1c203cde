// What this process has verified already. Replicas of several lanes in one process meet the same votes and
// certificates again and again; each signature and each proof is verified once and its success remembered.
//
// Life cycle: one for a process, made before its verifiers and outliving them; call it from any thread, it
// never blocks. Whether an answer comes from memory shows in the counters and in the time alone, never in
// the answer, so decision cores stay deterministic.
//
// Only successes are remembered, by SHA-256 over the kind, the key, the signature or proof, and the message:
// one bit off in any of them is another digest, which is verified. Failures are not remembered; a flood of
// them costs their verification and displaces nothing. Mode::independent remembers nothing: for measurements
// that say so, in which each replica verifies as if it were alone.
//
// Bounded: a table of `remembered_max` successes each for signatures and proofs, allocated at once (2.6 MiB
// and 1.6 MiB with the defaults), in buckets of eight of which the oldest yields. An adversary with valid
// signatures of its own can displace others, which costs the next asker one verification.
#pragma once

#include "protocols/crypto/ed25519.hpp"
#include "protocols/crypto/vrf.hpp"

#include <cstdint>
#include <memory>
#include <optional>

namespace dwcp::crypto {

/// Successes of signatures that are kept. A vote is asked for again within the few slots that are under way:
/// with seven replicas, three phases and sixteen slots that is below 400 a lane; this leaves room for a
/// hundred lanes or for committees of a hundred.
inline constexpr std::size_t kRememberedSignaturesMax = 1U << 16;
/// The same of VRF proofs, of which only ProBFT makes use, two a replica and slot.
inline constexpr std::size_t kRememberedProofsMax = 1U << 14;

class SignatureMemo {
  public:
    enum class Mode {
        shared,     ///< Remember.
        independent ///< Verify every time.
    };

    struct Limits {
        std::size_t signatures = kRememberedSignaturesMax; ///< Rounded up to a power of two, at least eight.
        std::size_t proofs = kRememberedProofsMax;         ///< The same.
    };

    /// Since the start. hits + verified + rejected is the number of calls.
    struct Counters {
        std::uint64_t hits = 0;     ///< Answered from memory.
        std::uint64_t verified = 0; ///< Computed, and good.
        std::uint64_t rejected = 0; ///< Computed, and bad.

        bool operator==(const Counters&) const = default;
    };

    explicit SignatureMemo(Mode mode = Mode::shared);
    SignatureMemo(Mode mode, Limits limits);
    ~SignatureMemo();
    SignatureMemo(const SignatureMemo&) = delete;
    SignatureMemo& operator=(const SignatureMemo&) = delete;

    bool verify(const PublicKey& key, ByteView message, const Signature& signature);
    std::optional<VrfOutput> verify_vrf(const PublicKey& key, ByteView alpha, const VrfProof& proof);

    Mode mode() const;
    Counters counters() const;
    /// Successes held now, signatures and proofs; never above capacity(). For tests and metrics: it walks the
    /// tables.
    std::size_t remembered() const;
    std::size_t capacity() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace dwcp::crypto
