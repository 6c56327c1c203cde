#include "protocols/crypto/memo.hpp"

#include "protocols/crypto/hash.hpp"
#include "protocols/crypto/recent_table.hpp"

#include <atomic>

namespace dwcp::crypto {
namespace {

// The first byte of what is digested; everything of a kind up to the message has a fixed length.
constexpr Byte kSignatureKind[] = {1};
constexpr Byte kProofKind[] = {2};

} // namespace

struct SignatureMemo::State {
    State(Mode chosen, Limits limits)
        : mode(chosen), signatures(chosen == Mode::shared ? limits.signatures : 0),
          proofs(chosen == Mode::shared ? limits.proofs : 0) {}

    void count(bool good) { (good ? verified : rejected).fetch_add(1, std::memory_order_relaxed); }

    const Mode mode;
    RecentTable<0> signatures;
    RecentTable<sizeof(VrfOutput)> proofs;
    std::atomic<std::uint64_t> hits{0};
    std::atomic<std::uint64_t> verified{0};
    std::atomic<std::uint64_t> rejected{0};
};

SignatureMemo::SignatureMemo(Mode mode) : SignatureMemo(mode, Limits{}) {}
SignatureMemo::SignatureMemo(Mode mode, Limits limits) : state_(std::make_unique<State>(mode, limits)) {
    initialise();
}
SignatureMemo::~SignatureMemo() = default;

bool SignatureMemo::verify(const PublicKey& key, ByteView message, const Signature& signature) {
    State& state = *state_;
    if (state.mode == Mode::independent) {
        const bool good = crypto::verify(key, message, signature);
        state.count(good);
        return good;
    }
    const Hash256 digest = sha256({kSignatureKind, key.view(), signature, message});
    if (state.signatures.find(digest)) {
        state.hits.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    const bool good = crypto::verify(key, message, signature);
    state.count(good);
    if (good) state.signatures.remember(digest, {});
    return good;
}

std::optional<VrfOutput> SignatureMemo::verify_vrf(const PublicKey& key, ByteView alpha,
                                                   const VrfProof& proof) {
    State& state = *state_;
    if (state.mode == Mode::independent) {
        const auto output = vrf_verify(key, alpha, proof);
        state.count(output.has_value());
        return output;
    }
    const Hash256 digest = sha256({kProofKind, key.view(), proof, alpha});
    if (const auto known = state.proofs.find(digest)) {
        state.hits.fetch_add(1, std::memory_order_relaxed);
        return known;
    }
    const auto output = vrf_verify(key, alpha, proof);
    state.count(output.has_value());
    if (output) state.proofs.remember(digest, *output);
    return output;
}

SignatureMemo::Mode SignatureMemo::mode() const { return state_->mode; }

SignatureMemo::Counters SignatureMemo::counters() const {
    return {.hits = state_->hits.load(std::memory_order_relaxed),
            .verified = state_->verified.load(std::memory_order_relaxed),
            .rejected = state_->rejected.load(std::memory_order_relaxed)};
}

std::size_t SignatureMemo::remembered() const { return state_->signatures.size() + state_->proofs.size(); }

std::size_t SignatureMemo::capacity() const {
    return state_->mode == Mode::shared ? state_->signatures.capacity() + state_->proofs.capacity() : 0;
}

} // namespace dwcp::crypto
