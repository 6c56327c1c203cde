// Clients of a simulated lane: each submits a command, waits for its answer, asks another host when it waited
// too long or was refused, thinks, and goes on with the next. One more, the administrator, submits changes of
// the committee one after the other.
#pragma once

#include "protocols/base/random.hpp"
#include "protocols/consensus/replica.hpp"
#include "tests/sim/consensus/plan.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::sim {

class World;
class Host;

class Clients {
  public:
    Clients(World& world, std::uint64_t seed);

    void begin();
    void think(std::size_t client);
    void impatient(std::size_t client, std::uint64_t token);
    void answered(const Host& host, const consensus::Answer& answer);
    /// For the administrator.
    void submit(consensus::Command command);

    /// No new commands from now on.
    void finish() { finishing_ = true; }
    /// Commands without an answer.
    std::size_t waiting() const;
    std::string first_waiting() const;
    std::uint64_t answers() const { return answers_; }

  private:
    struct Client {
        std::string id;
        std::uint64_t sequence = 0;
        std::optional<consensus::Command> command; ///< Without an answer yet.
        std::uint64_t token = 0;
    };
    void ask(std::size_t client);

    World& world_;
    Random random_;
    std::vector<Client> clients_; ///< The last is the administrator.
    std::deque<consensus::Command> changes_;
    std::uint64_t last_token_ = 0;
    std::uint64_t answers_ = 0;
    bool finishing_ = false;
};

} // namespace dwcp::sim
