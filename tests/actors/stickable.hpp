// An actor that is busy for as long as a test wants.
#pragma once

#include "actors/manager/messages.hpp"
#include "runtime/caf/actor.hpp"

#include <latch>
#include <utility>

namespace dwcp::test {

/// AbortPut keeps its handler busy until the latch opens.
class Stickable final : public actor::Actor {
  public:
    Stickable(caf::actor_config& config, actor::ActorContext context, std::latch* open)
        : Actor(config, std::move(context)), open_(*open) {}

  protected:
    caf::behavior handlers() override {
        return {on<manager::AbortPut>([this](const manager::AbortPut&) -> Result<manager::Acknowledged> {
            open_.wait();
            return manager::Acknowledged{};
        })};
    }

  private:
    std::latch& open_;
};

} // namespace dwcp::test
