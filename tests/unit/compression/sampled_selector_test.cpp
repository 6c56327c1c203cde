#include "actors/compression/sampled_selector.hpp"
#include "protocols/base/random.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::compression;
using namespace std::chrono_literals;

namespace {

Bytes text_of(std::size_t size) {
    Random random(3);
    Bytes text;
    while (text.size() < size) {
        const std::string word = "word" + std::to_string(random.below(200)) + " ";
        text.insert(text.end(), word.begin(), word.end());
    }
    text.resize(size);
    return text;
}

BlockFeatures of_size(std::uint32_t bytes, bool text = false) {
    BlockFeatures features;
    features.bytes = bytes;
    features.entropy_bits = 5;
    features.repeat_share = 0.3;
    features.text = text;
    return features;
}

Selection tried(const Bytes& block) {
    StreamHistory fresh;
    return select_sampled(block, measure(block), 100, {}, fresh);
}

} // namespace

TEST_CASE("a block of which a sample would be most is left to the rules") {
    StreamHistory fresh;
    for (const std::size_t bytes : {5'000U, 100'000U}) {
        const auto block = text_of(bytes);
        CHECK(tried(block).reason == select(measure(block), 100, fresh).reason);
    }
    CHECK(tried(text_of(kTrialBytesMin)).reason == "trial");
}

TEST_CASE("what is tiny or compressed already is not tried") {
    const Bytes tiny(100, 'a');
    CHECK(tried(tiny).reason == "tiny");
    Bytes noise(200'000);
    Random random(1);
    for (auto& byte : noise)
        byte = static_cast<Byte>(random.below(256));
    CHECK(tried(noise).reason == "incompressible");
}

TEST_CASE("the codec with the least time to encode and send is taken") {
    const std::vector<Trial> trials{
        {{Codec::lz4, 0}, 0.6}, {{Codec::zstd, 3}, 0.4}, {{Codec::zstd, 9}, 0.35}};
    const auto features = of_size(1U << 20);
    CHECK(choose(features, 2000, trials, {}).codec == CodecChoice{Codec::none, 0});
    CHECK(choose(features, 1400, trials, {}).codec == CodecChoice{Codec::lz4, 0});
    CHECK(choose(features, 100, trials, {}).codec == CodecChoice{Codec::zstd, 3});
    CHECK(choose(features, 1, trials, {}).codec == CodecChoice{Codec::zstd, 9});
}

TEST_CASE("measured rates move the choice") {
    const std::vector<Trial> trials{{{Codec::lz4, 0}, 0.6}, {{Codec::zstd, 3}, 0.4}};
    const auto features = of_size(1U << 20);
    EncodeRates slow_machine;
    slow_machine.record({Codec::zstd, 3}, 1U << 20, 100ms);
    CHECK(choose(features, 300, trials, {}).codec == CodecChoice{Codec::zstd, 3});
    CHECK(choose(features, 300, trials, slow_machine).codec == CodecChoice{Codec::lz4, 0});
}

TEST_CASE("nothing is tried whose encoding takes longer than sending the block as it is") {
    CHECK(worth_trying(of_size(1U << 20), 10'000, {}).empty());
    CHECK(worth_trying(of_size(1U << 20), 1000, {}).size() == 3);
    CHECK(worth_trying(of_size(1U << 20, true), 10, {}).size() == 6);
}

TEST_CASE("the same block, link and rates give the same choice") {
    const auto block = text_of(300'000);
    const auto once = tried(block);
    CHECK(once.reason == "trial");
    CHECK(once.codec.codec != Codec::none);
    for (int i = 0; i < 5; ++i)
        CHECK(tried(block).codec == once.codec);
}
