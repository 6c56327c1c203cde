// Every control connection of this node from the moment its socket is there: how far it has come, whom it is
// with, and when it has had long enough. Closes what is overdue, bounds what has proven nothing.
//
//   accepted ─▶ handshake ─▶ greeting ─▶ peer        with TLS; plain connections begin with the greeting
//
// Sockets stay their owner's (the control port, then the CAF scribe): closing here is shutdown(2), which the
// owner notices, and the owner calls forget() before it closes the descriptor. Thread-safe. One a node.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/links/control/refusals.hpp"
#include "runtime/metrics/metrics.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace dwcp::links {

/// How often one address may connect: a token bucket each. A bounded number of addresses is remembered; when
/// that many are busy at once, the rest share one bucket.
class SourceRates {
  public:
    static constexpr std::size_t kSourcesMax = 1024;

    SourceRates(double per_second, double burst) : per_second_(per_second), burst_(burst) {}
    /// Whether a connection from `source` is within its rate; it then counts.
    bool admit(const std::string& source, TimePoint now);
    std::size_t remembered() const { return buckets_.size(); }

  private:
    struct Bucket {
        double tokens = 0;
        TimePoint at{};
    };
    void forget_idle(TimePoint now);
    double tokens_at(const Bucket& bucket, TimePoint now) const;

    const double per_second_;
    const double burst_;
    std::map<std::string, Bucket> buckets_;
};

class Connections {
  public:
    using Id = std::uint64_t;

    struct Limits {
        /// Accepted and not yet a peer. Beyond either limit the oldest gives way, so that strangers who hold
        /// many connections cannot keep a peer out.
        std::size_t waiting_max = 256;
        std::size_t waiting_per_source_max = 32;
        /// A cluster of 50 that restarts connects within a second.
        double per_source_per_s = 50;
        double per_source_burst = 100;
        Duration handshake_within = std::chrono::seconds(5);
        Duration greeting_within = std::chrono::seconds(5);
        /// A connection from which nothing came for so long no longer speaks for its node.
        Duration silent_after = std::chrono::seconds(2);
    };

    Connections(const Limits& limits, std::shared_ptr<Refusals> refusals);

    /// An accepted socket. Refused: it was counted and is the caller's to close.
    std::expected<Id, Refused> accepted(int fd, const std::string& source, bool tls, TimePoint now);
    /// A socket that this node has connected, with the certificate's name at the other end.
    Id dialled(int fd, const std::string& address, const std::string& subject, UnixMillis valid_until_ms,
               TimePoint now);
    /// TLS is complete: the other end has proven to be `subject`.
    void secured(Id id, const std::string& subject, UnixMillis valid_until_ms, TimePoint now);

    enum class Claim : std::uint8_t {
        granted,
        duplicate, ///< Another connection, with the same certificate, is this node and is alive.
        refused    ///< A connection with another certificate is.
    };
    /// The connection says that it is the CAF node with these bytes.
    Claim claim(Id id, ByteView node, TimePoint now);
    /// A whole message came in. Whether it is a peer's, as far as is known now.
    bool heard(Id id, TimePoint now);
    /// The node with these bytes has greeted as a peer: its connections may stay.
    void admit(ByteView node);
    /// The certificate's name of the connection that is this node; empty: there is none, or without TLS.
    std::string subject_of(ByteView node) const;

    /// Ends a connection, counts why and tells it, the first time. False: it was ended before. `gently`: what
    /// was sent last still reaches the other end, and the owner reads away what comes from there.
    bool refuse(Id id, Refused reason, const Error& error, TimePoint now, bool gently = false);
    /// Ends a connection that this node has no more use for.
    void close(Id id);
    /// CAF ends it by itself, which it does with a silent one.
    void ended_by_caf(Id id, TimePoint now);
    void forget(Id id);

    /// Ends what is overdue.
    void sweep(TimePoint now, UnixMillis wall_ms);

    std::size_t size() const;
    /// Accepted, and nothing proven yet.
    std::size_t waiting() const;

  private:
    enum class Stage : std::uint8_t { handshake, greeting, peer };
    struct Entry {
        int fd = -1;
        bool accepted = false;
        bool ended = false;
        Stage stage = Stage::greeting;
        std::string source;
        std::string subject;
        Bytes node;
        UnixMillis valid_until_ms = 0; ///< 0: no certificate.
        TimePoint stage_since{};
        TimePoint heard_at{};

        bool is_waiting() const { return accepted && !ended && stage != Stage::peer; }
        std::string name() const { return subject.empty() ? source : subject; }
    };
    void end_ungreeted(Entry& entry, TimePoint now);
    bool end(Entry& entry, Refused reason, const Error& error, TimePoint now, bool gently = false);
    std::size_t count_waiting() const;
    void make_room(const std::string& source, TimePoint now);

    const Limits limits_;
    const std::shared_ptr<Refusals> refusals_;
    const metrics::Gauge waiting_gauge_;
    mutable std::mutex mutex_;
    SourceRates rates_;
    Id last_ = 0;
    std::map<Id, Entry> entries_;
};

} // namespace dwcp::links
