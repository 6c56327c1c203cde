// What a deep look at this node checks, and how each part is begun anew:
//
//   actor PATH   a round trip through its mailbox,    killed, and brought back by its supervisor
//                past what waits there
//   link PEER    a random block there and back        dialled anew
//   codec NAME   text, zeros and noise round trip     nothing: a codec that is wrong is for people
//
// An actor that only has much to do passes: a kill would lose all of that, and its clients would come again.
// (The store's write is part of the look that Health makes every second.) All in its thread's time: each
// step has a deadline. One a node, made from what outlives it.
#pragma once

#include "actors/supervisor/board.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/node/deep_health.hpp"

#include <caf/actor_system.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace dwcp::node {

/// Encodes and decodes fixed blocks with every known codec.
std::vector<DeepFinding> check_codecs();

class DeepChecks {
  public:
    DeepChecks(caf::actor_system& system, actor::Resolver& resolver, supervisor::Board& board,
               links::DataPlane& data, std::shared_ptr<const std::atomic<bool>> draining)
        : system_(system), resolver_(resolver), board_(board), data_(data), draining_(std::move(draining)) {}

    std::vector<DeepFinding> look() const;
    DeepFinding look_at(const std::string& part) const;
    Result<void> recover(const std::string& part) const;

  private:
    std::vector<DeepFinding> ask_actors(const std::string& only) const;
    std::vector<DeepFinding> ask_links(const std::string& only) const;

    caf::actor_system& system_;
    actor::Resolver& resolver_;
    supervisor::Board& board_;
    links::DataPlane& data_;
    const std::shared_ptr<const std::atomic<bool>> draining_;
};

} // namespace dwcp::node
