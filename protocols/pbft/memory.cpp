#include "protocols/pbft/memory.hpp"

#include "protocols/wire/consensus.hpp"

#include <fmt/format.h>

#include <charconv>

namespace dwcp::pbft {

using namespace consensus;

namespace {

constexpr std::size_t kSlotDigits = 20;
constexpr std::string_view kProposalPrefix = "proposal/";
constexpr std::string_view kPreparedPrefix = "prepared/";
constexpr std::string_view kBlockPrefix = "block/";

std::unexpected<Error> damaged(const std::string& key, const std::string& what) {
    return fail(Errc::corrupted, fmt::format("memory of the PBFT engine: {}: {}", key, what),
                "let the replica begin without memory; it keeps silent until it can vote safely");
}

std::string slot_key(std::string_view prefix, Height slot) { return fmt::format("{}{:020}", prefix, slot); }

/// The slot behind a prefix of `key`, which ends `rest` characters later.
std::optional<Height> slot_in(std::string_view key, std::string_view prefix, std::size_t rest = 0) {
    if (key.size() != prefix.size() + kSlotDigits + rest || !key.starts_with(prefix)) return std::nullopt;
    const auto digits = key.substr(prefix.size(), kSlotDigits);
    Height slot = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), slot);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return slot;
}

/// Reads the records of one memory into `out`.
class Reader {
  public:
    Reader(const EngineOptions& options, Remembered& out) : options_(options), out_(out) {}

    Result<void> read(const std::string& key, const Bytes& value) {
        if (key == kEarliestKey) return earliest(key, value);
        if (key == kStableKey) return stable(key, value);
        if (key == kChangeKey) return change(key, value);
        if (key == kNewViewKey) return new_view(key, value);
        if (const auto slot = slot_in(key, kProposalPrefix)) return proposal(key, *slot, value);
        if (const auto slot = slot_in(key, kPreparedPrefix)) return prepared(key, *slot, value);
        if (const auto slot = slot_in(key, kBlockPrefix, 1 + 2 * sizeof(Hash256)))
            return block(key, *slot, value);
        return damaged(key, "no record of this engine");
    }

  private:
    Result<void> earliest(const std::string& key, const Bytes& value) {
        if (value.size() != sizeof(View)) return damaged(key, "not 8 bytes");
        for (const Byte byte : value)
            out_.earliest = out_.earliest << 8 | byte;
        return {};
    }

    Result<void> stable(const std::string& key, const Bytes& value) {
        auto certificate = certificate_of(key, value, Kind::checkpoint);
        if (!certificate) return std::unexpected(certificate.error());
        if (certificate->slot < options_.committee.first) return damaged(key, "of an earlier epoch");
        out_.stable = std::move(*certificate);
        return {};
    }

    Result<void> change(const std::string& key, const Bytes& value) {
        auto message = message_of<ViewChange>(key, value, Kind::view_change);
        if (!message) return std::unexpected(message.error());
        if (std::get<Signed>((*message)->body).statement.signer != options_.self)
            return damaged(key, "of another replica");
        out_.change = std::move(*message);
        return {};
    }

    Result<void> new_view(const std::string& key, const Bytes& value) {
        auto message = message_of<NewView>(key, value, Kind::new_view);
        if (!message) return std::unexpected(message.error());
        out_.new_view = std::move(*message);
        return {};
    }

    Result<void> proposal(const std::string& key, Height slot, const Bytes& value) {
        auto certificate = certificate_of(key, value, Kind::propose);
        if (!certificate) return std::unexpected(certificate.error());
        if (certificate->slot != slot || !certificate->leader_signature)
            return damaged(key, "of another slot or unsigned");
        at(slot).accepted = Proposal{certificate->view, certificate->digest, *certificate->leader_signature};
        return {};
    }

    Result<void> prepared(const std::string& key, Height slot, const Bytes& value) {
        auto certificate = certificate_of(key, value, Kind::prepare);
        if (!certificate) return std::unexpected(certificate.error());
        if (certificate->slot != slot || !certificate->leader_signature)
            return damaged(key, "of another slot or unsigned");
        at(slot).prepared = std::move(*certificate);
        return {};
    }

    Result<void> block(const std::string& key, Height slot, const Bytes& value) {
        auto block = wire::decode_block(value);
        if (!block) return damaged(key, block.error().message);
        auto sealed = std::make_shared<const SealedBlock>(std::move(*block));
        if (key != block_key(slot, sealed->digest()) || (*sealed)->height != slot)
            return damaged(key, "holds another block");
        at(slot).contents.push_back(std::move(sealed));
        return {};
    }

    Result<Certificate> certificate_of(const std::string& key, const Bytes& value, Kind kind) {
        auto certificate = wire::decode_certificate(value);
        if (!certificate) return damaged(key, certificate.error().message);
        if (certificate->kind != kind || certificate->epoch != options_.committee.epoch)
            return damaged(key, "of another kind or epoch");
        return certificate;
    }

    template<class Body>
    Result<MessageRef> message_of(const std::string& key, const Bytes& value, Kind kind) {
        auto message = wire::decode_consensus_message(value);
        if (!message) return damaged(key, message.error().message);
        const auto* signed_part = std::get_if<Signed>(&message->body);
        if (!signed_part || !std::holds_alternative<Body>(signed_part->body) ||
            signed_part->statement.kind != kind || signed_part->statement.view == 0 ||
            signed_part->statement.epoch != options_.committee.epoch)
            return damaged(key, "of another kind or epoch");
        return std::make_shared<const Message>(std::move(*message));
    }

    Slot& at(Height slot) { return out_.slots.try_emplace(slot, options_.committee.n()).first->second; }

    const EngineOptions& options_;
    Remembered& out_;
};

/// A prepared value must be here in full, and nothing may lie outside the window.
Result<void> check_slots(const EngineOptions& options, const Remembered& memory) {
    const Height stable = memory.stable ? memory.stable->slot : options.committee.first - 1;
    for (const auto& [number, slot] : memory.slots) {
        const std::string which = fmt::format("slot {}", number);
        if (number <= stable || number > stable + kWindow) return damaged(which, "outside the window");
        if (slot.contents.size() > kContentsPerSlot) return damaged(which, "too many blocks");
    }
    return {};
}

} // namespace

std::string proposal_key(Height slot) { return slot_key(kProposalPrefix, slot); }
std::string prepared_key(Height slot) { return slot_key(kPreparedPrefix, slot); }
std::string block_key(Height slot, const Hash256& digest) {
    return slot_key(kBlockPrefix, slot) + "/" + digest.hex();
}

Bytes view_record(View view) {
    Bytes out;
    for (int shift = 56; shift >= 0; shift -= 8)
        out.push_back(static_cast<Byte>(view >> shift));
    return out;
}

Bytes proposal_record(const Committee& committee, Height slot, const Proposal& proposal) {
    Certificate record;
    record.kind = Kind::propose;
    record.engine = committee.engine;
    record.epoch = committee.epoch;
    record.view = proposal.view;
    record.slot = slot;
    record.digest = proposal.digest;
    record.leader_signature = proposal.signature;
    return wire::encode(record);
}

Result<Remembered> remember(const EngineOptions& options, const EngineMemory& memory) {
    Remembered out;
    Reader reader(options, out);
    for (const auto& [key, value] : memory) {
        if (auto read = reader.read(key, value); !read) return std::unexpected(read.error());
    }
    if (auto held = check_slots(options, out); !held) return std::unexpected(held.error());
    return out;
}

} // namespace dwcp::pbft
