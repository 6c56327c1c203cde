// Who waits here for which command, and until when. Each client is answered once: when its command was
// ordered and applied here, or when its time is up.
//
// A pure value; at most as many as commands fit the mempool.
#pragma once

#include "protocols/consensus/mempool.hpp"
#include "protocols/consensus/replica.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace dwcp::consensus {

class Clients {
  public:
    bool full() const { return waiting_.size() >= kMempoolCommandsMax; }
    bool knows(ClientToken client) const { return waiting_.contains(client); }
    /// `payload`: SHA-256 of what it wants ordered.
    void wait(ClientToken client, CommandKey key, const Hash256& payload, TimePoint deadline);
    /// Its command was ordered; answered once `place.height` is applied.
    void ordered(const CommandKey& key, const Hash256& payload, Answer::Place place);
    /// Those whose command is ordered at or below it.
    std::vector<Answer> applied(Height height);
    /// Its command cannot be ordered any more.
    std::vector<Answer> refuse(const CommandKey& key, const Error& why);
    struct Late {
        std::vector<Answer> answers;
        std::vector<CommandKey> abandoned; ///< No other client waits for these.
    };
    Late expire(TimePoint now);
    std::optional<TimePoint> expires_at() const;
    /// Somebody waits for this one to be ordered.
    bool wanted(const CommandKey& key) const { return by_key_.contains(key); }
    std::size_t size() const { return waiting_.size(); }

  private:
    struct Waiting {
        CommandKey key;
        Hash256 payload;
        TimePoint deadline{};
        std::optional<Result<Answer::Place>> outcome;
    };
    void forget(ClientToken client);

    std::map<ClientToken, Waiting> waiting_;
    std::map<CommandKey, std::set<ClientToken>> by_key_; ///< Whose command is not ordered.
    std::map<Height, std::vector<ClientToken>> by_height_;
    std::set<std::pair<TimePoint, ClientToken>> deadlines_;
};

} // namespace dwcp::consensus
