# What the ramp writes down, tells the nodes and hears from them.
# Fields are only ever added at the end; their meaning never changes within a wire version.
@0xc3a6f0d92b7e4815;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("dwcp::wire::schema");

struct RampWeight {
  system  @0 :Text;
  percent @1 :Float64;
  nodes   @2 :List(Text);
  shadow  @3 :Bool;
}

struct RampDirective {
  term       @0 :UInt64;
  seq        @1 :UInt64;
  weights    @2 :List(RampWeight);
  recentMs   @3 :UInt64;
  leaseMs    @4 :UInt64;
  promoted   @5 :Bool;
  killSwitch @6 :Bool;
  reason     @7 :Text;
}

struct RampNumber {                 # a number that may be missing
  is    @0 :Bool;
  value @1 :Float64;
}

struct RampVerdict {
  criterion  @0 :Text;
  check      @1 :UInt8;
  outcome    @2 :UInt8;
  limit      @3 :Float64;
  measured   @4 :RampNumber;
  unit       @5 :Text;
  nCanary    @6 :UInt64;
  nStable    @7 :UInt64;
  effect     @8 :RampNumber;
  low        @9 :RampNumber;
  high       @10 :RampNumber;
  reason     @11 :Text;
  overridden @12 :Bool;
}

struct RampAlarm {
  trigger  @0 :Text;
  atOnce   @1 :Bool;
  limit    @2 :Float64;
  measured @3 :Float64;
  n        @4 :UInt64;
  system   @5 :Text;
  reason   @6 :Text;
}

struct RampExercise {
  what   @0 :UInt8;
  done   @1 :Bool;
  ok     @2 :Bool;
  tookMs @3 :UInt64;
  detail @4 :Text;
}

struct RampAttestation {
  subject @0 :Text;
  by      @1 :Text;
  role    @2 :Text;
  reason  @3 :Text;
  untilMs @4 :Int64;
}

struct RampRecord {
  seq         @0 :UInt64;
  term        @1 :UInt64;
  atMs        @2 :Int64;
  kind        @3 :UInt8;
  step        @4 :UInt32;
  stage       @5 :UInt32;
  node        @6 :Text;
  planToml    @7 :Text;
  dayMs       @8 :UInt64;
  directive   @9 :RampDirective;      # null: none; so are the next three
  alarm       @10 :RampAlarm;
  exercise    @11 :RampExercise;
  attestation @12 :RampAttestation;
  verdicts    @13 :List(RampVerdict);
  byName      @14 :Text;
  byRole      @15 :Text;
  byReason    @16 :Text;
  reason      @17 :Text;
  on          @18 :Bool;
}

struct RampWork {
  requests @0 :UInt64;
  errors   @1 :UInt64;
  latency  @2 :Data;                  # pairs of LEB128 numbers, ascending: distance of the bucket from the last one
                                      # (the first: from 0, at least 0; then at least 1), count (at least 1)
  bytes    @3 :UInt64;
  costUs   @4 :UInt64;
}

struct RampFacts {
  consensusFailures  @0 :UInt64;
  laneLooks          @1 :UInt64;
  laneLooksAvailable @2 :UInt64;
  corruptions        @3 :UInt64;
  securityBreaches   @4 :UInt64;
  criticalIncidents  @5 :UInt64;
  checks             @6 :UInt64;
  checksFailing      @7 :UInt64;
  failing            @8 :List(Text);
  resourceUse        @9 :Float64;
  metricsExpected    @10 :UInt64;
  metricsPresent     @11 :UInt64;
}

struct RampSystemReport {
  system         @0 :Text;
  stable         @1 :Text;
  canary         @2 :Text;
  canaryPercent  @3 :Float64;
  total          @4 :List(RampWork);  # stable, canary
  recent         @5 :List(RampWork);
  canaryInFlight @6 :UInt64;
  canaryLastMs   @7 :Int64;
  forced         @8 :Text;
  shadow         @9 :RampWork;        # null: none
  unsettled      @10 :Text;
}

struct RampNodeReport {
  node        @0 :Text;
  incarnation @1 :UInt64;
  seq         @2 :UInt64;
  windowMs    @3 :UInt64;
  systems     @4 :List(RampSystemReport);
  total       @5 :RampFacts;
  recent      @6 :RampFacts;
}
