// Blocks for downloads: from this node, else from a replica, which also mends what is missing here.
#include "actors/compression/codec.hpp"
#include "actors/manager/manager_core_actor.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>

namespace dwcp::manager {

void ManagerActor::fetch(const FetchBlock& request, actor::Ticket ticket) {
    if (!wanted(ticket, request.deadline, "the block was read")) return;
    run_on_disk<SharedBytes>(
        [&keeper = services_.keeper, hash = request.ref.hash] { return keeper.read(hash); },
        [this, request, ticket, begin = trace::mark()](Result<SharedBytes> raw) {
            // A block that is not kept here is no failure: then its "fetch" is the step.
            if (raw || raw.error().code != Errc::not_found)
                steps_.read(request.trace, raw ? (*raw)->size() : 0, begin, problem_of(raw));
            if (raw) {
                settle<BlockFetched>(ticket, BlockFetched{std::move(*raw)});
            } else if (raw.error().code == Errc::not_found || raw.error().code == Errc::corrupted) {
                fetch_from(request, 0, raw.error(), ticket);
            } else {
                refuse(ticket, raw.error());
            }
        });
}

void ManagerActor::fetch_from(const FetchBlock& request, std::size_t next, const Error& last,
                              actor::Ticket ticket) {
    while (next < request.replicas.size() && request.replicas[next] == options_.self)
        ++next;
    if (next >= request.replicas.size()) {
        refuse(ticket,
               {last.code == Errc::corrupted ? Errc::corrupted : Errc::unavailable,
                "block " + request.ref.hash.hex() + " cannot be read from any replica: " + last.message,
                "check `dwcp-shell -c nodes`; try again when its replicas are up"});
        return;
    }
    if (!wanted(ticket, request.deadline, "the block was fetched from a replica")) return;
    const auto peer = request.replicas[next];
    // Not cut at the client's deadline: a few impatient clients would open the breaker of a healthy replica,
    // for all.
    services_.data.fetch(
        peer, request.ref.hash, now() + options_.data_deadline,
        [this, request, next, ticket, peer, begin = trace::mark(),
         post = poster()](Result<EncodedBlock> block) {
            post([=, this] {
                steps_.fetched(request.trace, peer, block ? block->bytes->size() : 0, begin,
                               problem_of(block));
                check_fetched(request, next, peer, block, ticket);
            });
        },
        pool_for_reading());
}

void ManagerActor::check_fetched(const FetchBlock& request, std::size_t next, const NodeName& peer,
                                 const Result<EncodedBlock>& block, actor::Ticket ticket) {
    if (!block) {
        fetch_from(request, next + 1, block.error(), ticket);
        return;
    }
    const bool should_be_here = std::ranges::find(request.replicas, options_.self) != request.replicas.end();
    run_on_disk<SharedBytes>(
        [&keeper = services_.keeper, block = *block, wanted = request.ref.hash, should_be_here,
         peer]() -> Result<SharedBytes> {
            if (block.hash != wanted) return fail(Errc::corrupted, peer + " sent another block");
            auto raw = compression::decode_verified(block);
            if (!raw || !should_be_here) return raw;
            if (auto repaired = keeper.repair(block, peer); !repaired) {
                log::warn("block_repair_failed", {{"hash", wanted.hex()}, {"why", repaired.error().message}});
            }
            return raw;
        },
        [this, request, next, ticket](Result<SharedBytes> raw) {
            if (raw)
                settle<BlockFetched>(ticket, BlockFetched{std::move(*raw)});
            else
                fetch_from(request, next + 1, raw.error(), ticket);
        });
}

} // namespace dwcp::manager
