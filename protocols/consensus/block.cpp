#include "protocols/consensus/block.hpp"

#include "protocols/consensus/layout.hpp"
#include "protocols/crypto/merkle.hpp"

namespace dwcp::consensus {
namespace {

/// Fixed part and padding of an encoded transaction: a word of data, four pointers, the signature, and up to
/// a word of padding after each of id, payload and submitter.
constexpr std::size_t kTransactionOverheadBytes = 8 + 4 * 8 + 64 + 3 * 8;

} // namespace

Hash256 Transaction::digest() const {
    Layout layout("dwcp.consensus.transaction.1");
    layout.text(command.id).number(command.sequence).blob(command.payload).text(submitter);
    return layout.digest();
}

std::size_t Transaction::bytes() const {
    return kTransactionOverheadBytes + command.id.size() + command.payload.size() + submitter.size();
}

Block Block::empty(Epoch epoch, Height height) {
    Block block;
    block.height = height;
    block.epoch = epoch;
    return block;
}

Hash256 Block::merkle_root() const {
    std::vector<Hash256> leaves;
    leaves.reserve(transactions.size());
    for (const auto& transaction : transactions)
        leaves.push_back(crypto::merkle_leaf(transaction.digest().view()));
    return crypto::merkle_root(leaves);
}

Hash256 Block::digest() const { return header_of(*this).digest(); }

Hash256 BlockHeader::digest() const {
    Layout layout("dwcp.consensus.block.1");
    layout.number(height).number(epoch).number(time_ms).text(proposer).hash(merkle_root).number(count);
    return layout.digest();
}

BlockHeader header_of(const Block& block) {
    return {.height = block.height,
            .epoch = block.epoch,
            .time_ms = block.time_ms,
            .proposer = block.proposer,
            .merkle_root = block.merkle_root(),
            .count = static_cast<std::uint32_t>(block.transactions.size())};
}

Hash256 next_chain(const Hash256& previous, const Hash256& block_digest) {
    return crypto::sha256({previous.view(), block_digest.view()});
}

} // namespace dwcp::consensus
