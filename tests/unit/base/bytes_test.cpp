#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <unordered_set>

namespace dwcp {

TEST_CASE("hexadecimal survives the way there and back for every byte") {
    Bytes all;
    for (int b = 0; b < 256; ++b)
        all.push_back(static_cast<Byte>(b));
    const std::string text = to_hex(all);
    CHECK(text.size() == 512);
    CHECK(text.starts_with("000102030405060708090a0b0c0d0e0f10"));
    CHECK(text.ends_with("fdfeff"));
    Bytes back(256);
    REQUIRE(from_hex(text, back));
    CHECK(back == all);
}

TEST_CASE("hexadecimal is read in either case and written in lower case") {
    std::array<Byte, 3> out{};
    REQUIRE(from_hex("aBcDeF", out));
    CHECK(to_hex(out) == "abcdef");
}

TEST_CASE("text that is not exactly the expected number of hex digits is refused") {
    std::array<Byte, 2> out{};
    for (const char* bad : {"", "abc", "abcd0", "abcg", "ab d", "0xab", "ab\xc3\xa4"}) {
        INFO(bad);
        CHECK_FALSE(from_hex(bad, out));
    }
    CHECK(from_hex("", {}));
}

TEST_CASE("text and bytes are two views of the same memory") {
    const std::string text("a\0b", 3);
    CHECK(as_text(as_bytes(text)).data() == text.data());
    CHECK(as_text(as_bytes(text)) == text);
    CHECK(as_text(to_bytes("xyz")) == "xyz");
}

TEST_CASE("a shared payload is moved in, not copied") {
    Bytes bytes(1000, 7);
    const Byte* memory = bytes.data();
    CHECK(share(std::move(bytes))->data() == memory);
}

TEST_CASE("hashes and keys compare and hash by their content") {
    Hash256 a;
    CHECK(a.is_zero());
    Hash256 b;
    b.bytes[31] = 1;
    CHECK(a < b);
    CHECK_FALSE(b.is_zero());
    CHECK(b.hex() == std::string(63, '0') + "1");
    CHECK(std::unordered_set<Hash256>{a, b, a}.size() == 2);
    CHECK(std::unordered_set<PublicKey>{PublicKey{a.bytes}, PublicKey{b.bytes}}.size() == 2);
}

} // namespace dwcp
