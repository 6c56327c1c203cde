#include "actors/compression/codec.hpp"
#include "actors/compression/rule_selector.hpp"
#include "tests/unit/compression/sample_data.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::compression;
using testing::Kind;

namespace {

constexpr CodecChoice kNone{Codec::none, 0};
constexpr CodecChoice kZstd1{Codec::zstd, 1};

Bytes sample(Kind kind, std::size_t size = kBlockBytes) {
    Random random(test::seed());
    return make(kind, size, random);
}

Selection select_fresh(ByteView block, double link_mbps) {
    StreamHistory history;
    return select(measure(block), link_mbps, history);
}

Bytes with_start(std::string_view start, Bytes bytes) {
    std::copy(start.begin(), start.end(), bytes.begin());
    return bytes;
}

} // namespace

TEST_CASE("the slower the link, the harder the rules compress") {
    struct Row {
        double link_mbps;
        std::string_view text;
        std::string_view binary;
        std::string_view reason;
    };
    const Row rows[] = {
        {10'000, "none", "none", "fast link"},        {6'001, "none", "none", "fast link"},
        {6'000, "lz4", "lz4", "fast link"},           {1'501, "lz4", "lz4", "fast link"},
        {1'500, "zstd-1", "zstd-1", "quick link"},    {1'000, "zstd-1", "zstd-1", "quick link"},
        {300, "zstd-3", "zstd-3", "medium link"},     {51, "zstd-3", "zstd-3", "medium link"},
        {50, "zstd-6", "zstd-6", "slow link"},        {11, "zstd-6", "zstd-6", "slow link"},
        {10, "brotli-5", "zstd-9", "very slow link"},
    };
    const Bytes text = sample(Kind::text);
    const Bytes binary = sample(Kind::structured);
    for (const Row& row : rows) {
        CAPTURE(row.link_mbps);
        CHECK(to_string(select_fresh(text, row.link_mbps).codec) == row.text);
        const Selection selection = select_fresh(binary, row.link_mbps);
        CHECK(to_string(selection.codec) == row.binary);
        CHECK(selection.reason == row.reason);
    }
    CHECK(select_fresh(text, 1).reason == "text on very slow link");
    CHECK(select_fresh(text, 0).codec == kZstd1);
}

TEST_CASE("random bytes of any size are noticed and left alone on every link") {
    for (const std::size_t size : {512UL, 600UL, 4096UL, 5000UL, 65'536UL, std::size_t{kBlockBytes}}) {
        for (const double link_mbps : {1.0, 100.0, 2000.0, 20'000.0}) {
            CAPTURE(size, link_mbps);
            const Selection selection = select_fresh(sample(Kind::random, size), link_mbps);
            CHECK(selection.codec == kNone);
            CHECK(selection.reason == "incompressible");
        }
    }
}

TEST_CASE("entropy is not underestimated because the sample is small") {
    CHECK(measure(sample(Kind::random, 600)).entropy_bits > 7.75);
    CHECK(measure(sample(Kind::random)).entropy_bits > 7.95);
    CHECK(measure(sample(Kind::zeros)).entropy_bits == 0);
}

TEST_CASE("a tiny block is not worth a codec") {
    CHECK(select_fresh(sample(Kind::text, 511), 10).reason == "tiny");
    CHECK(select_fresh(sample(Kind::text, 511), 10).codec == kNone);
    CHECK(select_fresh(sample(Kind::text, 512), 10).codec != kNone);
}

TEST_CASE("high-entropy data that repeats is compressed") {
    const Bytes page = sample(Kind::random, 4096);
    Bytes pages;
    while (pages.size() < kBlockBytes)
        pages.insert(pages.end(), page.begin(), page.end());
    CHECK(measure(pages).entropy_bits > 7.0);
    CHECK(select_fresh(pages, 1000).codec == kZstd1);
}

TEST_CASE("a known compressed format is recognised by its first bytes") {
    struct Row {
        std::string_view start;
        std::string_view name;
    };
    using namespace std::string_view_literals;
    const Row rows[] = {
        {"\x1f\x8b\x08"sv, "gzip"},
        {"PK\x03\x04"sv, "zip"},
        {"\x89PNG\r\n\x1a\n"sv, "png"},
        {"\xff\xd8\xff\xe0"sv, "jpeg"},
        {"\xfd\x37zXZ\0"sv, "xz"},
        {"\x28\xb5\x2f\xfd"sv, "zstd"},
        {"BZh9"sv, "bzip2"},
        {"\0\0\0 ftypisom"sv, "mp4"},
        {"RIFF\1\2\3\4WEBP"sv, "webp"},
        {"\x7f"
         "ELF"sv,
         ""},
        {"%PDF-1.7"sv, ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const BlockFeatures features = measure(with_start(row.start, sample(Kind::random, 8192)));
        CHECK(features.magic == row.name);
        StreamHistory history;
        CHECK(select(features, 10, history).reason ==
              (row.name.empty() ? "incompressible" : "compressed format"));
    }
}

TEST_CASE("magic bytes before compressible content do not stop compression") {
    CHECK(select_fresh(with_start("PK\x03\x04", sample(Kind::text)), 1000).codec == kZstd1);
}

TEST_CASE("features of any input stay in their ranges") {
    Random random(test::seed());
    CAPTURE(test::seed());
    for (int round = 0; round < 2000; ++round) {
        const Kind kind = testing::kKinds[random.below(testing::kKinds.size())];
        const Bytes bytes = make(kind, random.below(10'000), random);
        const BlockFeatures features = measure(bytes);
        REQUIRE(features.bytes == bytes.size());
        REQUIRE((features.entropy_bits >= 0 && features.entropy_bits <= 8));
        REQUIRE((features.repeat_share >= 0 && features.repeat_share <= 1));
        StreamHistory history;
        REQUIRE(is_known(select(features, static_cast<double>(random.below(20'000)), history).codec));
    }
}

TEST_CASE("a stream that keeps compressing poorly is skipped and tried again once in sixteen blocks") {
    const BlockFeatures text = measure(sample(Kind::text));
    StreamHistory history;
    int tried = 0;
    while (select(text, 1000, history).codec != kNone) {
        history.record(1000, 1000);
        REQUIRE(++tried < 10);
    }
    CHECK(tried == 5);

    int probes = 0;
    for (std::uint32_t block = 1; block < 4 * kReprobeEvery; ++block) {
        const Selection selection = select(text, 1000, history);
        if (selection.codec == kNone) {
            CHECK(selection.reason == "poor stream");
            continue;
        }
        ++probes;
        history.record(1000, 990);
    }
    CHECK(probes == 4 - 1 + 1);
}

TEST_CASE("one good probe brings a poor stream back") {
    const BlockFeatures text = measure(sample(Kind::text));
    StreamHistory history;
    for (int block = 0; block < 20; ++block)
        history.record(1000, 1000);
    std::uint32_t skipped = 0;
    while (select(text, 1000, history).codec == kNone)
        REQUIRE(++skipped < kReprobeEvery);
    history.record(1000, 400);
    for (int block = 0; block < 3; ++block)
        CHECK(select(text, 1000, history).codec == kZstd1);
}

TEST_CASE("a stream of which every second block compresses well is never skipped") {
    const BlockFeatures text = measure(sample(Kind::text));
    StreamHistory history;
    for (int block = 0; block < 100; ++block) {
        REQUIRE(select(text, 1000, history).codec == kZstd1);
        history.record(1000, block % 2 == 0 ? 1000 : 400);
    }
}
