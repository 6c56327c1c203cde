#include "protocols/wire/consensus.hpp"
#include "protocols/wire/consensus_fields.hpp"

namespace dwcp::wire::consensus_fields {
namespace {

struct SignedWriter {
    schema::Signed::Builder out;

    void operator()(const consensus::Propose& propose) {
        consensus_fields::write(out.initPropose(), **propose.block);
    }
    void operator()(const consensus::VoteFor& vote) {
        auto body = out.initVote();
        body.setLeaderSignature(blob_if(vote.leader_signature));
        body.setProof(blob_if(vote.proof));
    }
    void operator()(const consensus::CheckpointVote&) { out.setCheckpointVote(); }
    void operator()(const consensus::Wish&) { out.setWish(); }
    void operator()(const consensus::ViewChange& change) {
        consensus_fields::write(out.initViewChange(), change);
    }
    void operator()(const consensus::NewView& new_view) {
        consensus_fields::write(out.initNewView(), new_view);
    }
};

struct MessageWriter {
    schema::Message::Builder out;

    void operator()(const consensus::Signed& message) {
        auto body = out.initSigned();
        consensus_fields::write(body.initStatement(), message.statement);
        body.setSignature(blob(ByteView(message.signature)));
        std::visit(SignedWriter{body}, message.body);
    }
    void operator()(const consensus::Forward& forward) {
        auto body = out.initForward();
        write_list(body.initTransactions(static_cast<unsigned>(forward.transactions.size())),
                   forward.transactions);
        body.setToAll(forward.to_all);
    }
    void operator()(const consensus::Hello& hello) {
        auto body = out.initHello();
        body.setAsks(hello.asks);
        body.setEpoch(hello.epoch);
        body.setView(hello.view);
        body.setDecided(hello.decided);
        body.setStable(hello.stable);
        if (hello.last_from_you) consensus_fields::write(body.initLastFromYou(), *hello.last_from_you);
        body.setLastFromYouSignature(blob_if(hello.last_from_you_signature));
    }
    void operator()(const consensus::FetchBlocks& fetch) {
        auto body = out.initFetchBlocks();
        body.setFrom(fetch.from);
        body.setBytesMax(fetch.bytes_max);
    }
    void operator()(const consensus::Blocks& blocks) {
        auto body = out.initBlocks();
        write_list(body.initBlocks(static_cast<unsigned>(blocks.blocks.size())), blocks.blocks);
        body.setTip(blocks.tip);
        body.setEarliest(blocks.earliest);
    }
    void operator()(const consensus::FetchContent& fetch) {
        auto body = out.initFetchContent();
        body.setSlot(fetch.slot);
        body.setDigest(blob(fetch.digest.view()));
    }
    void operator()(const consensus::Content& content) {
        consensus_fields::write(out.initContent(), **content.block);
    }
    void operator()(const consensus::FetchSnapshot& fetch) {
        auto body = out.initFetchSnapshot();
        body.setHeight(fetch.height);
        body.setAfter(blob(as_bytes(fetch.after)));
    }
    void operator()(const consensus::SnapshotPart& part) {
        auto body = out.initSnapshotPart();
        body.setHeight(part.height);
        consensus_fields::write(body.initProof(), part.proof);
        body.setChain(blob(part.chain.view()));
        body.setStateRoot(blob(part.state_root.view()));
        write_list(body.initEpochs(static_cast<unsigned>(part.epochs.size())), part.epochs);
        body.setAfter(blob(as_bytes(part.after)));
        write_list(body.initPairs(static_cast<unsigned>(part.pairs.size())), part.pairs);
        body.setLast(part.last);
    }
    void operator()(const consensus::Accuse& accuse) {
        consensus_fields::write(out.initAccuse(), accuse.evidence);
    }
};

Problem read_vote(schema::Signed::Vote::Reader from, consensus::VoteFor& out) {
    if (!read_optional(from.getLeaderSignature(), out.leader_signature))
        return "a leader's signature is not 64 bytes";
    return read_optional(from.getProof(), out.proof) ? nullptr : "a VRF proof is not 80 bytes";
}

Problem read(schema::Signed::Reader from, consensus::Signed& out) {
    if (const Problem problem = consensus_fields::read(from.getStatement(), out.statement)) return problem;
    if (!read_exactly(from.getSignature(), out.signature)) return "a signature is not 64 bytes";
    switch (from.which()) {
    case schema::Signed::PROPOSE:
        return consensus_fields::read(from.getPropose(), out.body.emplace<consensus::Propose>().block);
    case schema::Signed::VOTE:
        return read_vote(from.getVote(), out.body.emplace<consensus::VoteFor>());
    case schema::Signed::CHECKPOINT_VOTE:
        out.body.emplace<consensus::CheckpointVote>();
        return nullptr;
    case schema::Signed::WISH:
        out.body.emplace<consensus::Wish>();
        return nullptr;
    case schema::Signed::VIEW_CHANGE:
        return consensus_fields::read(from.getViewChange(), out.body.emplace<consensus::ViewChange>());
    case schema::Signed::NEW_VIEW:
        return consensus_fields::read(from.getNewView(), out.body.emplace<consensus::NewView>());
    }
    return "kind of signed message is unknown";
}

Problem read(schema::Forward::Reader from, consensus::Forward& out) {
    out.to_all = from.getToAll();
    return read_transactions(from.getTransactions(), out.transactions);
}

Problem read(schema::Hello::Reader from, consensus::Hello& out) {
    out.asks = from.getAsks();
    out.epoch = from.getEpoch();
    out.view = from.getView();
    out.decided = from.getDecided();
    out.stable = from.getStable();
    if (from.hasLastFromYou()) {
        if (const Problem problem =
                consensus_fields::read(from.getLastFromYou(), out.last_from_you.emplace()))
            return problem;
    }
    return read_optional(from.getLastFromYouSignature(), out.last_from_you_signature)
               ? nullptr
               : "a signature is not 64 bytes";
}

Problem read(schema::FetchBlocks::Reader from, consensus::FetchBlocks& out) {
    out.from = from.getFrom();
    out.bytes_max = from.getBytesMax();
    return nullptr;
}

Problem read(schema::Blocks::Reader from, consensus::Blocks& out) {
    out.tip = from.getTip();
    out.earliest = from.getEarliest();
    return read_list(from.getBlocks(), kBlocksMax, "too many blocks", out.blocks);
}

Problem read(schema::FetchContent::Reader from, consensus::FetchContent& out) {
    out.slot = from.getSlot();
    return read_hash(from.getDigest(), out.digest) ? nullptr : "a digest is not 32 bytes";
}

Problem read(schema::FetchSnapshot::Reader from, consensus::FetchSnapshot& out) {
    out.height = from.getHeight();
    return read_data(from.getAfter(), kStateKeyBytesMax, out.after) ? nullptr : "a key is too long";
}

Problem read(schema::SnapshotPart::Reader from, consensus::SnapshotPart& out) {
    out.height = from.getHeight();
    if (const Problem problem = consensus_fields::read(from.getProof(), out.proof)) return problem;
    if (!read_hash(from.getChain(), out.chain) || !read_hash(from.getStateRoot(), out.state_root))
        return "a digest is not 32 bytes";
    if (const Problem problem = read_list(from.getEpochs(), kBlocksMax, "too many epochs", out.epochs))
        return problem;
    if (!read_data(from.getAfter(), kStateKeyBytesMax, out.after)) return "a key is too long";
    if (const Problem problem =
            read_list(from.getPairs(), kSnapshotPairsMax, "too many keys of the state", out.pairs))
        return problem;
    out.last = from.getLast();
    return nullptr;
}

} // namespace

void write(schema::StatePair::Builder out, const consensus::StatePair& pair) {
    out.setKey(blob(as_bytes(pair.key)));
    out.setValue(blob(ByteView(pair.value)));
}

Problem read(schema::StatePair::Reader from, consensus::StatePair& out) {
    if (!read_data(from.getKey(), kStateKeyBytesMax, out.key)) return "a key of the state is too long";
    const auto value = from.getValue();
    if (value.size() > kStateValueBytesMax) return "a value of the state is too large";
    out.value.assign(value.begin(), value.end());
    return nullptr;
}

void write(schema::Message::Builder out, const consensus::Message& message) {
    out.setFrom(text(message.from));
    std::visit(MessageWriter{out}, message.body);
}

Problem read(schema::Message::Reader from, consensus::Message& out) {
    using namespace consensus;
    if (!read_text(from.getFrom(), kReplicaNameBytesMax, out.from) || !is_replica_name(out.from))
        return "the sender's name is malformed";
    switch (from.which()) {
    case schema::Message::SIGNED:
        return read(from.getSigned(), out.body.emplace<Signed>());
    case schema::Message::FORWARD:
        return read(from.getForward(), out.body.emplace<Forward>());
    case schema::Message::HELLO:
        return read(from.getHello(), out.body.emplace<Hello>());
    case schema::Message::FETCH_BLOCKS:
        return read(from.getFetchBlocks(), out.body.emplace<FetchBlocks>());
    case schema::Message::BLOCKS:
        return read(from.getBlocks(), out.body.emplace<Blocks>());
    case schema::Message::FETCH_CONTENT:
        return read(from.getFetchContent(), out.body.emplace<FetchContent>());
    case schema::Message::CONTENT:
        return read(from.getContent(), out.body.emplace<Content>().block);
    case schema::Message::FETCH_SNAPSHOT:
        return read(from.getFetchSnapshot(), out.body.emplace<FetchSnapshot>());
    case schema::Message::SNAPSHOT_PART:
        return read(from.getSnapshotPart(), out.body.emplace<SnapshotPart>());
    case schema::Message::ACCUSE:
        return read(from.getAccuse(), out.body.emplace<Accuse>().evidence);
    }
    return "kind of message is unknown";
}

} // namespace dwcp::wire::consensus_fields
