#include "protocols/wire/control.hpp"
#include "protocols/wire/limits.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::wire;

namespace {

control::Offer make_offer() {
    control::Offer offer;
    offer.wire_version = 1;
    offer.cluster_id = std::string(kClusterIdBytesMax, 'c');
    offer.name = "site-a";
    offer.site = "Zürich";
    offer.peer = std::string(kNodeNameBytesMax, 'b');
    offer.incarnation = ~0ULL;
    offer.heartbeat_interval_ms = 500;
    offer.heartbeat_timeout_ms = 2000;
    offer.public_key.bytes.fill(1);
    offer.session_key.fill(2);
    offer.nonce.fill(3);
    return offer;
}

} // namespace

TEST_CASE("every control message survives its encoding") {
    crypto::Signature signature;
    signature.fill(4);
    control::Nonce session;
    session.fill(5);
    const control::Hello hello{make_offer()};
    const control::HelloAck ack{make_offer(), signature};
    const control::Confirm confirm{session, signature};
    const control::Sealed sealed{"site-a", 7, {6, 6, 6}, Bytes(1000, 9)};
    CHECK(std::get<control::Hello>(control::decode(control::encode(hello)).value()) == hello);
    CHECK(std::get<control::HelloAck>(control::decode(control::encode(ack)).value()) == ack);
    CHECK(std::get<control::Confirm>(control::decode(control::encode(confirm)).value()) == confirm);
    CHECK(std::get<control::Sealed>(control::decode(control::encode(sealed)).value()) == sealed);
    const auto refusal = std::get<control::Refusal>(
        control::decode(control::encode(control::Refusal{
                            "site-b", {Errc::precondition_failed, "another cluster", "set the same"}}))
            .value());
    CHECK(refusal.from == "site-b");
    CHECK(refusal.error.code == Errc::precondition_failed);
    CHECK(refusal.error.message == "another cluster");
    CHECK(refusal.error.remedy == "set the same");
}

TEST_CASE("every control envelope survives its encoding") {
    const control::Request request{"metadata", 1500, to_bytes("body")};
    const auto first = control::decode_envelope(control::encode_envelope({1, "trace", request})).value();
    CHECK(first.sequence == 1);
    CHECK(first.trace == "trace");
    CHECK(std::get<control::Request>(first.content) == request);
    const auto second =
        control::decode_envelope(control::encode_envelope({2, {}, to_bytes("answer")})).value();
    CHECK(std::get<Bytes>(second.content) == to_bytes("answer"));
    const auto third =
        control::decode_envelope(control::encode_envelope({3, {}, Error{Errc::not_found, "m", "r"}})).value();
    CHECK(std::get<Error>(third.content).code == Errc::not_found);
}

TEST_CASE("the largest body with the longest names fits into one frame") {
    const control::Envelope envelope{
        ~0ULL, std::string(kWorkloadIdBytesMax, 't'),
        control::Request{std::string(control::kServiceBytesMax, 's'), ~0U, Bytes(control::kBodyBytesMax, 1)}};
    const control::Sealed sealed{
        std::string(kNodeNameBytesMax, 'n'), ~0ULL, {}, control::encode_envelope(envelope)};
    const auto frame = control::encode(sealed);
    CHECK(frame.size() <= control::kFrameBytesMax);
    CHECK(control::decode(frame));
}

TEST_CASE("a frame over the limit is refused before anything is read") {
    CHECK(control::decode(Bytes(control::kFrameBytesMax + 8, 0)).error().message ==
          "frame is over the limit");
}

TEST_CASE("names that could confuse a log, a label or a person are refused") {
    auto offer = make_offer();
    offer.name = GENERATE(as<std::string>{}, "", "Site", "a\nb", "a/b", std::string(64, 'a'));
    CHECK(!control::decode(control::encode(control::Hello{offer})));
}

TEST_CASE("control characters in a peer's error text become spaces") {
    const auto message =
        control::decode(control::encode(control::Refusal{"b", {Errc::internal, "a\x1b[2Jb\n", "\x7f"}}));
    const auto& refusal = std::get<control::Refusal>(message.value());
    CHECK(refusal.error.message == "a [2Jb ");
    CHECK(refusal.error.remedy == " ");
}

TEST_CASE("a code of a newer peer counts as internal, and deadlines are cut to the limit") {
    const auto refusal =
        control::decode(control::encode(control::Refusal{"b", {static_cast<Errc>(200), "new", {}}}));
    CHECK(std::get<control::Refusal>(refusal.value()).error.code == Errc::internal);
    const auto envelope =
        control::decode_envelope(control::encode_envelope({1, {}, control::Request{"s", ~0U, {}}}));
    CHECK(std::get<control::Request>(envelope->content).deadline_ms == control::kDeadlineMsMax);
}

TEST_CASE("the transcript binds every field of both offers and the signer's role") {
    const auto offer = make_offer();
    const auto base = control::transcript(control::Role::dialler, offer, offer);
    CHECK(base != control::transcript(control::Role::acceptor, offer, offer));
    const auto differs = [&](auto change) {
        auto changed = offer;
        change(changed);
        return control::transcript(control::Role::dialler, changed, offer) != base &&
               control::transcript(control::Role::dialler, offer, changed) != base;
    };
    CHECK(differs([](auto& o) { ++o.wire_version; }));
    CHECK(differs([](auto& o) { o.cluster_id += "x"; }));
    CHECK(differs([](auto& o) { o.name += "x"; }));
    CHECK(differs([](auto& o) { o.site += "x"; }));
    CHECK(differs([](auto& o) { o.peer += "x"; }));
    CHECK(differs([](auto& o) { --o.incarnation; }));
    CHECK(differs([](auto& o) { ++o.heartbeat_interval_ms; }));
    CHECK(differs([](auto& o) { ++o.heartbeat_timeout_ms; }));
    CHECK(differs([](auto& o) { ++o.public_key.bytes[0]; }));
    CHECK(differs([](auto& o) { ++o.session_key[0]; }));
    CHECK(differs([](auto& o) { ++o.nonce[0]; }));
}
