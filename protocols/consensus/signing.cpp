#include "protocols/consensus/layout.hpp"
#include "protocols/consensus/verifier.hpp"
#include "protocols/crypto/memo.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace {

class KeySigner : public Signer {
  public:
    explicit KeySigner(std::shared_ptr<const crypto::SigningKey> key) : key_(std::move(key)) {}
    crypto::Signature sign(ByteView message) const override { return key_->sign(message); }
    crypto::VrfResult vrf_prove(ByteView alpha) const override { return crypto::vrf_prove(*key_, alpha); }

  private:
    std::shared_ptr<const crypto::SigningKey> key_;
};

class MemoChecker : public Checker {
  public:
    explicit MemoChecker(crypto::SignatureMemo& memo) : memo_(memo) {}
    bool verify(const PublicKey& key, ByteView message, const crypto::Signature& signature) override {
        return memo_.verify(key, message, signature);
    }
    std::optional<crypto::VrfOutput> verify_vrf(const PublicKey& key, ByteView alpha,
                                                const crypto::VrfProof& proof) override {
        return memo_.verify_vrf(key, alpha, proof);
    }

  private:
    crypto::SignatureMemo& memo_;
};

/// ceil(l * sqrt(n)), l in thousandths, in integers: the smallest q with (1000 q)^2 >= l^2 n.
std::size_t times_root(std::uint64_t l_permille, std::size_t n) {
    const auto wanted = l_permille * l_permille * n;
    std::uint64_t q = 0;
    while (q * q * 1'000'000 < wanted)
        ++q;
    return q;
}

} // namespace

std::unique_ptr<Signer> make_signer(std::shared_ptr<const crypto::SigningKey> key) {
    return std::make_unique<KeySigner>(std::move(key));
}

std::unique_ptr<Checker> make_checker(crypto::SignatureMemo& memo) {
    return std::make_unique<MemoChecker>(memo);
}

Bytes vrf_alpha(const Domain& domain, const Statement& vote) {
    Layout layout("dwcp.consensus.sample.1");
    layout.text(domain.cluster).text(domain.lane).hash(domain.genesis);
    layout.number(vote.epoch).number(vote.slot).number(vote.view);
    layout.number(static_cast<std::uint8_t>(vote.kind)).number(vote.signer);
    return std::move(layout).take();
}

SampleSizes sample_sizes(const Committee& committee) {
    const auto n = committee.n();
    const auto quorum =
        std::min(times_root(committee.samples.l_permille, n), committee.deterministic_quorum());
    const auto sample = (std::uint64_t{committee.samples.o_permille} * quorum + 999) / 1000;
    return {.quorum = quorum, .sample = std::min<std::size_t>(sample, n)};
}

} // namespace dwcp::consensus
