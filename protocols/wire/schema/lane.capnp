# Messages between the members of a lane, and what each member keeps of it on disk.
# Fields are only ever added at the end; their meaning never changes within a wire version.
@0xd1f2b7c4a9e05613;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("dwcp::wire::schema");

struct LaneEntry {
  timeMs   @0 :UInt64;
  proposer @1 :Text;
  id       @2 :Text;
  payload  @3 :Data;
  sequence @4 :UInt64;
}

struct LaneMessage {
  epoch @0 :UInt64;                   # The life of the sequencer that this belongs to.
  union {
    propose :group {                  # member -> sequencer
      id      @1 :Text;
      payload @2 :Data;
      sequence @19 :UInt64;
    }
    proposed :group {                 # the answer
      id      @3 :Text;
      outcome @4 :UInt8;              # 0 accepted, 1 committed, 2 refused
      index   @5 :UInt64;             # of the committed entry
      code    @6 :UInt8;              # Errc, if refused
      reason  @7 :Text;
    }
    append :group {                   # sequencer -> member; without entries it is heartbeat and commit notice
      round     @8  :UInt64;
      previous  @9  :UInt64;          # index before the first entry
      chain     @10 :Data;            # digest of the log up to `previous`, 32 bytes
      entries   @11 :List(LaneEntry);
      committed @12 :UInt64;
      available @13 :Bool;
      note      @14 :Text;            # why the sequencer refuses to sequence; empty: it does not
    }
    appended :group {                 # the answer
      round     @15 :UInt64;
      durable   @16 :UInt64;          # highest index on the member's disk
      seenEpoch @17 :UInt64;
      diverged  @18 :Bool;            # the member's log is not a prefix of the sequencer's
    }
  }
}

struct LaneRecord {                   # one entry of the log on disk
  index @0 :UInt64;
  entry @1 :LaneEntry;
  chain @2 :Data;                     # digest of the log up to and with this entry, 32 bytes
}

struct LaneHardState {
  epoch  @0 :UInt64;
  formed @1 :Bool;
  last   @2 :UInt64;
  chain  @3 :Data;
}

struct LaneOutcome {                  # what an applied command was answered
  id     @0 :Text;
  timeMs @1 :UInt64;
  result @2 :Data;
}
