// A node's blocks for tests: a real store in a directory that goes away, and real encoded blocks.
#pragma once

#include "actors/compression/codec.hpp"
#include "actors/manager/block_keeper.hpp"
#include "protocols/base/random.hpp"
#include "protocols/crypto/hash.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <memory>

namespace dwcp::manager::test {

using store::test::require_ok;

/// Block number `number`, unlike any other; compressible.
inline SharedBytes raw_number(std::uint64_t number, std::size_t size = 2000) {
    Random random(number + 1);
    Bytes raw(size);
    for (auto& byte : raw)
        byte = static_cast<Byte>(random.below(16));
    return share(std::move(raw));
}

inline EncodedBlock block_number(std::uint64_t number, std::size_t size = 2000,
                                 CodecChoice codec = {Codec::none, 0}) {
    auto raw = raw_number(number, size);
    const auto hash = crypto::sha256(*raw);
    auto block = compression::encode(codec, std::move(raw), hash);
    REQUIRE(block);
    return std::move(*block);
}

inline BlockRef ref_of(const EncodedBlock& block) {
    return {block.hash, block.codec, block.raw_bytes, static_cast<std::uint32_t>(block.bytes->size())};
}

/// A node's store with its keeper; restart() is the same node in its next life.
class KeeperFixture {
  public:
    explicit KeeperFixture(NodeName name = "a") : name_(std::move(name)) { restart(); }

    void restart() {
        keeper_.reset();
        store_.reset();
        store_ = store::test::open_store(dir_.store());
        keeper_ = std::make_unique<BlockKeeper>(name_, *store_, events_);
    }

    store::Store& store() { return *store_; }
    BlockKeeper& keeper() { return *keeper_; }
    EventRing& events() { return events_; }
    bool has(const EncodedBlock& block) const { return store_->has_block(block.hash); }

    /// What a committed manifest does.
    void refer(const Hash256& hash, const WorkloadId& workload) {
        store::Batch batch;
        batch.put(store::Family::state, BlockKeeper::reference_key(hash, workload), {});
        require_ok(store_->write(batch, store::Sync::no));
    }
    void forget_reference(const Hash256& hash, const WorkloadId& workload) {
        store::Batch batch;
        batch.erase(store::Family::state, BlockKeeper::reference_key(hash, workload));
        require_ok(store_->write(batch, store::Sync::no));
    }

    /// Other bytes under the same hash, as a failing disk would leave.
    void damage(const EncodedBlock& block) {
        auto bytes = *block.bytes;
        bytes[bytes.size() / 2] ^= 1;
        EncodedBlock damaged = block;
        damaged.bytes = share(std::move(bytes));
        require_ok(store_->replace_block(damaged));
    }

    /// A bit that flips on the disk while the node is down. For blocks of more than 100 kB that are flushed.
    void damage_on_disk(const EncodedBlock& block) {
        keeper_.reset();
        store_.reset();
        REQUIRE(
            store::test::flip_bit_on_disk(dir_.store(), ".blob", ByteView(*block.bytes).subspan(90'000, 16)));
        restart();
    }

  private:
    NodeName name_;
    store::test::TempDir dir_;
    EventRing events_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<BlockKeeper> keeper_;
};

} // namespace dwcp::manager::test
