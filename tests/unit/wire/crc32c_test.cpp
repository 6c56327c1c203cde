#include "protocols/base/random.hpp"
#include "protocols/wire/crc32c.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <numeric>

using namespace dwcp;

namespace {

void check_both(ByteView data, std::uint32_t expected) {
    CHECK(wire::crc32c(data) == expected);
    CHECK(wire::crc32c_portable(data) == expected);
}

} // namespace

TEST_CASE("crc32c gives the values of RFC 3720 appendix B.4") {
    Bytes counting(32);
    std::iota(counting.begin(), counting.end(), Byte{0});
    check_both(Bytes(32, 0x00), 0x8a9136aaU);
    check_both(Bytes(32, 0xff), 0x62a8ab43U);
    check_both(counting, 0x46dd794eU);
    check_both(Bytes(counting.rbegin(), counting.rend()), 0x113fdb5cU);
    const Bytes scsi_read = {0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                             0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
                             0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
                             0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    check_both(scsi_read, 0xd9963a56U);
    check_both(as_bytes("123456789"), 0xe3069283U);
    check_both({}, 0);
}

TEST_CASE("crc32c with the processor's instruction equals the portable one at every length and alignment") {
    Random random(test::seed());
    Bytes data(20000);
    for (Byte& byte : data)
        byte = static_cast<Byte>(random.next());
    for (std::size_t length = 0; length < 900; ++length) {
        const ByteView part = ByteView(data).subspan(length % 16, length);
        REQUIRE(wire::crc32c(part) == wire::crc32c_portable(part));
    }
    for (int round = 0; round < 200; ++round) {
        const std::size_t from = random.below(64);
        const ByteView part = ByteView(data).subspan(from, random.below(data.size() - from));
        const auto seed = static_cast<std::uint32_t>(random.next());
        REQUIRE(wire::crc32c(part, seed) == wire::crc32c_portable(part, seed));
    }
}

TEST_CASE("crc32c over pieces equals crc32c over the whole") {
    Random random(test::seed());
    Bytes data(10000);
    for (Byte& byte : data)
        byte = static_cast<Byte>(random.next());
    const std::uint32_t whole = wire::crc32c(data);
    for (int round = 0; round < 50; ++round) {
        const std::size_t cut = random.below(data.size());
        CHECK(wire::crc32c(ByteView(data).subspan(cut), wire::crc32c(ByteView(data).first(cut))) == whole);
    }
}
