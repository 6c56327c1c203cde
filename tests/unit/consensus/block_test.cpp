#include "protocols/consensus/block.hpp"
#include "protocols/crypto/merkle.hpp"
#include "protocols/wire/consensus.hpp"
#include "tests/unit/consensus/committee_rig.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace {

using namespace dwcp;
using namespace dwcp::consensus;

Reconfigure to_seven(Epoch from) {
    return {.from_epoch = from,
            .engine = EngineKind::probft,
            .samples = {},
            .members = test::committee_of(7, EngineKind::probft).members};
}

Transaction of(const Reconfigure& change) {
    Transaction transaction;
    transaction.command = command_of(change);
    transaction.submitter = "site-0";
    return transaction;
}

} // namespace

TEST_CASE("every field of a block and of its commands is in its digest") {
    const auto committee = test::committee_of(4, EngineKind::pbft);
    const auto good =
        **test::block_of(committee, 5, {test::transaction_number(1), test::transaction_number(2)});
    std::set<Hash256> digests{good.digest()};
    const std::function<void(Block&)> changes[] = {
        [](Block& b) { b.height = 6; },
        [](Block& b) { b.epoch = 2; },
        [](Block& b) { b.time_ms += 1; },
        [](Block& b) { b.proposer = "site-3"; },
        [](Block& b) { b.transactions.pop_back(); },
        [](Block& b) { b.transactions.push_back(b.transactions.back()); },
        [](Block& b) { std::swap(b.transactions[0], b.transactions[1]); },
        [](Block& b) { b.transactions[0].command.id += "x"; },
        [](Block& b) { b.transactions[0].command.payload.push_back(0); },
        [](Block& b) { b.transactions[0].command.sequence += 1; },
        [](Block& b) { b.transactions[0].submitter = "site-9"; },
        [](Block& b) { b.transactions.clear(); }};
    for (const auto& change : changes) {
        auto other = good;
        change(other);
        CHECK(digests.insert(other.digest()).second);
    }
    CHECK(header_of(good).digest() == good.digest());
    CHECK(header_of(good).count == 2);
}

TEST_CASE("an empty block is the same on every member") {
    CHECK(Block::empty(2, 9) == Block::empty(2, 9));
    CHECK(Block::empty(2, 9).transactions.empty());
    CHECK(Block::empty(2, 9).digest() != Block::empty(2, 10).digest());
    CHECK(Block::empty(2, 9).digest() != Block::empty(3, 9).digest());
}

TEST_CASE("one command is shown to be in a block without the others") {
    std::vector<Transaction> transactions;
    std::vector<Hash256> leaves;
    for (unsigned i = 0; i < 7; ++i) {
        transactions.push_back(test::transaction_number(i));
        leaves.push_back(crypto::merkle_leaf(transactions.back().digest().view()));
    }
    const auto block = test::block_of(test::committee_of(4, EngineKind::pbft), 1, transactions);
    const auto header = header_of(**block);
    for (std::size_t i = 0; i < 7; ++i) {
        const auto path = crypto::merkle_path(leaves, i);
        const auto leaf = crypto::merkle_leaf(transactions[i].digest().view());
        CHECK(crypto::merkle_verify(leaf, i, header.count, path, header.merkle_root));
        CHECK_FALSE(crypto::merkle_verify(leaf, (i + 1) % 7, header.count, path, header.merkle_root));
    }
}

TEST_CASE("the bytes of a transaction are no less than what it takes encoded") {
    const auto committee = test::committee_of(4, EngineKind::pbft);
    const auto bare = wire::encode(**test::block_of(committee, 1)).size();
    for (const std::size_t payload : {1U, 7U, 8U, 9U, 100U, 32768U}) {
        for (const std::size_t id : {1U, 7U, 8U, 64U}) {
            Transaction transaction;
            transaction.command = {std::string(id, 'i'), Bytes(payload, 'p'), 1};
            transaction.submitter = std::string(63, 's');
            transaction.signature.fill(7);
            const auto encoded =
                wire::encode(**test::block_of(committee, 1, std::vector<Transaction>(3, transaction)));
            // A list has one word more than its elements.
            CHECK(encoded.size() <= bare + 8 + 3 * transaction.bytes());
        }
    }
}

TEST_CASE("the chain follows the blocks and their order") {
    const Hash256 start;
    const auto a = test::hash_of("a");
    const auto b = test::hash_of("b");
    CHECK(next_chain(next_chain(start, a), b) != next_chain(next_chain(start, b), a));
    CHECK(next_chain(start, a) == crypto::sha256({start.view(), a.view()}));
}

TEST_CASE("a membership change is a command that comes back whole") {
    const auto change = to_seven(1);
    const auto command = command_of(change);
    CHECK(command.id.starts_with(kReconfigureId));
    CHECK(command.id.size() <= wire::kCommandIdBytesMax);
    const auto read = reconfiguration_in(command);
    REQUIRE(read);
    REQUIRE(*read);
    CHECK(**read == change);
    CHECK(command_of(change) == command);
    CHECK(command_of(to_seven(2)).id != command.id);
    CHECK(command_of(to_seven(~0ULL)).id.size() <= wire::kCommandIdBytesMax);
}

TEST_CASE("an ordinary command changes no membership, whatever it holds") {
    auto command = command_of(to_seven(1));
    command.id = "client";
    const auto read = reconfiguration_in(command);
    REQUIRE(read);
    CHECK_FALSE(read->has_value());
}

TEST_CASE("a membership change that is not sound is refused") {
    auto command = command_of(to_seven(1));
    command.payload = to_bytes("nonsense");
    CHECK(reconfiguration_in(command).error().code == Errc::invalid_argument);
    command.payload.clear();
    CHECK(reconfiguration_in(command).error().code == Errc::invalid_argument);
    CHECK(reconfiguration_in(command_of(to_seven(0))).error().code == Errc::invalid_argument);
    auto twice = to_seven(1);
    twice.members[1] = twice.members[0];
    CHECK(reconfiguration_in(command_of(twice)).error().code == Errc::invalid_argument);
    auto nobody = to_seven(1);
    nobody.members.clear();
    CHECK(reconfiguration_in(command_of(nobody)).error().code == Errc::invalid_argument);
}

TEST_CASE("the first sound change for a block's epoch makes the next committee") {
    const auto committee = test::committee_of(4, EngineKind::pbft);
    auto unsound = to_seven(1);
    unsound.members.clear();
    auto late = to_seven(1);
    late.members.pop_back();
    const auto block = test::block_of(
        committee, 64,
        {test::transaction_number(1), of(to_seven(2)), of(unsound), of(to_seven(1)), of(late)});
    const auto next = next_committee(committee, **block);
    REQUIRE(next);
    CHECK(next->epoch == 2);
    CHECK(next->first == 65);
    CHECK(next->engine == EngineKind::probft);
    CHECK(next->members == to_seven(1).members);
    CHECK(check(*next));
    // The same block again is decided by another epoch, for which it says nothing that counts...
    CHECK(next_committee(*next, **test::block_of(*next, 65, {of(to_seven(1)), of(late)})) == std::nullopt);
    // ...but what was too early then is due now.
    CHECK(next_committee(*next, **test::block_of(*next, 65, {of(to_seven(2))})));
    CHECK_FALSE(next_committee(committee, **test::block_of(committee, 64, {test::transaction_number(1)})));
    CHECK_FALSE(next_committee(committee, **test::block_of(committee, 64)));
}
