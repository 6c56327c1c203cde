// What the metadata lane drives: which objects exist. Also the reader's side of it.
//
// Life cycle: one a node, outlives the lane's actor. apply() and applied() come from that actor only; find()
// and list() from anywhere.
#pragma once

#include "actors/consensus/state_machine.hpp"
#include "actors/manager/block_keeper.hpp"
#include "actors/manager/listing.hpp"
#include "protocols/wire/manifest.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::manager {

class Metadata final : public consensus::StateMachine {
  public:
    Metadata(NodeName self, store::Store& store, BlockKeeper& keeper);

    Result<void> check(const consensus::Command& command) const override;
    /// Answers with an Outcome. A commit is refused as expired if the lane may have forgotten its id since it
    /// was sealed: it could then be the repetition of one that took effect long ago, and undo what came
    /// after. A condition is decided here, on every node alike, from what is stored at this index.
    Bytes apply(const consensus::Entry& entry, store::Batch& batch) override;
    void applied(const consensus::Entry& entry) override;

    /// nullopt: no such object. The block list is as stored: inline or index blocks.
    Result<std::optional<StoredManifest>> find(const std::string& key) const;
    /// A page of the objects, as S3's ListObjectsV2 cuts it. One damaged record fails nothing: it is counted.
    Result<Listing> list(const ListRequest& request) const;

    /// The last entry applied here; thread-safe.
    consensus::LogIndex last_applied() const;
    /// False if the entry was not applied here by the deadline. Thread-safe.
    bool wait_until_applied(consensus::LogIndex index, TimePoint deadline) const;

    /// What apply() answers.
    enum class Outcome : Byte {
        created = 0,
        replaced = 1, ///< Or erased: the object existed.
        expired = 2,  ///< Nothing was changed, see apply().
        /// Nothing was changed: the command's condition does not hold. What was found instead follows as
        /// text.
        condition_failed = 3,
        /// Nothing was changed on this node: its record of the object is damaged, so it cannot tell.
        undecided = 4,
    };
    /// What apply() answered, taken apart. Errc::internal: it answered nothing of the kind.
    struct Verdict {
        Outcome outcome = Outcome::created;
        std::string found; ///< With condition_failed.
    };
    static Result<Verdict> read_answer(ByteView answer);

    /// A stored manifest as bytes, for the control link, and back.
    static Bytes encode_stored(const StoredManifest& stored);
    static Result<StoredManifest> decode_stored(ByteView bytes);

  private:
    /// Goes on from `from` until the page is full, the end, or the first key of a group; then answers where
    /// to go on. Empty: nowhere.
    Result<std::string> list_some(const ListRequest& request, const std::string& from, Listing& page) const;
    Result<std::vector<Hash256>> all_blocks(const wire::Manifest& manifest) const;
    void drop_references(const wire::Manifest& manifest, store::Batch& batch);

    const NodeName self_;
    store::Store& store_;
    BlockKeeper& keeper_;
    mutable std::mutex applied_mutex_;
    mutable std::condition_variable applied_changed_;
    consensus::LogIndex last_applied_ = 0;
    std::vector<Hash256> dropped_;    ///< By the entry being applied; collected once it is on disk.
    bool references_unknown_ = false; ///< An index block could not be read: keep the entry's pins.
};

} // namespace dwcp::manager
