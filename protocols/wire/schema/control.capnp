# What crosses a control link: one ControlMessage a frame, at most 64 KiB.
# Fields are only ever added at the end; their meaning never changes within a wire version.
@0xd31e67c6bdda0ae8;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("dwcp::wire::schema");

struct ControlMessage {
  union {
    hello    @0 :ControlOffer;     # dialler to acceptor
    helloAck @1 :ControlProof;     # its answer
    confirm  @2 :ControlProof;     # dialler to acceptor; answered by a sealed, empty response
    refusal  @3 :ControlRefusal;   # in place of any answer
    sealed   @4 :ControlSealed;    # everything after the greeting
  }
}

struct ControlOffer {              # who one side is and what it expects
  wireVersion         @0 :UInt32;
  clusterId           @1 :Text;
  name                @2 :Text;
  site                @3 :Text;
  peer                @4 :Text;    # whom this side means to talk to
  incarnation         @5 :UInt64;
  heartbeatIntervalMs @6 :UInt32;
  heartbeatTimeoutMs  @7 :UInt32;
  publicKey           @8 :Data;    # Ed25519, 32 bytes
  sessionKey          @9 :Data;    # X25519, 32 bytes
  nonce               @10 :Data;   # 32 bytes
}

struct ControlProof {
  offer     @0 :ControlOffer;      # the acceptor's, in helloAck
  session   @1 :Data;              # the acceptor's nonce, in confirm
  signature @2 :Data;              # 64 bytes over both offers
}

struct ControlFailure {
  code    @0 :UInt8;               # Errc
  message @1 :Text;
  remedy  @2 :Text;
}

struct ControlRefusal {
  from    @0 :Text;
  failure @1 :ControlFailure;
}

struct ControlSealed {
  from        @0 :Text;
  incarnation @1 :UInt64;          # of the sender
  mac         @2 :Data;            # 16 bytes over the envelope, under the session key of this direction
  envelope    @3 :Data;            # a ControlEnvelope
}

struct ControlEnvelope {
  sequence @0 :UInt64;             # of a request: counts up; of an answer: that of its request
  trace    @1 :Text;
  union {
    request  @2 :ControlRequest;
    response @3 :Data;
    failure  @4 :ControlFailure;
  }
}

struct ControlRequest {
  service    @0 :Text;             # empty: a ping
  deadlineMs @1 :UInt32;           # time left
  body       @2 :Data;
}
