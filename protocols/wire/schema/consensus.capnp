# What the replicas of a consensus lane say to each other, and what each keeps of it on disk.
# Fields are only ever added at the end; their meaning never changes within a wire version.
# Hashes and keys are Data of 32 bytes, signatures of 64, VRF proofs of 80; where one may be missing it is empty.
@0xc4e19d27b85a3f60;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("dwcp::wire::consensus_schema");

struct Transaction {
  id        @0 :Text;
  sequence  @1 :UInt64;
  payload   @2 :Data;
  submitter @3 :Text;                 # node
  signature @4 :Data;                 # empty in lanes that want none
}

struct Block {
  height       @0 :UInt64;
  epoch        @1 :UInt64;
  timeMs       @2 :UInt64;
  proposer     @3 :Text;
  transactions @4 :List(Transaction);
}

struct Statement {
  kind   @0 :UInt8;
  engine @1 :UInt8;
  signer @2 :UInt16;
  epoch  @3 :UInt64;
  view   @4 :UInt64;
  slot   @5 :UInt64;
  digest @6 :Data;
  annex  @7 :Data;                    # empty: zero
}

struct Vote {
  replica   @0 :UInt16;
  signature @1 :Data;
  proof     @2 :Data;                 # may be missing
}

struct Certificate {
  kind            @0 :UInt8;
  engine          @1 :UInt8;
  hasRecipient    @2 :Bool;
  recipient       @3 :UInt16;
  epoch           @4 :UInt64;
  view            @5 :UInt64;
  slot            @6 :UInt64;
  digest          @7 :Data;
  leaderSignature @8 :Data;           # may be missing
  votes           @9 :List(Vote);     # by ascending replica
}

struct DecidedBlock {
  block @0 :Block;
  proof @1 :Certificate;
}

struct ViewChange {
  stable      @0 :UInt64;
  stableProof @1 :Certificate;
  prepared    @2 :List(Certificate);
}

# The view changes of a new view show mostly the same votes: each vote stands once, in a shared certificate that
# has them all, and a certificate of a view change names those that it has.
struct SharedCertificate {
  shared       @0 :UInt32;            # index in NewView.certificates
  hasRecipient @1 :Bool;
  recipient    @2 :UInt16;
  votes        @3 :List(UInt16);      # indices of votes in it
}

struct SignedViewChange {
  replica     @0 :UInt16;
  stable      @1 :UInt64;
  stableProof @2 :SharedCertificate;
  prepared    @3 :List(SharedCertificate);
  signature   @4 :Data;
}

struct Reproposal {
  slot      @0 :UInt64;
  digest    @1 :Data;
  signature @2 :Data;
}

struct NewView {
  certificates @0 :List(Certificate); # without recipients
  changes      @1 :List(SignedViewChange);
  proposals    @2 :List(Reproposal);
}

struct Evidence {
  first           @0 :Statement;
  firstSignature  @1 :Data;
  second          @2 :Statement;
  secondSignature @3 :Data;
}

struct Member {
  name @0 :Text;
  key  @1 :Data;
}

struct Committee {
  epoch     @0 :UInt64;
  first     @1 :UInt64;
  engine    @2 :UInt8;
  lPermille @3 :UInt32;
  oPermille @4 :UInt32;
  members   @5 :List(Member);
}

struct Reconfigure {
  fromEpoch @0 :UInt64;
  engine    @1 :UInt8;
  lPermille @2 :UInt32;
  oPermille @3 :UInt32;
  members   @4 :List(Member);
}

struct StatePair {
  key   @0 :Data;
  value @1 :Data;
}

struct Signed {
  statement @0 :Statement;
  signature @1 :Data;
  union {
    propose        @2 :Block;
    vote :group {
      leaderSignature @3 :Data;       # may be missing
      proof           @4 :Data;       # may be missing
    }
    checkpointVote @5 :Void;
    wish           @6 :Void;
    viewChange     @7 :ViewChange;
    newView        @8 :NewView;
  }
}

struct Forward {
  transactions @0 :List(Transaction);
  toAll        @1 :Bool;
}

struct Hello {
  asks                 @0 :Bool;
  epoch                @1 :UInt64;
  view                 @2 :UInt64;
  decided              @3 :UInt64;
  stable               @4 :UInt64;
  lastFromYou          @5 :Statement; # may be missing
  lastFromYouSignature @6 :Data;      # may be missing
}

struct FetchBlocks {
  from     @0 :UInt64;
  bytesMax @1 :UInt32;
}

struct Blocks {
  blocks   @0 :List(DecidedBlock);
  tip      @1 :UInt64;
  earliest @2 :UInt64;
}

struct FetchContent {
  slot   @0 :UInt64;
  digest @1 :Data;
}

struct FetchSnapshot {
  height @0 :UInt64;
  after  @1 :Data;
}

struct SnapshotPart {
  height @0 :UInt64;
  proof  @1 :Certificate;
  chain  @2 :Data;
  epochs @3 :List(DecidedBlock);
  after  @4 :Data;
  pairs  @5 :List(StatePair);
  last   @6 :Bool;
  stateRoot @7 :Data;
}

struct Message {
  from @0 :Text;                      # replica
  union {
    signed        @1  :Signed;
    forward       @2  :Forward;
    hello         @3  :Hello;
    fetchBlocks   @4  :FetchBlocks;
    blocks        @5  :Blocks;
    fetchContent  @6  :FetchContent;
    content       @7  :Block;
    fetchSnapshot @8  :FetchSnapshot;
    snapshotPart  @9  :SnapshotPart;
    accuse        @10 :Evidence;
  }
}
