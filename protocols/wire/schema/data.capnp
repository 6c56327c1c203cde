# Headers of the data plane's frames. A block's bytes and lists of hashes are the frame's payload, not in here.
# Fields are only ever added at the end; their meaning never changes within a wire version.
@0x83c235744abafdd2;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("dwcp::wire::schema");

struct Hello {                 # hello, hello_ack
  clusterId   @0 :Text;
  name        @1 :Text;
  publicKey   @2 :Data;        # 32 bytes
  incarnation @3 :UInt64;
  nonce       @4 :Data;        # 32 bytes
  signature   @5 :Data;        # 64 bytes in hello_ack, empty in hello
  features    @6 :UInt32;      # what the sender can do beyond the first release; not signed: see Feature
}

struct Proof {                 # proof
  signature @0 :Data;          # 64 bytes
}

struct Failure {               # refuse, error
  code    @0 :UInt8;           # Errc
  message @1 :Text;
  remedy  @2 :Text;
}

struct Credit {                # credit
  requests @0 :UInt32;
}

struct Block {                 # block, fetch_block, echo
  hash     @0 :Data;           # SHA-256 of the decoded content, 32 bytes
  codec    @1 :UInt8;
  level    @2 :Int8;
  rawBytes @3 :UInt32;
  workload @4 :Text;           # empty in fetch_block, echo
}

struct Sync {                  # sync
  workload @0 :Text;
}

struct Fetch {                 # fetch
  hash @0 :Data;               # 32 bytes
}
