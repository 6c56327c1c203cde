#include "protocols/wire/lane.hpp"

#include "protocols/wire/foreign_message.hpp"
#include "protocols/wire/limits.hpp"
#include "protocols/wire/schema/lane.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace dwcp::wire {
namespace {

/// What is on disk is a command or an answer with little around it.
constexpr std::size_t kRecordBytesMax = consensus::kCommandBytes + 4096;
static_assert(kLaneResultBytesMax <= consensus::kCommandBytes);

std::unexpected<Error> bad(Errc code, std::string message) {
    return fail(code, std::move(message),
                code == Errc::corrupted ? "the lane's store is damaged: restore this node from another member"
                                        : "the peer sends a malformed lane message: check its version");
}

Bytes to_flat_bytes(capnp::MessageBuilder& message) {
    const kj::Array<capnp::word> flat = capnp::messageToFlatArray(message);
    const auto bytes = flat.asBytes();
    return {bytes.begin(), bytes.end()};
}

kj::ArrayPtr<const kj::byte> blob(ByteView bytes) { return kj::arrayPtr(bytes.data(), bytes.size()); }

/// With its length: from a std::string alone Cap'n Proto would take the text up to its first zero byte.
capnp::Text::Reader text(const std::string& from) { return {from.c_str(), from.size()}; }

bool read_text(capnp::Text::Reader from, std::size_t bytes_max, std::string& out) {
    if (from.size() > bytes_max) return false;
    out.assign(from.begin(), from.end());
    return true;
}

bool read_data(capnp::Data::Reader from, std::size_t bytes_max, Bytes& out) {
    if (from.size() > bytes_max) return false;
    out.assign(from.begin(), from.end());
    return true;
}

bool read_hash(capnp::Data::Reader from, Hash256& out) {
    if (from.size() != out.bytes.size()) return false;
    std::copy(from.begin(), from.end(), out.bytes.begin());
    return true;
}

/// Reads a message of type Root with `read(reader) -> Result<T>`.
template<class Root, class Read>
auto read_message(ByteView bytes, std::size_t bytes_max, Errc code, Read read)
    -> decltype(read(std::declval<typename Root::Reader>())) {
    if (bytes.size() > bytes_max) {
        return bad(code == Errc::corrupted ? code : Errc::too_large, "lane message is over its limit");
    }
    return read_foreign<Root>(bytes, read, [code](const std::string& why) {
        return bad(code, "lane message does not decode: " + why);
    });
}

void write_entry(schema::LaneEntry::Builder out, const consensus::Entry& entry) {
    out.setTimeMs(entry.time_ms);
    out.setProposer(text(entry.proposer));
    out.setId(text(entry.command.id));
    out.setPayload(blob(entry.command.payload));
    out.setSequence(entry.command.sequence);
}

const char* read_command(capnp::Text::Reader id, capnp::Data::Reader payload, consensus::Command& out) {
    if (id.size() == 0) return "command id is empty";
    if (!read_text(id, kLaneIdBytesMax, out.id)) return "command id is too long";
    if (payload.size() == 0) return "command is empty";
    if (!read_data(payload, consensus::kCommandBytes, out.payload)) return "command is too large";
    return nullptr;
}

const char* read_entry(schema::LaneEntry::Reader from, consensus::LogIndex index, consensus::Entry& out) {
    out.index = index;
    out.time_ms = from.getTimeMs();
    out.command.sequence = from.getSequence();
    if (!read_text(from.getProposer(), kNodeNameBytesMax, out.proposer)) return "proposer's name is too long";
    return read_command(from.getId(), from.getPayload(), out.command);
}

/// What a message's variable parts take.
constexpr auto body_bytes = []<class Body>(const Body& body) -> std::size_t {
    if constexpr (std::is_same_v<Body, LanePropose>)
        return body.command.id.size() + body.command.payload.size();
    if constexpr (std::is_same_v<Body, LaneAppend>) {
        std::size_t bytes = body.note.size();
        for (const auto& entry : body.entries)
            bytes += entry_bytes(entry);
        return bytes;
    }
    return 0;
};

/// For a first segment that holds it all: across segments each pointer would cost another word, and
/// entry_bytes() would not be a bound.
unsigned words_for(std::size_t bytes) {
    return static_cast<unsigned>((bytes + kLaneAppendOverheadBytes) / sizeof(capnp::word));
}

struct BodyWriter {
    schema::LaneMessage::Builder out;

    void operator()(const LanePropose& propose) {
        auto body = out.initPropose();
        body.setId(text(propose.command.id));
        body.setPayload(blob(propose.command.payload));
        body.setSequence(propose.command.sequence);
    }
    void operator()(const LaneProposed& proposed) {
        auto body = out.initProposed();
        body.setId(text(proposed.id));
        body.setOutcome(static_cast<std::uint8_t>(proposed.outcome));
        body.setIndex(proposed.index);
        body.setCode(static_cast<std::uint8_t>(proposed.code));
        body.setReason(text(proposed.reason.substr(0, kLaneTextBytesMax)));
    }
    void operator()(const LaneAppend& append) {
        auto body = out.initAppend();
        body.setRound(append.round);
        body.setPrevious(append.previous);
        body.setChain(blob(append.chain.view()));
        auto entries = body.initEntries(static_cast<unsigned>(append.entries.size()));
        for (unsigned i = 0; i < append.entries.size(); ++i)
            write_entry(entries[i], append.entries[i]);
        body.setCommitted(append.committed);
        body.setAvailable(append.available);
        body.setNote(text(append.note.substr(0, kLaneTextBytesMax)));
    }
    void operator()(const LaneAppended& appended) {
        auto body = out.initAppended();
        body.setRound(appended.round);
        body.setDurable(appended.durable);
        body.setSeenEpoch(appended.seen_epoch);
        body.setDiverged(appended.diverged);
    }
};

const char* read_body(schema::LaneMessage::Propose::Reader from, LanePropose& out) {
    out.command.sequence = from.getSequence();
    return read_command(from.getId(), from.getPayload(), out.command);
}

const char* read_body(schema::LaneMessage::Proposed::Reader from, LaneProposed& out) {
    if (!read_text(from.getId(), kLaneIdBytesMax, out.id)) return "command id is too long";
    if (from.getOutcome() > static_cast<std::uint8_t>(ProposeOutcome::refused)) return "outcome is unknown";
    out.outcome = static_cast<ProposeOutcome>(from.getOutcome());
    out.index = from.getIndex();
    // A newer peer may know more codes than we do.
    const bool known = from.getCode() <= static_cast<std::uint8_t>(kErrcLast);
    out.code = known ? static_cast<Errc>(from.getCode()) : Errc::internal;
    return read_text(from.getReason(), kLaneTextBytesMax, out.reason) ? nullptr : "reason is too long";
}

const char* read_body(schema::LaneMessage::Append::Reader from, LaneAppend& out) {
    out.round = from.getRound();
    out.previous = from.getPrevious();
    if (!read_hash(from.getChain(), out.chain)) return "chain is not 32 bytes";
    const auto entries = from.getEntries();
    if (entries.size() > kLaneEntriesMax) return "too many entries";
    out.entries.resize(entries.size());
    for (unsigned i = 0; i < entries.size(); ++i) {
        if (const char* problem = read_entry(entries[i], out.previous + 1 + i, out.entries[i]))
            return problem;
    }
    out.committed = from.getCommitted();
    out.available = from.getAvailable();
    return read_text(from.getNote(), kLaneTextBytesMax, out.note) ? nullptr : "note is too long";
}

const char* read_body(schema::LaneMessage::Appended::Reader from, LaneAppended& out) {
    out.round = from.getRound();
    out.durable = from.getDurable();
    out.seen_epoch = from.getSeenEpoch();
    out.diverged = from.getDiverged();
    return nullptr;
}

template<class Body, class Reader>
Result<LaneMessage> read_as(std::uint64_t epoch, Reader from) {
    LaneMessage message{epoch, Body{}};
    if (const char* problem = read_body(from, std::get<Body>(message.body))) {
        return bad(Errc::invalid_argument, problem);
    }
    return message;
}

} // namespace

Bytes encode(const LaneMessage& message) {
    capnp::MallocMessageBuilder builder(words_for(std::visit(body_bytes, message.body)));
    auto root = builder.initRoot<schema::LaneMessage>();
    root.setEpoch(message.epoch);
    std::visit(BodyWriter{root}, message.body);
    return to_flat_bytes(builder);
}

Result<LaneMessage> decode_lane_message(ByteView bytes) {
    const auto read = [](schema::LaneMessage::Reader root) -> Result<LaneMessage> {
        switch (root.which()) {
        case schema::LaneMessage::PROPOSE:
            return read_as<LanePropose>(root.getEpoch(), root.getPropose());
        case schema::LaneMessage::PROPOSED:
            return read_as<LaneProposed>(root.getEpoch(), root.getProposed());
        case schema::LaneMessage::APPEND:
            return read_as<LaneAppend>(root.getEpoch(), root.getAppend());
        case schema::LaneMessage::APPENDED:
            return read_as<LaneAppended>(root.getEpoch(), root.getAppended());
        }
        return bad(Errc::invalid_argument, "kind of lane message is unknown");
    };
    return read_message<schema::LaneMessage>(bytes, kLaneMessageBytes, Errc::invalid_argument, read);
}

std::size_t entry_bytes(const consensus::Entry& entry) {
    // Two data words and three pointers; each of the three is rounded up to a word, texts with a final zero.
    constexpr std::size_t kFixed = 40 + 3 * 8;
    return kFixed + entry.proposer.size() + entry.command.id.size() + entry.command.payload.size();
}

Bytes encode(const LaneRecord& record) {
    capnp::MallocMessageBuilder builder(words_for(entry_bytes(record.entry)));
    auto root = builder.initRoot<schema::LaneRecord>();
    root.setIndex(record.entry.index);
    write_entry(root.initEntry(), record.entry);
    root.setChain(blob(record.chain.view()));
    return to_flat_bytes(builder);
}

Result<LaneRecord> decode_lane_record(ByteView bytes) {
    const auto read = [](schema::LaneRecord::Reader root) -> Result<LaneRecord> {
        LaneRecord record;
        if (const char* problem = read_entry(root.getEntry(), root.getIndex(), record.entry)) {
            return bad(Errc::corrupted, problem);
        }
        if (!read_hash(root.getChain(), record.chain)) return bad(Errc::corrupted, "chain is not 32 bytes");
        return record;
    };
    return read_message<schema::LaneRecord>(bytes, kRecordBytesMax, Errc::corrupted, read);
}

Bytes encode(const LaneHardState& state) {
    capnp::MallocMessageBuilder builder;
    auto root = builder.initRoot<schema::LaneHardState>();
    root.setEpoch(state.epoch);
    root.setFormed(state.formed);
    root.setLast(state.last);
    root.setChain(blob(state.chain.view()));
    return to_flat_bytes(builder);
}

Result<LaneHardState> decode_lane_hard_state(ByteView bytes) {
    const auto read = [](schema::LaneHardState::Reader root) -> Result<LaneHardState> {
        LaneHardState state{root.getEpoch(), root.getFormed(), root.getLast(), {}};
        if (!read_hash(root.getChain(), state.chain)) return bad(Errc::corrupted, "chain is not 32 bytes");
        return state;
    };
    return read_message<schema::LaneHardState>(bytes, kRecordBytesMax, Errc::corrupted, read);
}

Bytes encode(const LaneOutcome& outcome) {
    capnp::MallocMessageBuilder builder;
    auto root = builder.initRoot<schema::LaneOutcome>();
    root.setId(text(outcome.id));
    root.setTimeMs(outcome.time_ms);
    root.setResult(blob(outcome.result));
    return to_flat_bytes(builder);
}

Result<LaneOutcome> decode_lane_outcome(ByteView bytes) {
    const auto read = [](schema::LaneOutcome::Reader root) -> Result<LaneOutcome> {
        LaneOutcome outcome{.id = {}, .time_ms = root.getTimeMs(), .result = {}};
        if (!read_text(root.getId(), kLaneIdBytesMax, outcome.id))
            return bad(Errc::corrupted, "command id is too long");
        if (!read_data(root.getResult(), kLaneResultBytesMax, outcome.result)) {
            return bad(Errc::corrupted, "result is too large");
        }
        return outcome;
    };
    return read_message<schema::LaneOutcome>(bytes, kRecordBytesMax, Errc::corrupted, read);
}

} // namespace dwcp::wire
