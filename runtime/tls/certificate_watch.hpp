// Keeps a node's certificates fresh and its operators warned: takes new files into use, shows when the
// certificates expire, and says so in time.
//
// Life cycle: one a node with [tls], as long as its Context. look() every few seconds from one of the node's
// own threads; reload() when an operator asks (SIGHUP). Thread-safe.
//
// Events: tls_reloaded; tls_reload_failed (the old files stay in use); certificate_expiring once a day from
// kWarnBefore on; certificate_expired once a day. Their subject is the certificate's name, or "ca".
// Metric: dwcp_tls_certificate_expiry_timestamp_seconds{certificate="own|ca"}.
#pragma once

#include "runtime/base/events.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/tls/context.hpp"

#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <sys/types.h>

namespace dwcp::tls {

/// Time enough to renew by hand, holidays included. Certificates that live shorter are warned of in the last
/// third of their life.
inline constexpr std::chrono::milliseconds kWarnBefore = std::chrono::days(30);
inline constexpr std::chrono::milliseconds kWarnEvery = std::chrono::days(1);

class CertificateWatch {
  public:
    CertificateWatch(std::shared_ptr<Context> context, Files files, EventRing& events);

    /// Reloads if a file was replaced since the last time. What does not fit is tried once more at the next
    /// look before it is reported: a rotation may be between two renames.
    void look(UnixMillis now_ms);
    /// Reloads now. True: new files are in use.
    Result<bool> reload();

  private:
    /// Which file stands at a path, as far as that can be told without reading it.
    struct Stamp {
        ino_t inode = 0;
        off_t size = 0;
        std::int64_t modified_ns = 0;
        bool operator==(const Stamp&) const = default;
    };
    using Stamps = std::array<Stamp, 3>;

    struct Notice {
        const char* certificate; ///< "own" or "ca".
        metrics::Gauge expiry;
        UnixMillis last_ms = 0; ///< When it was warned of last.
    };

    Stamps stamps() const;
    void look_for_files();
    void tell(const Result<bool>& reloaded);
    void warn(Notice& notice, const std::string& subject, UnixMillis from_ms, UnixMillis until_ms,
              UnixMillis now_ms);

    const std::shared_ptr<Context> context_;
    const Files files_;
    EventRing& events_;
    std::mutex mutex_;
    Stamps taken_{};    ///< In use, or refused and reported.
    Stamps doubtful_{}; ///< Refused once.
    Notice own_;
    Notice ca_;
};

} // namespace dwcp::tls
