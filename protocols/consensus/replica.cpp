#include "protocols/consensus/replica.hpp"

#include "protocols/consensus/lane_replica.hpp"

namespace dwcp::consensus {

Result<std::unique_ptr<Replica>> Replica::make(ReplicaOptions options, ReplicaMemory memory) {
    if (auto sound = check(options.genesis); !sound) return std::unexpected(sound.error());
    if (!options.checker)
        return fail(Errc::invalid_argument, "a replica needs something that checks signatures");
    if (options.domain.genesis != options.genesis.digest())
        return fail(Errc::invalid_argument, "the lane's domain names another founding committee");
    if (options.checkpoint_interval == 0 || options.pipeline == 0 || options.block_commands == 0 ||
        options.hello <= Duration{} || options.view_timeout <= Duration{})
        return fail(Errc::invalid_argument,
                    "a replica's intervals, pipeline and block size must be above zero");
    auto replica = std::make_unique<LaneReplica>(std::move(options), std::move(memory));
    if (auto restored = replica->restore(); !restored) return std::unexpected(restored.error());
    return replica;
}

} // namespace dwcp::consensus
