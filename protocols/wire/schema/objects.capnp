# Records in the store: manifests (committed through the metadata lane), the manager's journal, transactions.
@0xb8c2f0a35d9e4471;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("dwcp::wire::schema");

struct BlockRef {
  # The hash stands in four words, so that a list of references is flat: 48 bytes each.
  hash0 @0 :UInt64;
  hash1 @1 :UInt64;
  hash2 @2 :UInt64;
  hash3 @3 :UInt64;
  rawBytes @4 :UInt32;
  storedBytes @5 :UInt32;
  codec @6 :UInt8;
  level @7 :Int8;
}

struct BlockList {
  blocks @0 :List(BlockRef);
}

struct Manifest {
  key @0 :Text;
  workload @1 :Text;
  sizeBytes @2 :UInt64;
  sha256 @3 :Data;
  contentType @4 :Text;
  createdMs @5 :Int64;
  replicas @6 :List(Text);
  # Small objects list their blocks here; larger ones list index blocks, each of which holds a BlockList.
  blocks @7 :List(BlockRef);
  indexBlocks @8 :List(BlockRef);
}

struct MetadataCommand {
  union {
    commit @0 :Manifest;
    erase @1 :Text;
  }
  # The lane's index that the proposer had applied when it sealed the workload: see Metadata::apply().
  base @2 :UInt64;
  # Decided when the command is applied; missing in what earlier versions wrote: none.
  condition @3 :Condition;
}

struct Condition {
  kind @0 :UInt8;
  versions @1 :List(Data);
}

struct JournalRecord {
  enum State {
    open @0;       # Admitted; blocks are arriving. After a crash its client is gone: it is reported as interrupted.
    sealed @1;     # All blocks are on this node's disk: it will be completed, crash or not.
    committed @2;  # The manifest is committed; the receipt can be asked for again.
    failed @3;     # Given up, with the reason.
  }
  state @0 :State;
  manifest @1 :Manifest;
  reason @2 :Text;
  updatedMs @3 :Int64;
  placement @4 :List(Text);
  index @5 :UInt64;
  # What the blocks add up to, from the seal on: the receipt is the same in every life of the node, and a finished record
  # needs no block list.
  blocks @6 :UInt64;
  storedBytes @7 :UInt64;
  codecs @8 :List(CodecCount);
  # The metadata lane's index applied here when the workload was sealed.
  base @9 :UInt64;
  condition @10 :Condition;
  # Why a failed workload failed: an Errc; 0 in what earlier versions wrote.
  failure @11 :UInt16;
  # Of a multi-part upload: until when its parts are kept; 0: this is none.
  expiresMs @12 :Int64;
  # The codec that the client pinned: 0 none is pinned, else 1 + its number, and its level.
  pinnedCodec @13 :UInt8;
  pinnedLevel @14 :Int8;
}

struct UploadPart {
  # A part of a multi-part upload that was acknowledged.
  number @0 :UInt16;
  sizeBytes @1 :UInt64;
  sha256 @2 :Data;
  updatedMs @3 :Int64;
  blocks @4 :List(BlockRef);
}

struct CodecCount {
  codec @0 :UInt8;
  level @1 :Int8;
  blocks @2 :UInt64;
}

struct TransactionRecord {
  # What a node keeps of a committed transaction; the lane's log keeps its payload.
  index @0 :UInt64;
  timeMs @1 :UInt64;
  proposer @2 :Text;
  payloadBytes @3 :UInt64;
  payloadSha256 @4 :Data;
}

struct NodeSpace {
  # What a node tells the others about its room for blocks.
  capacityBytes @0 :UInt64;
  usedBytes @1 :UInt64;
  draining @2 :Bool;
}
