#include "runtime/links/control/greeting.hpp"

#include <fmt/format.h>

namespace dwcp::links {

using namespace wire;
using control::Offer;
using control::Role;

namespace {

Role other(Role role) { return role == Role::dialler ? Role::acceptor : Role::dialler; }

std::unexpected<Error> refuse(std::string message, std::string remedy) {
    return fail(Errc::precondition_failed, std::move(message), std::move(remedy));
}

/// Is the right node at the other end?
Result<void> check_names(const Offer& dialler, const Offer& acceptor) {
    if (dialler.public_key == acceptor.public_key) {
        return refuse(fmt::format("the control address of {} on {} leads back to {} itself", dialler.peer,
                                  dialler.name, acceptor.name),
                      fmt::format("correct the control address in the [[peers]] entry of {} on {}",
                                  dialler.peer, dialler.name));
    }
    if (dialler.peer != acceptor.name) {
        return refuse(fmt::format("{} answers at the address where {} expects {}", acceptor.name,
                                  dialler.name, dialler.peer),
                      fmt::format("correct the control address in the [[peers]] entry of {} on {}",
                                  dialler.peer, dialler.name));
    }
    if (dialler.name == acceptor.name) {
        return refuse(fmt::format("two nodes with different keys are both called {}", dialler.name),
                      "give each node of a cluster its own node.name");
    }
    return {};
}

} // namespace

Greeting::Greeting(const identity::Identity& self, const Settings& settings, Role role, const NodeName& peer)
    : key_(self.key), role_(role), session_(crypto::make_session_offer()) {
    own_.wire_version = settings.wire_version;
    own_.cluster_id = self.cluster_id;
    own_.name = self.name;
    own_.site = self.site;
    own_.peer = peer;
    own_.incarnation = self.incarnation;
    own_.heartbeat_interval_ms = settings.heartbeat_interval_ms;
    own_.heartbeat_timeout_ms = settings.heartbeat_timeout_ms;
    own_.public_key = self.public_key();
    own_.session_key = session_.public_part;
    crypto::random_bytes(own_.nonce);
}

Result<void> Greeting::consider(const Offer& theirs) {
    theirs_ = theirs;
    if (theirs.wire_version < own_.wire_version) {
        return refuse(fmt::format("{} speaks wire version {}, which is older than version {} of {}",
                                  theirs.name, theirs.wire_version, own_.wire_version, own_.name),
                      fmt::format("upgrade {}", theirs.name));
    }
    if (theirs.cluster_id != own_.cluster_id) {
        return refuse(fmt::format("{} belongs to cluster \"{}\", {} to cluster \"{}\"", own_.name,
                                  own_.cluster_id, theirs.name, theirs.cluster_id),
                      "set the same node.cluster_id on both nodes, or remove the [[peers]] entry");
    }
    const auto& dialler = role_ == Role::dialler ? own_ : theirs_;
    const auto& acceptor = role_ == Role::dialler ? theirs_ : own_;
    if (auto names = check_names(dialler, acceptor); !names) return names;
    if (theirs.heartbeat_interval_ms != own_.heartbeat_interval_ms ||
        theirs.heartbeat_timeout_ms != own_.heartbeat_timeout_ms) {
        // With different settings a healthy link is cut again and again: the slower end looks dead to the
        // faster one.
        return refuse(
            fmt::format(
                "heartbeat settings differ: {} has interval {} ms and timeout {} ms, {} has {} ms and {} ms",
                own_.name, own_.heartbeat_interval_ms, own_.heartbeat_timeout_ms, theirs.name,
                theirs.heartbeat_interval_ms, theirs.heartbeat_timeout_ms),
            "set the same control.heartbeat_interval_ms and control.heartbeat_timeout_ms on both nodes");
    }
    return {};
}

Bytes Greeting::transcript(Role signer) const {
    return role_ == Role::dialler ? control::transcript(signer, own_, theirs_)
                                  : control::transcript(signer, theirs_, own_);
}

crypto::Signature Greeting::sign() const { return key_->sign(transcript(role_)); }

Result<void> Greeting::prove(const crypto::Signature& signature, identity::TrustStore& trust) const {
    if (!crypto::verify(theirs_.public_key, transcript(other(role_)), signature)) {
        return fail(Errc::unauthenticated,
                    fmt::format("the signature of {} in the greeting is wrong", theirs_.name),
                    "something between the two nodes changes their messages, or one of them is damaged");
    }
    return trust.check(theirs_.name, theirs_.public_key);
}

Result<Session> Greeting::make_session() const {
    const auto keys = crypto::derive_session(session_, theirs_.session_key, role_ == Role::dialler);
    if (!keys) return std::unexpected(keys.error());
    return Session(own_.name, own_.incarnation, theirs_.incarnation, *keys);
}

} // namespace dwcp::links
