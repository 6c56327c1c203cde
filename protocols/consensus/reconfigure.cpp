#include "protocols/consensus/block.hpp"
#include "protocols/crypto/hash.hpp"
#include "protocols/wire/consensus.hpp"

namespace dwcp::consensus {
namespace {

/// Enough of its digest that two changes of one epoch are two commands.
constexpr std::size_t kDigestBytes = 8;

Committee committee_after(const Reconfigure& change, Height first) {
    return {.epoch = change.from_epoch + 1,
            .first = first,
            .engine = change.engine,
            .samples = change.samples,
            .members = change.members};
}

} // namespace

Command command_of(const Reconfigure& change) {
    Command command;
    command.payload = wire::encode(change);
    const auto digest = crypto::sha256(command.payload);
    command.id = std::string(kReconfigureId) + std::to_string(change.from_epoch) + "/" +
                 to_hex(digest.view().first(kDigestBytes));
    command.sequence = 1;
    return command;
}

Result<std::optional<Reconfigure>> reconfiguration_in(const Command& command) {
    if (!command.id.starts_with(kReconfigureId)) return std::nullopt;
    auto change = wire::decode_reconfigure(command.payload);
    if (!change) {
        return fail(Errc::invalid_argument, "membership change: " + change.error().message,
                    "make it with the command for it");
    }
    if (change->from_epoch == 0) {
        return fail(Errc::invalid_argument, "membership change: it follows no epoch",
                    "name the epoch that it is to follow");
    }
    if (const auto sound = check(committee_after(*change, 1)); !sound) return std::unexpected(sound.error());
    return std::move(*change);
}

std::optional<Committee> next_committee(const Committee& committee, const Block& block) {
    for (const auto& transaction : block.transactions) {
        const auto change = reconfiguration_in(transaction.command);
        if (!change || !*change || (*change)->from_epoch != committee.epoch) continue;
        return committee_after(**change, block.height + 1);
    }
    return std::nullopt;
}

} // namespace dwcp::consensus
