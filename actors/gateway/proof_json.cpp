#include "actors/gateway/proof_json.hpp"

#include "actors/gateway/json_body.hpp"

#include <fmt/format.h>

#include <limits>
#include <optional>

namespace dwcp::gateway {
namespace {

using namespace consensus;
using nlohmann::json;

constexpr std::string_view kFormat = "dwcp-proof-1";
constexpr std::string_view kCommit = "commit";
constexpr std::size_t kNameBytesMax = 256;
/// A path has a sibling for each bit of a 32-bit count.
constexpr std::size_t kPathMax = 32;
constexpr std::uint64_t kAnyNumber = std::numeric_limits<std::uint64_t>::max();

// --- written

json committee_json(const Committee& committee) {
    json members = json::array();
    for (const auto& member : committee.members)
        members.push_back({{"name", member.name}, {"key", member.key.hex()}});
    return {{"epoch", committee.epoch},
            {"first", committee.first},
            {"engine", to_string(committee.engine)},
            {"l_permille", committee.samples.l_permille},
            {"o_permille", committee.samples.o_permille},
            {"members", std::move(members)}};
}

json transaction_json(const Transaction& transaction) {
    return {{"id", transaction.command.id},
            {"sequence", transaction.command.sequence},
            {"payload", to_hex(transaction.command.payload)},
            {"submitter", transaction.submitter}};
}

json block_json(const Block& block) {
    json transactions = json::array();
    for (const auto& transaction : block.transactions)
        transactions.push_back(transaction_json(transaction));
    return {{"height", block.height},
            {"epoch", block.epoch},
            {"time_ms", block.time_ms},
            {"proposer", block.proposer},
            {"transactions", std::move(transactions)}};
}

json header_json(const BlockHeader& header) {
    return {{"height", header.height},   {"epoch", header.epoch},
            {"time_ms", header.time_ms}, {"proposer", header.proposer},
            {"count", header.count},     {"merkle_root", header.merkle_root.hex()}};
}

json certificate_json(const Certificate& certificate) {
    json votes = json::array();
    for (const auto& vote : certificate.votes) {
        votes.push_back({{"replica", vote.replica}, {"signature", to_hex(vote.signature)}});
        if (vote.proof) votes.back()["proof"] = to_hex(*vote.proof);
    }
    json object{{"kind", kCommit},
                {"engine", to_string(certificate.engine)},
                {"epoch", certificate.epoch},
                {"view", certificate.view},
                {"slot", certificate.slot},
                {"digest", certificate.digest.hex()},
                {"votes", std::move(votes)}};
    if (certificate.recipient) object["recipient"] = *certificate.recipient;
    if (certificate.leader_signature) object["leader_signature"] = to_hex(*certificate.leader_signature);
    return object;
}

// --- read

/// Takes the parts of a proof; the first problem is kept, and what is read after it means nothing.
class Reader {
  public:
    Proof proof(const json& value) {
        Proof proof;
        Members members(value, "the proof");
        if (members.required_text("format", kNameBytesMax) != kFormat)
            refuse(fmt::format("its format is not {}", kFormat));
        proof.cluster = members.required_text("cluster", kNameBytesMax);
        proof.lane = members.required_text("lane", kNameBytesMax);
        proof.genesis = committee(members.required_object("genesis"));
        if (const auto* epochs = members.list("epochs", kProofEpochsMax, true))
            for (const auto& epoch : *epochs)
                proof.epochs.push_back(decided(epoch, fmt::format("epochs[{}]", proof.epochs.size())));
        proof.header = header(members.required_object("header"));
        proof.index = static_cast<std::uint32_t>(members.required_number("index", 0, kBlockCommandsMax));
        if (const auto* path = members.list("path", kPathMax, true))
            for (const auto& sibling : *path)
                proof.path.push_back(hash(sibling, "path"));
        proof.transaction = transaction(members.required_object("transaction"), "the transaction");
        proof.commit = certificate(members.required_object("commit"), "the commit certificate");
        keep(members.done());
        return proof;
    }

    const std::optional<Error>& problem() const { return problem_; }

  private:
    Committee committee(const json& value) {
        Committee committee;
        Members members(value, "genesis");
        committee.epoch = any(members, "epoch");
        committee.first = any(members, "first");
        committee.engine = engine(members);
        committee.samples.l_permille = short_number<std::uint32_t>(members, "l_permille");
        committee.samples.o_permille = short_number<std::uint32_t>(members, "o_permille");
        if (const auto* list = members.list("members", kReplicasMax, true))
            for (const auto& one : *list)
                committee.members.push_back(member(one));
        keep(members.done());
        return committee;
    }

    Member member(const json& value) {
        Member member;
        Members members(value, "a member");
        member.name = members.required_text("name", kReplicaNameBytesMax);
        bytes(members, "key", member.key.bytes);
        keep(members.done());
        return member;
    }

    DecidedBlock decided(const json& value, const std::string& where) {
        Members members(value, where);
        auto content = block(members.required_object("block"), where + ".block");
        DecidedBlock decided{std::make_shared<const SealedBlock>(std::move(content)),
                             certificate(members.required_object("commit"), where + ".commit")};
        keep(members.done());
        return decided;
    }

    Block block(const json& value, const std::string& where) {
        Block block;
        Members members(value, where);
        block.height = any(members, "height");
        block.epoch = any(members, "epoch");
        block.time_ms = any(members, "time_ms");
        block.proposer = members.required_text("proposer", kNameBytesMax);
        if (const auto* list = members.list("transactions", kBlockCommandsMax, true))
            for (const auto& one : *list)
                block.transactions.push_back(transaction(one, where));
        keep(members.done());
        return block;
    }

    BlockHeader header(const json& value) {
        BlockHeader header;
        Members members(value, "header");
        header.height = any(members, "height");
        header.epoch = any(members, "epoch");
        header.time_ms = any(members, "time_ms");
        header.proposer = members.required_text("proposer", kNameBytesMax);
        bytes(members, "merkle_root", header.merkle_root.bytes);
        header.count = short_number<std::uint32_t>(members, "count");
        keep(members.done());
        return header;
    }

    Transaction transaction(const json& value, const std::string& where) {
        Transaction transaction;
        Members members(value, where);
        transaction.command.id = members.required_text("id", kNameBytesMax);
        transaction.command.sequence = any(members, "sequence");
        transaction.submitter = members.required_text("submitter", kNameBytesMax);
        const auto payload = members.required_text("payload", 2 * kCommandBytes);
        transaction.command.payload.resize(payload.size() / 2);
        if (!from_hex(payload, transaction.command.payload)) refuse(where + ": payload is not hexadecimal");
        keep(members.done());
        return transaction;
    }

    Certificate certificate(const json& value, const std::string& where) {
        Certificate certificate;
        Members members(value, where);
        if (members.required_text("kind", kNameBytesMax) != kCommit) refuse(where + " is not of kind commit");
        certificate.kind = Kind::commit;
        certificate.engine = engine(members);
        certificate.epoch = any(members, "epoch");
        certificate.view = any(members, "view");
        certificate.slot = any(members, "slot");
        bytes(members, "digest", certificate.digest.bytes);
        if (value.contains("recipient"))
            certificate.recipient = short_number<ReplicaId>(members, "recipient");
        if (value.contains("leader_signature"))
            bytes(members, "leader_signature", certificate.leader_signature.emplace());
        if (const auto* list = members.list("votes", kReplicasMax, true))
            for (const auto& one : *list)
                certificate.votes.push_back(vote(one));
        keep(members.done());
        return certificate;
    }

    Vote vote(const json& value) {
        Vote vote;
        Members members(value, "a vote");
        vote.replica = short_number<ReplicaId>(members, "replica");
        bytes(members, "signature", vote.signature);
        if (value.is_object() && value.contains("proof")) bytes(members, "proof", vote.proof.emplace());
        keep(members.done());
        return vote;
    }

    EngineKind engine(Members& members) {
        const auto kind = engine_from(members.required_text("engine", kNameBytesMax));
        if (!kind) refuse("an engine is none that is known");
        return kind.value_or(EngineKind::pbft);
    }

    Hash256 hash(const json& value, const char* name) {
        Hash256 hash;
        const auto* text = value.get_ptr<const std::string*>();
        if (text == nullptr || !from_hex(*text, hash.bytes))
            refuse(fmt::format("{} holds something else than a hash", name));
        return hash;
    }

    void bytes(Members& members, const char* name, std::span<Byte> out) {
        if (!from_hex(members.required_text(name, 2 * out.size()), out))
            refuse(fmt::format("'{}' is not {} bytes in hexadecimal", name, out.size()));
    }

    static std::uint64_t any(Members& members, const char* name) {
        return members.required_number(name, 0, kAnyNumber);
    }

    template<class Number>
    static Number short_number(Members& members, const char* name) {
        return static_cast<Number>(members.required_number(name, 0, std::numeric_limits<Number>::max()));
    }

    void keep(const Result<void>& done) {
        if (!done && !problem_) problem_ = done.error();
    }
    void refuse(std::string what) { keep(fail(Errc::invalid_argument, std::move(what))); }

    std::optional<Error> problem_;
};

} // namespace

json to_json(const Proof& proof) {
    json epochs = json::array(), path = json::array();
    for (const auto& [block, commit] : proof.epochs)
        epochs.push_back({{"block", block_json(**block)}, {"commit", certificate_json(commit)}});
    for (const auto& sibling : proof.path)
        path.push_back(sibling.hex());
    return {{"format", kFormat},
            {"cluster", proof.cluster},
            {"lane", proof.lane},
            {"genesis", committee_json(proof.genesis)},
            {"epochs", std::move(epochs)},
            {"header", header_json(proof.header)},
            {"index", proof.index},
            {"path", std::move(path)},
            {"transaction", transaction_json(proof.transaction)},
            {"commit", certificate_json(proof.commit)}};
}

Result<Proof> parse_proof(std::string_view text, const std::string& origin) {
    constexpr const char* kRemedy =
        "give what `consensus proof` or GET /v1/consensus/proof answered, as it is";
    if (text.size() > kProofJsonBytesMax)
        return fail(Errc::too_large, fmt::format("{} has more than {} bytes", origin, kProofJsonBytesMax),
                    kRemedy);
    const auto parsed = parse_json(text);
    if (!parsed) return fail(Errc::invalid_argument, fmt::format("{} is not whole JSON", origin), kRemedy);
    Reader reader;
    auto proof = reader.proof(*parsed);
    if (reader.problem())
        return fail(reader.problem()->code,
                    fmt::format("{} is no proof: {}", origin, reader.problem()->message), kRemedy);
    return proof;
}

} // namespace dwcp::gateway
