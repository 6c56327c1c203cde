// The digest of a set that follows its elements.
#include "protocols/base/random.hpp"
#include "protocols/crypto/hash.hpp"
#include "protocols/crypto/set_hash.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace dwcp::crypto {
namespace {

void add(SetHash& hash, std::string_view element) { hash.add(as_bytes(element)); }
void remove(SetHash& hash, std::string_view element) { hash.remove(as_bytes(element)); }

} // namespace

TEST_CASE("the empty set has lanes of zero") {
    const SetHash empty;
    CHECK(empty.encode() == Bytes(SetHash::kEncodedBytes));
    CHECK(empty.digest() == sha256(Bytes(2048)));
}

TEST_CASE("the digest of a set is that of the committed vector") {
    // Computed by a second implementation: a change of it would part a node from its peers and its store.
    SetHash hash;
    add(hash, "");
    CHECK(hash.digest().hex() == "d087145b03d2d45be2766b29e5e336e6e3da21c49fc91402439cbc960e28cc63");
    add(hash, "alpha");
    add(hash, "beta");
    CHECK(hash.digest().hex() == "9528077f295aa3fec7dd9f07b9564dcf5264456fda00f35b8902436b5aac4b77");
    remove(hash, "");
    CHECK(hash.digest().hex() == "8db023e01115cafcb238f28d710c734823f7a17134a384e7d0cd7ab7bf3a78c1");
}

TEST_CASE("the order in which elements come does not matter, the elements do") {
    std::vector<std::string> elements;
    for (int i = 0; i < 50; ++i)
        elements.push_back("element " + std::to_string(i));
    SetHash forwards;
    for (const std::string& element : elements)
        add(forwards, element);
    Random random(test::seed());
    for (int round = 0; round < 10; ++round) {
        for (std::size_t i = elements.size(); i > 1; --i)
            std::swap(elements[i - 1], elements[random.below(i)]);
        SetHash shuffled;
        for (const std::string& element : elements)
            add(shuffled, element);
        CHECK(shuffled == forwards);
        CHECK(shuffled.digest() == forwards.digest());
    }
    for (const std::string& element : elements) {
        SetHash without = forwards;
        remove(without, element);
        CHECK(without.digest() != forwards.digest());
        add(without, "another " + element);
        CHECK(without.digest() != forwards.digest());
    }
}

TEST_CASE("what is added and removed again leaves nothing behind") {
    // Random additions and removals against a plain multiset, rebuilt from scratch now and then.
    Random random(test::seed());
    std::map<std::string, int> held;
    SetHash hash;
    for (int step = 0; step < 2000; ++step) {
        const std::string element = std::to_string(random.below(40));
        if (held[element] > 0 && random.below(2) == 0) {
            --held[element];
            remove(hash, element);
        } else {
            ++held[element];
            add(hash, element);
        }
        if (step % 100 != 99) continue;
        SetHash rebuilt;
        for (const auto& [name, count] : held) {
            for (int i = 0; i < count; ++i)
                add(rebuilt, name);
        }
        REQUIRE(rebuilt == hash);
    }
    for (const auto& [name, count] : held) {
        for (int i = 0; i < count; ++i)
            remove(hash, name);
    }
    CHECK(hash == SetHash{});
}

TEST_CASE("how often an element is in counts, modulo 65536") {
    SetHash hash;
    std::set<Hash256> digests{hash.digest()};
    for (int i = 0; i < 65536; ++i) {
        add(hash, "same");
        if (i < 100) digests.insert(hash.digest());
    }
    CHECK(digests.size() == 101);
    // The limit that the header states.
    CHECK(hash == SetHash{});
}

TEST_CASE("a removal before its addition is made good by it") {
    SetHash hash;
    remove(hash, "late");
    CHECK(hash != SetHash{});
    add(hash, "late");
    CHECK(hash == SetHash{});
}

TEST_CASE("elements that concatenate alike are told apart") {
    SetHash one;
    add(one, "ab");
    add(one, "c");
    SetHash other;
    add(other, "a");
    add(other, "bc");
    CHECK(one.digest() != other.digest());
}

TEST_CASE("a set hash survives its encoding and goes on from there") {
    SetHash hash;
    add(hash, "kept");
    add(hash, "gone");
    auto again = SetHash::decode(hash.encode());
    REQUIRE(again);
    CHECK(*again == hash);
    remove(*again, "gone");
    SetHash kept;
    add(kept, "kept");
    CHECK(*again == kept);
}

TEST_CASE("an encoding of the wrong length is refused") {
    for (const std::size_t length : {0U, 1U, 32U, 2047U, 2049U, 4096U}) {
        const auto hash = SetHash::decode(Bytes(length));
        REQUIRE_FALSE(hash);
        CHECK(hash.error().code == Errc::corrupted);
    }
}

} // namespace dwcp::crypto
