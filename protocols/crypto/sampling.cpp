#include "protocols/crypto/sampling.hpp"

#include "protocols/crypto/sha512.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace dwcp::crypto {
namespace {

class Stream {
  public:
    explicit Stream(ByteView seed) : seed_(seed) {}

    /// Uniform in [0, bound), 0 < bound <= kSampledFromMax. Each attempt succeeds with more than a half.
    std::size_t below(std::size_t bound) {
        const std::size_t unbiased = kSampledFromMax - kSampledFromMax % bound;
        std::size_t drawn = next();
        while (drawn >= unbiased)
            drawn = next();
        return drawn % bound;
    }

  private:
    std::size_t next() {
        if (at_ == block_.size()) refill();
        const std::size_t high = block_[at_++];
        const std::size_t low = block_[at_++];
        return high << 8 | low;
    }

    void refill() {
        std::array<Byte, 8> counter;
        for (std::size_t i = 0; i < counter.size(); ++i)
            counter[i] = static_cast<Byte>(counter_ >> (56 - 8 * i));
        ++counter_;
        block_ = sha512({seed_, counter});
        at_ = 0;
    }

    ByteView seed_;
    std::uint64_t counter_ = 0;
    Hash512 block_{};
    std::size_t at_ = sizeof(Hash512); // nothing left
};

} // namespace

std::vector<std::uint16_t> expand_sample(ByteView seed, std::size_t n, std::size_t s) {
    if (n > kSampledFromMax) return {};
    std::vector<std::uint16_t> members(n);
    std::iota(members.begin(), members.end(), std::uint16_t{0});
    if (s >= n) return members;
    Stream stream(seed);
    for (std::size_t i = 0; i < s; ++i)
        std::swap(members[i], members[i + stream.below(n - i)]);
    members.resize(s);
    std::sort(members.begin(), members.end());
    return members;
}

} // namespace dwcp::crypto
