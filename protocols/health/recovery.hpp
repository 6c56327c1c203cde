// When a part that fails its deep check is recovered: what its owner is told to do, and when to stop and call
// people.
//
//            fails `failures_to_begin` times in a row           the last attempt failed
//   watched ─────────────────────────────▶ recovering ─────────────────────────▶ given up
//      ▲                                       │                                     │
//      └──────── found ok, or held ────────────┴──────────── found ok, or held ──────┘
//
// Attempts come after 1, 2 and 4 s, half of each random, so that parts that failed together are not recovered
// together. There is never a second attempt at a part while one is under way, nor a second recovery. A part
// that somebody holds on purpose (paused, quarantined, its node away) is left alone. After cancel() nothing
// begins any more.
//
// Pure: (event, now) -> actions. One object a node, used by one thread: found() after each look, due() when
// next_due() has come, attempted() when an attempt was made and the part looked at again.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/random.hpp"
#include "protocols/breaker/retry.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dwcp::health {

struct RecoveryOptions {
    std::uint32_t failures_to_begin = 2;
    std::uint32_t attempts_max = 3;
    breaker::Backoff backoff{milliseconds(1000), milliseconds(4000)};
};

/// What a look found of one part.
enum class Condition : std::uint8_t {
    ok,
    failed,
    held, ///< It does not work because somebody means it so, or because another part is the cause.
};

/// How a recovery ended. The names are metric labels.
enum class RecoveryEnd : std::uint8_t {
    recovered,
    exhausted, ///< People have to look.
    cancelled, ///< The part is held now, or the node ends.
};
std::string_view to_string(RecoveryEnd end);

struct RecoveryBegun {
    std::string part;
    std::string reason;
};
/// The owner recovers the part, looks at it again and calls attempted().
struct Attempt {
    std::string part;
    std::uint32_t number = 1;
};
struct RecoveryEnded {
    std::string part;
    RecoveryEnd end = RecoveryEnd::recovered;
    std::uint32_t attempts = 0;
    Duration took{};
    std::string reason; ///< Of the last failure.
};
using RecoveryAction = std::variant<RecoveryBegun, Attempt, RecoveryEnded>;

struct RecoveryView {
    std::string part;
    std::string state; ///< "waiting", "attempting", "given_up"
    std::uint32_t attempts = 0;
    std::string reason;
};

class Recovery {
  public:
    Recovery(const RecoveryOptions& options, std::uint64_t seed) : options_(options), random_(seed) {}

    std::vector<RecoveryAction> found(const std::string& part, Condition condition, const std::string& reason,
                                      TimePoint now);
    /// Attempts whose time has come.
    std::vector<RecoveryAction> due(TimePoint now);
    /// What the part looked like after the attempt that due() asked for.
    std::vector<RecoveryAction> attempted(const std::string& part, Condition condition,
                                          const std::string& reason, TimePoint now);
    /// The node ends: what is under way is given up, and nothing begins.
    std::vector<RecoveryAction> cancel(TimePoint now);

    std::optional<TimePoint> next_due() const;
    /// Parts that are being recovered or were given up.
    std::vector<RecoveryView> all() const;

  private:
    enum class State : std::uint8_t { watched, waiting, attempting, given_up };
    struct Part {
        State state = State::watched;
        std::uint32_t failures = 0; ///< In a row.
        std::uint32_t attempts = 0;
        TimePoint began{};
        TimePoint due{};
        std::string reason;
    };

    RecoveryEnded end(const std::string& name, Part& part, RecoveryEnd end, TimePoint now) const;

    const RecoveryOptions options_;
    Random random_;
    bool cancelled_ = false;
    std::map<std::string, Part> parts_; ///< Only those that are not plainly well.
};

} // namespace dwcp::health
