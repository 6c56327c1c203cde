#include "tests/sim/consensus/describe.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace dwcp::sim {
namespace {

using namespace dwcp::consensus;

std::string brief(const Hash256& hash) { return hash.hex().substr(0, 8); }

std::string of_body(const Statement& s, const Propose& propose) {
    return fmt::format("PROPOSE view {} slot {} block {} of {} commands", s.view, s.slot, brief(s.digest),
                       (*propose.block)->transactions.size());
}
std::string of_body(const Statement& s, const VoteFor&) {
    return fmt::format("{} view {} slot {} block {}", s.kind == Kind::prepare ? "PREPARE" : "COMMIT", s.view,
                       s.slot, brief(s.digest));
}
std::string of_body(const Statement& s, const CheckpointVote&) {
    return fmt::format("CHECKPOINT height {} state {}", s.slot, brief(s.digest));
}
std::string of_body(const Statement& s, const Wish&) { return fmt::format("WISH view {}", s.view); }
std::string of_body(const Statement& s, const ViewChange& change) {
    std::string text = fmt::format("VIEW-CHANGE to {} stable {}", s.view, change.stable);
    for (const auto& prepared : change.prepared)
        text += fmt::format(", prepared slot {} in view {} {}", prepared.slot, prepared.view,
                            brief(prepared.digest));
    return text;
}
std::string of_body(const Statement& s, const NewView& new_view) {
    std::string text = fmt::format("NEW-VIEW {} by {} changes", s.view, new_view.changes.size());
    for (const auto& proposal : new_view.proposals)
        text += fmt::format(", slot {} {}", proposal.slot, brief(proposal.digest));
    return text;
}

struct InWords {
    std::string operator()(const Signed& m) const {
        const auto text = std::visit([&](const auto& body) { return of_body(m.statement, body); }, m.body);
        return m.statement.epoch == 1 ? text : fmt::format("{} (epoch {})", text, m.statement.epoch);
    }
    std::string operator()(const Forward& m) const {
        std::string text = m.to_all ? "forward to all" : "forward";
        for (const auto& transaction : m.transactions)
            text += fmt::format(" {}:{}", transaction.command.id, transaction.command.sequence);
        return text;
    }
    std::string operator()(const Hello& m) const {
        return fmt::format("hello{} epoch {} view {} decided {} stable {}", m.asks ? " (asks)" : "", m.epoch,
                           m.view, m.decided, m.stable);
    }
    std::string operator()(const FetchBlocks& m) const { return fmt::format("fetch blocks from {}", m.from); }
    std::string operator()(const Blocks& m) const {
        if (m.blocks.empty()) return fmt::format("blocks: none, tip {}, earliest {}", m.tip, m.earliest);
        return fmt::format("blocks {} .. {}, tip {}", (*m.blocks.front().block)->height,
                           (*m.blocks.back().block)->height, m.tip);
    }
    std::string operator()(const FetchContent& m) const {
        return fmt::format("fetch content slot {} {}", m.slot, brief(m.digest));
    }
    std::string operator()(const Content& m) const {
        return fmt::format("content {}", brief(m.block->digest()));
    }
    std::string operator()(const FetchSnapshot& m) const {
        return fmt::format("fetch snapshot {} after '{}'", m.height, m.after);
    }
    std::string operator()(const SnapshotPart& m) const {
        return fmt::format("snapshot {} after '{}', {} pairs{}", m.height, m.after, m.pairs.size(),
                           m.last ? ", the last" : "");
    }
    std::string operator()(const Accuse& m) const {
        return fmt::format("ACCUSE replica {} of two {} in view {} slot {}", m.evidence.first.signer,
                           to_string(m.evidence.first.kind), m.evidence.first.view, m.evidence.first.slot);
    }
};

struct InNumbers {
    std::uint64_t value = 0;
    void add(std::uint64_t part) { value = (std::rotl(value, 7) ^ part) * 0xff51afd7ed558ccd; }
    void add(const Hash256& hash) {
        std::uint64_t word;
        std::memcpy(&word, hash.bytes.data(), sizeof word);
        add(word);
    }
    void operator()(const Signed& m) {
        const auto& s = m.statement;
        add(static_cast<std::uint64_t>(s.kind) << 32 ^ s.signer);
        add(s.epoch), add(s.view), add(s.slot), add(s.digest), add(s.annex);
    }
    void operator()(const Forward& m) {
        add(m.transactions.size());
        for (const auto& transaction : m.transactions)
            add(transaction.command.sequence);
    }
    void operator()(const Hello& m) { add(m.epoch), add(m.view), add(m.decided), add(m.stable), add(m.asks); }
    void operator()(const FetchBlocks& m) { add(m.from); }
    void operator()(const Blocks& m) { add(m.blocks.size()), add(m.tip), add(m.earliest); }
    void operator()(const FetchContent& m) { add(m.slot), add(m.digest); }
    void operator()(const Content& m) { add(m.block->digest()); }
    void operator()(const FetchSnapshot& m) { add(m.height), add(m.after.size()); }
    void operator()(const SnapshotPart& m) { add(m.height), add(m.pairs.size()), add(m.state_root); }
    void operator()(const Accuse& m) { add(m.evidence.first.signer), add(m.evidence.first.digest); }
};

} // namespace

std::string_view to_string(Kind kind) {
    switch (kind) {
    case Kind::propose:
        return "proposals";
    case Kind::prepare:
        return "prepares";
    case Kind::commit:
        return "commits";
    case Kind::checkpoint:
        return "checkpoints";
    case Kind::view_change:
        return "view changes";
    case Kind::new_view:
        return "new views";
    case Kind::wish:
        return "wishes";
    case Kind::command:
        return "commands";
    }
    return "statements";
}

std::string describe(const Message& message) { return std::visit(InWords{}, message.body); }

std::uint64_t fingerprint(const Message& message) {
    InNumbers numbers{message.body.index() + 1};
    std::visit(numbers, message.body);
    return numbers.value;
}

} // namespace dwcp::sim
