// What Byzantine hosts make: statements of their own, signed with their own keys.
#pragma once

#include "tests/sim/consensus/behaviour.hpp"
#include "tests/sim/consensus/world.hpp"

namespace dwcp::sim {

inline crypto::Signature sign(World& world, Host& host, const consensus::Statement& statement) {
    return host.signer().sign(consensus::signing_bytes(world.domain(), statement));
}

/// Signs `message.statement` as `host` and wraps it.
inline consensus::MessageRef signed_message(World& world, Host& host, consensus::Signed message) {
    message.signature = sign(world, host, message.statement);
    return std::make_shared<const consensus::Message>(consensus::Message{host.name(), std::move(message)});
}

template<class Body>
consensus::MessageRef plain_message(Host& host, Body body) {
    return std::make_shared<const consensus::Message>(consensus::Message{host.name(), std::move(body)});
}

} // namespace dwcp::sim
