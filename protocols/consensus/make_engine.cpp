#include "protocols/consensus/engine.hpp"
#include "protocols/pbft/pbft.hpp"
#include "protocols/probft/probft.hpp"

namespace dwcp::consensus {

Result<std::unique_ptr<Engine>> make_engine(EngineOptions options, const EngineMemory& memory) {
    switch (options.committee.engine) {
    case EngineKind::pbft:
        return pbft::make_pbft(std::move(options), memory);
    case EngineKind::probft:
        return probft::make_probft(std::move(options), memory);
    default:
        break;
    }
    return fail(Errc::unimplemented,
                "the engine " + std::string(to_string(options.committee.engine)) + " is not built");
}

} // namespace dwcp::consensus
