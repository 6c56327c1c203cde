// A greeting with somebody who sends arbitrary messages: at both ends, it is judged without harm, and nobody
// without the key gets through.
#include "runtime/links/control/greeting.hpp"

#include <cstdlib>

using namespace dwcp;
using namespace dwcp::links;
namespace control = dwcp::wire::control;

namespace {

identity::Identity make_self() {
    identity::Identity self;
    self.name = "site-b";
    self.site = "fuzz";
    self.cluster_id = "demo";
    self.incarnation = 1;
    self.key = std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate());
    return self;
}

/// What a forged message must not achieve.
void face(const identity::Identity& self, control::Role role, const control::Offer& offer,
          const crypto::Signature& signature) {
    Greeting greeting(self, {1, 500, 2000}, role, offer.name);
    const auto accepted = greeting.consider(offer);
    if (!accepted) {
        if (accepted.error().message.empty()) std::abort();
        return;
    }
    (void)greeting.sign();
    (void)greeting.make_session();
    // The proof is signed over this end's nonce, which is new: nobody can have it.
    const bool accepts = role == control::Role::acceptor;
    const auto signer = accepts ? control::Role::dialler : control::Role::acceptor;
    const Bytes signed_text = accepts ? control::transcript(signer, offer, greeting.own())
                                      : control::transcript(signer, greeting.own(), offer);
    if (crypto::verify(offer.public_key, signed_text, signature)) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const identity::Identity self = make_self();
    const auto message = control::decode({data, size});
    if (!message) return 0;
    if (const auto* hello = std::get_if<control::Hello>(&*message))
        face(self, control::Role::acceptor, hello->offer, {});
    if (const auto* ack = std::get_if<control::HelloAck>(&*message))
        face(self, control::Role::dialler, ack->offer, ack->signature);
    return 0;
}
