// Who this node is: its Ed25519 key, its cluster, and a fresh incarnation for each start; and whom it trusts.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"
#include "protocols/crypto/ed25519.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace dwcp::identity {

/// One a process, made at start, shared read-only.
struct Identity {
    NodeName name;
    std::string site;
    std::string cluster_id;
    Incarnation incarnation = 0;
    std::shared_ptr<const crypto::SigningKey> key;

    const PublicKey& public_key() const { return key->public_key(); }
};

/// Reads DIR/node.key, or makes it (mode 0600) at the first start. Fails if the file is readable by others,
/// damaged or belongs to another node name or cluster (DIR/node.id says which), with the remedy.
Result<Identity> load_or_create(const std::string& directory, const NodeName& name, const std::string& site,
                                const std::string& cluster_id);

/// Which key belongs to which peer. Keys given in the configuration are fixed; others are pinned at the first
/// successful handshake in DIR/known_peers and never change by themselves afterwards. Thread-safe.
class TrustStore {
  public:
    /// `configured`: name -> 64 hex digits, or empty for trust on first use. A peer whose name is not in it
    /// is refused.
    static Result<std::unique_ptr<TrustStore>> open(const std::string& directory,
                                                    const std::map<NodeName, std::string>& configured);

    /// Ok if `key` is (or, with trust on first use, now becomes) the key of `name`. Else
    /// Errc::unauthenticated with a message for both ends: unknown name, or a key that is not the pinned one
    /// and how to accept it if that is right.
    Result<void> check(const NodeName& name, const PublicKey& key);

  private:
    TrustStore() = default;
    std::mutex mutex_;
    std::string path_;
    std::map<NodeName, PublicKey> pinned_;
    std::map<NodeName, bool> fixed_; ///< Every acceptable name; true where the configuration gave the key.
};

} // namespace dwcp::identity
