#include "protocols/wire/consensus_fields.hpp"

#include "protocols/wire/consensus.hpp"
#include "protocols/wire/limits.hpp"

#include <algorithm>

namespace dwcp::wire::consensus_fields {

kj::ArrayPtr<const kj::byte> blob(ByteView bytes) { return kj::arrayPtr(bytes.data(), bytes.size()); }

capnp::Text::Reader text(const std::string& from) { return {from.c_str(), from.size()}; }

bool read_text(capnp::Text::Reader from, std::size_t bytes_max, std::string& out) {
    if (from.size() > bytes_max) return false;
    out.assign(from.begin(), from.end());
    return true;
}

bool read_data(capnp::Data::Reader from, std::size_t bytes_max, std::string& out) {
    if (from.size() > bytes_max) return false;
    out.assign(from.begin(), from.end());
    return true;
}

bool read_hash(capnp::Data::Reader from, Hash256& out) { return read_exactly(from, out.bytes); }

namespace {

/// Zero takes no room.
template<std::size_t N>
kj::ArrayPtr<const kj::byte> blob_unless_zero(const std::array<Byte, N>& bytes) {
    const bool zero = bytes == std::array<Byte, N>{};
    return zero ? kj::ArrayPtr<const kj::byte>{} : blob(ByteView(bytes));
}

template<std::size_t N>
bool read_or_zero(capnp::Data::Reader from, std::array<Byte, N>& out) {
    out = {};
    return from.size() == 0 || read_exactly(from, out);
}

bool read_engine(std::uint8_t from, consensus::EngineKind& out) {
    if (from < static_cast<std::uint8_t>(consensus::EngineKind::pbft) ||
        from > static_cast<std::uint8_t>(consensus::EngineKind::bullshark))
        return false;
    out = static_cast<consensus::EngineKind>(from);
    return true;
}

bool read_kind(std::uint8_t from, consensus::Kind& out) {
    if (from < static_cast<std::uint8_t>(consensus::Kind::propose) ||
        from > static_cast<std::uint8_t>(consensus::Kind::command))
        return false;
    out = static_cast<consensus::Kind>(from);
    return true;
}

unsigned count_of(const auto& values) { return static_cast<unsigned>(values.size()); }

} // namespace

void write(schema::Transaction::Builder out, const consensus::Transaction& transaction) {
    out.setId(text(transaction.command.id));
    out.setSequence(transaction.command.sequence);
    out.setPayload(blob(ByteView(transaction.command.payload)));
    out.setSubmitter(text(transaction.submitter));
    out.setSignature(blob_unless_zero(transaction.signature));
}

Problem read(schema::Transaction::Reader from, consensus::Transaction& out) {
    if (!read_text(from.getId(), kCommandIdBytesMax, out.command.id) || out.command.id.empty())
        return "a command's id is empty or too long";
    out.command.sequence = from.getSequence();
    const auto payload = from.getPayload();
    if (payload.size() == 0 || payload.size() > consensus::kCommandBytes)
        return "a command is empty or too large";
    out.command.payload.assign(payload.begin(), payload.end());
    // Unnamed where nobody is asked to sign.
    if (!read_text(from.getSubmitter(), kNodeNameBytesMax, out.submitter) ||
        (!out.submitter.empty() && !consensus::is_node_name(out.submitter)))
        return "a submitter's name is malformed";
    return read_or_zero(from.getSignature(), out.signature) ? nullptr : "a signature is not 64 bytes";
}

void write(schema::Vote::Builder out, const consensus::Vote& vote) {
    out.setReplica(vote.replica);
    out.setSignature(blob(ByteView(vote.signature)));
    out.setProof(blob_if(vote.proof));
}

Problem read(schema::Vote::Reader from, consensus::Vote& out) {
    out.replica = from.getReplica();
    if (!read_exactly(from.getSignature(), out.signature)) return "a signature is not 64 bytes";
    return read_optional(from.getProof(), out.proof) ? nullptr : "a VRF proof is not 80 bytes";
}

void write(schema::Reproposal::Builder out, const consensus::Reproposal& proposal) {
    out.setSlot(proposal.slot);
    out.setDigest(blob(proposal.digest.view()));
    out.setSignature(blob(ByteView(proposal.signature)));
}

Problem read(schema::Reproposal::Reader from, consensus::Reproposal& out) {
    out.slot = from.getSlot();
    if (!read_hash(from.getDigest(), out.digest)) return "a digest is not 32 bytes";
    return read_exactly(from.getSignature(), out.signature) ? nullptr : "a signature is not 64 bytes";
}

void write(schema::Member::Builder out, const consensus::Member& member) {
    out.setName(text(member.name));
    out.setKey(blob(member.key.view()));
}

Problem read(schema::Member::Reader from, consensus::Member& out) {
    if (!read_text(from.getName(), consensus::kReplicaNameBytesMax, out.name) ||
        !consensus::is_replica_name(out.name))
        return "a replica's name is malformed";
    return read_exactly(from.getKey(), out.key.bytes) ? nullptr : "a key is not 32 bytes";
}

Problem read_transactions(capnp::List<schema::Transaction>::Reader from,
                          std::vector<consensus::Transaction>& out) {
    if (from.size() > consensus::kBlockCommandsMax) return "too many commands";
    std::size_t bytes = 0;
    for (unsigned i = 0; i < from.size(); ++i) {
        if (const Problem problem = read(from[i], out.emplace_back())) return problem;
        bytes += out.back().bytes();
        if (bytes > consensus::kBlockBytesMax) return "commands are too large together";
    }
    return nullptr;
}

void write(schema::Block::Builder out, const consensus::Block& block) {
    out.setHeight(block.height);
    out.setEpoch(block.epoch);
    out.setTimeMs(block.time_ms);
    out.setProposer(text(block.proposer));
    write_list(out.initTransactions(count_of(block.transactions)), block.transactions);
}

Problem read(schema::Block::Reader from, consensus::Block& out) {
    out.height = from.getHeight();
    out.epoch = from.getEpoch();
    out.time_ms = from.getTimeMs();
    if (!read_text(from.getProposer(), kNodeNameBytesMax, out.proposer) ||
        (!out.proposer.empty() && !consensus::is_node_name(out.proposer)))
        return "the proposer's name is malformed";
    return read_transactions(from.getTransactions(), out.transactions);
}

Problem read(schema::Block::Reader from, consensus::BlockRef& out) {
    consensus::Block block;
    if (const Problem problem = read(from, block)) return problem;
    out = std::make_shared<const consensus::SealedBlock>(std::move(block));
    return nullptr;
}

void write(schema::Statement::Builder out, const consensus::Statement& statement) {
    out.setKind(static_cast<std::uint8_t>(statement.kind));
    out.setEngine(static_cast<std::uint8_t>(statement.engine));
    out.setSigner(statement.signer);
    out.setEpoch(statement.epoch);
    out.setView(statement.view);
    out.setSlot(statement.slot);
    out.setDigest(blob(statement.digest.view()));
    out.setAnnex(blob_unless_zero(statement.annex.bytes));
}

Problem read(schema::Statement::Reader from, consensus::Statement& out) {
    if (!read_kind(from.getKind(), out.kind)) return "kind of statement is unknown";
    if (!read_engine(from.getEngine(), out.engine)) return "engine is unknown";
    out.signer = from.getSigner();
    out.epoch = from.getEpoch();
    out.view = from.getView();
    out.slot = from.getSlot();
    if (!read_hash(from.getDigest(), out.digest)) return "a digest is not 32 bytes";
    return read_or_zero(from.getAnnex(), out.annex.bytes) ? nullptr : "an annex is not 32 bytes";
}

void write(schema::Certificate::Builder out, const consensus::Certificate& certificate) {
    out.setKind(static_cast<std::uint8_t>(certificate.kind));
    out.setEngine(static_cast<std::uint8_t>(certificate.engine));
    out.setHasRecipient(certificate.recipient.has_value());
    out.setRecipient(certificate.recipient.value_or(0));
    out.setEpoch(certificate.epoch);
    out.setView(certificate.view);
    out.setSlot(certificate.slot);
    out.setDigest(blob(certificate.digest.view()));
    out.setLeaderSignature(blob_if(certificate.leader_signature));
    write_list(out.initVotes(count_of(certificate.votes)), certificate.votes);
}

Problem read(schema::Certificate::Reader from, consensus::Certificate& out) {
    if (!read_kind(from.getKind(), out.kind)) return "kind of certificate is unknown";
    if (!read_engine(from.getEngine(), out.engine)) return "engine is unknown";
    out.recipient.reset();
    if (from.getHasRecipient()) out.recipient = from.getRecipient();
    out.epoch = from.getEpoch();
    out.view = from.getView();
    out.slot = from.getSlot();
    if (!read_hash(from.getDigest(), out.digest)) return "a digest is not 32 bytes";
    if (!read_optional(from.getLeaderSignature(), out.leader_signature))
        return "a leader's signature is not 64 bytes";
    return read_list(from.getVotes(), consensus::kReplicasMax, "a certificate has too many votes", out.votes);
}

void write(schema::DecidedBlock::Builder out, const consensus::DecidedBlock& decided) {
    write(out.initBlock(), **decided.block);
    write(out.initProof(), decided.proof);
}

Problem read(schema::DecidedBlock::Reader from, consensus::DecidedBlock& out) {
    if (const Problem problem = read(from.getBlock(), out.block)) return problem;
    return read(from.getProof(), out.proof);
}

void write(schema::ViewChange::Builder out, const consensus::ViewChange& change) {
    out.setStable(change.stable);
    write(out.initStableProof(), change.stable_proof);
    write_list(out.initPrepared(count_of(change.prepared)), change.prepared);
}

Problem read(schema::ViewChange::Reader from, consensus::ViewChange& out) {
    out.stable = from.getStable();
    if (const Problem problem = read(from.getStableProof(), out.stable_proof)) return problem;
    return read_list(from.getPrepared(), consensus::kWindow, "a view change has more slots than the window",
                     out.prepared);
}

void write(schema::Evidence::Builder out, const consensus::Evidence& evidence) {
    write(out.initFirst(), evidence.first);
    out.setFirstSignature(blob(ByteView(evidence.first_signature)));
    write(out.initSecond(), evidence.second);
    out.setSecondSignature(blob(ByteView(evidence.second_signature)));
}

Problem read(schema::Evidence::Reader from, consensus::Evidence& out) {
    if (const Problem problem = read(from.getFirst(), out.first)) return problem;
    if (const Problem problem = read(from.getSecond(), out.second)) return problem;
    const bool exact = read_exactly(from.getFirstSignature(), out.first_signature) &&
                       read_exactly(from.getSecondSignature(), out.second_signature);
    return exact ? nullptr : "a signature is not 64 bytes";
}

void write(schema::Committee::Builder out, const consensus::Committee& committee) {
    out.setEpoch(committee.epoch);
    out.setFirst(committee.first);
    out.setEngine(static_cast<std::uint8_t>(committee.engine));
    out.setLPermille(committee.samples.l_permille);
    out.setOPermille(committee.samples.o_permille);
    write_list(out.initMembers(count_of(committee.members)), committee.members);
}

Problem read(schema::Committee::Reader from, consensus::Committee& out) {
    out.epoch = from.getEpoch();
    out.first = from.getFirst();
    if (!read_engine(from.getEngine(), out.engine)) return "engine is unknown";
    out.samples = {from.getLPermille(), from.getOPermille()};
    return read_list(from.getMembers(), consensus::kReplicasMax, "a committee has too many members",
                     out.members);
}

void write(schema::Reconfigure::Builder out, const consensus::Reconfigure& change) {
    out.setFromEpoch(change.from_epoch);
    out.setEngine(static_cast<std::uint8_t>(change.engine));
    out.setLPermille(change.samples.l_permille);
    out.setOPermille(change.samples.o_permille);
    write_list(out.initMembers(count_of(change.members)), change.members);
}

Problem read(schema::Reconfigure::Reader from, consensus::Reconfigure& out) {
    out.from_epoch = from.getFromEpoch();
    if (!read_engine(from.getEngine(), out.engine)) return "engine is unknown";
    out.samples = {from.getLPermille(), from.getOPermille()};
    return read_list(from.getMembers(), consensus::kReplicasMax, "a committee has too many members",
                     out.members);
}

} // namespace dwcp::wire::consensus_fields
