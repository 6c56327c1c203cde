// Every type that may stand in a CAF message, and the one id block that names them all.
//
// There are exactly two kinds, and each rules out traps of CAF 0.17:
//
//   ControlFrame   The only thing that crosses nodes: at most kControlFrameBytes of Cap'n Proto bytes. Raw
//                  bytes cannot carry a float field, which BASP corrupts (an infinity hangs the peer's I/O
//                  thread), and the length is checked before anything is allocated.
//   Local<T>       Anything inside the process: one immutable shared T, never copied. Serialising it is
//   logged
//                  and counted as an error at the sender. CAF drops that error and lets an empty message
//                  arrive, which every actor of ours counts and answers as an unknown one.
//
// To add a message: declare its struct in the actor's messages.hpp, forward-declare it here and add one line
// to the block. An unlisted type compiles but arrives empty on the other side; tests/actors round-trips every
// listed type.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/result.hpp"

#include <caf/all.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace dwcp::consensus {
struct SubmitCommand;
struct CommandCommitted;
struct QueryLane;
struct LaneStatus;
struct Subscribe;
struct Subscribed;
struct EntriesCommitted;
struct PeerChanged;
} // namespace dwcp::consensus

namespace dwcp::manager {
struct BeginPut;
struct PutBegun;
struct PutBlock;
struct BlockAccepted;
struct SealPut;
struct PutReceipt;
struct AbortPut;
struct DeleteObject;
struct ObjectDeleted;
struct FetchBlock;
struct BlockFetched;
struct QueryWorkloads;
struct WorkloadReports;
struct Acknowledged;
struct BeginPart;
struct KeepPart;
struct EndPart;
struct QueryUploads;
struct UploadReports;
struct ReadParts;
struct PartsRead;
} // namespace dwcp::manager

namespace dwcp::compression {
struct EncodeBlock;
struct BlockEncoded;
struct PredictCodecs;
struct CodecsPredicted;
} // namespace dwcp::compression

namespace dwcp::allocator {
struct PlaceReplicas;
struct ReplicasPlaced;
struct PlanPlacements;
struct PlacementsPlanned;
struct QueryDecisions;
struct RecentDecisions;
} // namespace dwcp::allocator

namespace dwcp::gateway {
struct RouteRequest;
struct RouteDecision;
} // namespace dwcp::gateway

namespace dwcp::supervisor {
struct ActorCommand;
struct ActorCommandDone;
} // namespace dwcp::supervisor

namespace dwcp::ramp {
struct RampCommand;
struct RampAnswered;
struct QueryRamp;
struct RampView;
} // namespace dwcp::ramp

namespace dwcp::links {
struct PeerRequest;
struct PeerResponse;
} // namespace dwcp::links

namespace dwcp::actor {

/// CAF's BASP announces a payload length before any authentication and allocates it; ours is bounded here and
/// in the control link. 64 KiB holds any command or status; bulk data has its own links.
inline constexpr std::size_t kControlFrameBytes = 64U << 10;

class ControlFrame {
  public:
    ControlFrame() = default;
    explicit ControlFrame(Bytes bytes) : bytes_(share(std::move(bytes))) {}

    ByteView view() const { return bytes_ ? ByteView(*bytes_) : ByteView(); }
    friend bool operator==(const ControlFrame& a, const ControlFrame& b) {
        return std::equal(a.view().begin(), a.view().end(), b.view().begin(), b.view().end());
    }

    friend caf::error inspect(caf::serializer& sink, ControlFrame& frame) { return frame.save(sink); }
    friend caf::error inspect(caf::deserializer& source, ControlFrame& frame) { return frame.load(source); }
    friend std::string to_string(const ControlFrame& frame) {
        return "ControlFrame(" + std::to_string(frame.view().size()) + " bytes)";
    }

  private:
    caf::error save(caf::serializer& sink) const;
    caf::error load(caf::deserializer& source);

    SharedBytes bytes_;
};

/// Logs, counts (dwcp_actor_local_message_escaped_total) and returns the error for a Local<T> at a node's
/// edge.
caf::error refuse_to_serialise_local();

template<class T>
class Local {
  public:
    Local() = default;
    explicit Local(T value) : value_(std::make_shared<const T>(std::move(value))) {}

    const T& operator*() const { return *value_; }
    const T* operator->() const { return value_.get(); }
    const std::shared_ptr<const T>& shared() const { return value_; }
    friend bool operator==(const Local& a, const Local& b) { return a.value_ == b.value_; }

    friend caf::error inspect(caf::serializer&, Local&) { return refuse_to_serialise_local(); }
    friend caf::error inspect(caf::deserializer&, Local&) { return refuse_to_serialise_local(); }
    friend std::string to_string(const Local&) { return "Local"; }

  private:
    std::shared_ptr<const T> value_;
};

/// A piece of work that an actor runs on itself: how callbacks of other threads, and timers, enter it.
struct Task {
    std::function<void()> run;
};

/// What the supervisor asks of each actor that it has started; answered when the actor can do its work. Every
/// actor answers it by itself: see Actor::not_ready_yet().
struct Ready {};
struct AwaitReady {
    using Reply = Ready;
};

} // namespace dwcp::actor

CAF_BEGIN_TYPE_ID_BLOCK(dwcp_messages, caf::first_custom_type_id)
// The control link: a frame, and the gateway handle that goes with the first one.
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::ControlFrame))
// Inside every actor.
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::actor::Task>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::actor::AwaitReady>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::actor::Ready>))
// Requests from peers, handed by the control gateway to the actor that serves them.
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::links::PeerRequest>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::links::PeerResponse>))
// actors/consensus/messages.hpp
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::consensus::SubmitCommand>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::consensus::CommandCommitted>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::consensus::QueryLane>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::consensus::LaneStatus>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::consensus::Subscribe>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::consensus::Subscribed>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::consensus::EntriesCommitted>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::consensus::PeerChanged>))
// actors/manager/messages.hpp
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::BeginPut>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::PutBegun>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::PutBlock>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::BlockAccepted>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::SealPut>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::PutReceipt>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::AbortPut>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::DeleteObject>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::ObjectDeleted>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::FetchBlock>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::BlockFetched>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::QueryWorkloads>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::WorkloadReports>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::Acknowledged>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::BeginPart>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::KeepPart>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::EndPart>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::QueryUploads>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::UploadReports>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::ReadParts>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::manager::PartsRead>))
// actors/compression/messages.hpp
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::compression::EncodeBlock>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::compression::BlockEncoded>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::compression::PredictCodecs>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::compression::CodecsPredicted>))
// actors/allocator/messages.hpp
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::allocator::PlaceReplicas>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::allocator::ReplicasPlaced>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::allocator::PlanPlacements>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::allocator::PlacementsPlanned>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::allocator::QueryDecisions>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::allocator::RecentDecisions>))
// actors/gateway/messages.hpp
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::gateway::RouteRequest>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::gateway::RouteDecision>))
// actors/supervisor/messages.hpp
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::supervisor::ActorCommand>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::supervisor::ActorCommandDone>))
// actors/ramp/messages.hpp
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::ramp::RampCommand>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::ramp::RampAnswered>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::ramp::QueryRamp>))
CAF_ADD_TYPE_ID(dwcp_messages, (dwcp::actor::Local<dwcp::ramp::RampView>))
CAF_END_TYPE_ID_BLOCK(dwcp_messages)
