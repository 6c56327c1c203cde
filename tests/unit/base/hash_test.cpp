// SHA-256 against the examples of FIPS 180-4 (NIST "SHA256.pdf" and "SHA2_Additional.pdf").
#include "protocols/crypto/hash.hpp"

#include <catch2/catch.hpp>

#include <utility>

namespace dwcp::crypto {
namespace {

constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

} // namespace

TEST_CASE("SHA-256 gives the published digests") {
    const std::pair<std::string, const char*> vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", kAbc},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmno"
         "pqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
        {std::string("\xbd"), "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
        {std::string(1'000'000, '\0'), "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025"},
    };
    for (const auto& [message, digest] : vectors)
        CHECK(sha256(as_bytes(message)).hex() == digest);
}

TEST_CASE("a digest of parts is the digest of their concatenation") {
    CHECK(sha256({as_bytes("a"), as_bytes(""), as_bytes("bc")}).hex() == kAbc);
}

TEST_CASE("a digest does not depend on how the data arrived") {
    const std::string data(1000, 'x');
    const Hash256 whole = sha256(as_bytes(data));
    for (std::size_t piece : {1U, 7U, 63U, 64U, 65U, 999U}) {
        Sha256 digest;
        for (std::size_t at = 0; at < data.size(); at += piece)
            digest.update(as_bytes(data.substr(at, piece)));
        CHECK(digest.finish() == whole);
    }
}

TEST_CASE("an incremental digest can be moved half way") {
    Sha256 first;
    first.update(as_bytes("ab"));
    Sha256 second = std::move(first);
    second.update(as_bytes("c"));
    CHECK(second.finish().hex() == kAbc);
}

} // namespace dwcp::crypto
