// The circuit breakers of a node: one for each peer and operation, named "PEER/OPERATION". Operations are
// "send_block", "sync" and "fetch" of the data links, and the services that are asked over control links
// ("lane/metadata").
//
// Life cycle: one Breakers a node, made before its links and outliving them. The links ask enter() before
// they send, and report what came of it; peer_up() lets open breakers of a peer that came back try at once.
// Thread-safe; a call costs two clock readings and two short locks.
//
// What operators see: the events breaker_tripped, breaker_half_open (the first time after a trip),
// breaker_closed, breaker_forced and breaker_reset, the metrics dwcp_breaker_*, and `breaker list`. States
// are encoded in one way everywhere: 0 closed, 1 half-open, 2 open; forced ones are a flag beside it.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"
#include "protocols/breaker/breaker.hpp"
#include "runtime/base/events.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dwcp::resilience {

/// Peers times operations; beyond it calls pass unguarded, which only a bug in naming operations can reach.
inline constexpr std::size_t kBreakersMax = 1024;

struct BreakerSettings {
    breaker::BreakerOptions usual;
    /// Instead of usual.open_for for the services of the lanes and of the ramp, which pace what they send
    /// again: their breakers only have to bridge that, and half a minute without would stop all commits, or
    /// let a canary run that was withdrawn.
    Duration lane_open_for = milliseconds(1000);

    breaker::BreakerOptions of(std::string_view operation) const;
};

struct BreakerView {
    NodeName peer;
    std::string operation;
    breaker::State state = breaker::State::closed; ///< As calls meet it.
    breaker::Forced forced = breaker::Forced::no;
    std::string reason;     ///< Of the last trip or force; empty: never.
    std::string last_error; ///< Of the last failed call.
    std::uint32_t consecutive_failures = 0;
    breaker::WindowCounts window;
    std::uint32_t probes = 0;
    std::uint32_t probes_max = 0;
    std::uint64_t trips = 0;
    Duration opens_in{};     ///< While open: until a probe may pass.
    UnixMillis since_ms = 0; ///< Of the last change of state.

    std::string name() const { return peer + '/' + operation; }
};

class Breakers;

namespace detail {
struct Guarded;
} // namespace detail

/// One call that was let through. Reports once; dropped without, it counts as neither success nor failure.
class Call {
  public:
    Call() = default; ///< Of nothing: reports go nowhere.
    Call(Call&& other) noexcept;
    Call& operator=(Call&& other) noexcept;
    ~Call() { report(breaker::Outcome::ignored); }

    void report(breaker::Outcome outcome, std::string_view error = {});
    void succeeded() { report(breaker::Outcome::success); }
    void failed(const Error& error) { report(breaker::outcome_of(error.code), error.message); }

  private:
    friend class Breakers;
    Call(Breakers& breakers, detail::Guarded& guarded, breaker::Permit permit, TimePoint since)
        : breakers_(&breakers), guarded_(&guarded), permit_(permit), since_(since) {}

    Breakers* breakers_ = nullptr;
    detail::Guarded* guarded_ = nullptr;
    breaker::Permit permit_;
    TimePoint since_;
};

class Breakers {
  public:
    Breakers(BreakerSettings settings, EventRing& events);
    ~Breakers();

    /// May this operation be tried on this peer? Errc::unavailable if its breaker is open; the message names
    /// the breaker and why it tripped, the remedy when it will probe.
    Result<Call> enter(std::string_view peer, std::string_view operation);
    /// There from the start, so that operators and metrics know of it before the first call.
    void add(std::string_view peer, std::string_view operation);

    /// A link to the peer came up.
    void peer_up(std::string_view peer);

    void change_settings(const BreakerSettings& settings);

    std::vector<BreakerView> list() const;
    /// `name` as "PEER/OPERATION". Errc::not_found: there is no such breaker.
    Result<BreakerView> find(std::string_view name) const;
    Result<BreakerView> force(std::string_view name, breaker::Forced forced, const std::string& reason);
    Result<BreakerView> reset(std::string_view name);

  private:
    friend class Call;
    using Name = std::pair<std::string, std::string>;
    struct Less {
        using is_transparent = void;
        template<class A, class B>
        bool operator()(const A& a, const B& b) const {
            return std::pair<std::string_view, std::string_view>(a) <
                   std::pair<std::string_view, std::string_view>(b);
        }
    };

    detail::Guarded* obtain(std::string_view peer, std::string_view operation);
    detail::Guarded* lookup(std::string_view name) const;
    void report(detail::Guarded& guarded, const breaker::Permit& permit, breaker::Outcome outcome,
                TimePoint since, std::string_view error);
    void tell(detail::Guarded& guarded, const breaker::Transition& transition);
    static BreakerView view(const detail::Guarded& guarded);

    EventRing& events_;
    mutable std::shared_mutex mutex_; ///< Of what follows; a breaker has a lock of its own.
    BreakerSettings settings_;
    std::map<Name, std::unique_ptr<detail::Guarded>, Less> all_; ///< Only grows.
};

} // namespace dwcp::resilience
