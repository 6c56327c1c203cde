#include "runtime/tls/certificate_watch.hpp"

#include "runtime/tls/openssl.hpp"

#include <algorithm>
#include <sys/stat.h>

namespace dwcp::tls {
namespace {

metrics::Gauge expiry_gauge(const char* certificate) {
    return metrics::gauge("dwcp_tls_certificate_expiry_timestamp_seconds",
                          "When the certificate in use expires, as seconds since 1970: this node's own and "
                          "that of the authority it rests on.",
                          {{"certificate", certificate}});
}

} // namespace

CertificateWatch::CertificateWatch(std::shared_ptr<Context> context, Files files, EventRing& events)
    : context_(std::move(context)), files_(std::move(files)), events_(events),
      taken_(stamps()), own_{"own", expiry_gauge("own")}, ca_{"ca", expiry_gauge("ca")} {}

CertificateWatch::Stamps CertificateWatch::stamps() const {
    const auto stamp = [](const std::string& path) {
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0) return Stamp{};
        return Stamp{info.st_ino, info.st_size,
                     std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
    };
    return {stamp(files_.certificate), stamp(files_.key), stamp(files_.ca)};
}

void CertificateWatch::look(UnixMillis now_ms) {
    const std::lock_guard lock(mutex_);
    look_for_files();
    const Certificate own = context_->own();
    warn(own_, own.subject.uri(), own.from_ms, own.until_ms, now_ms);
    warn(ca_, "ca", 0, context_->ca_until_ms(), now_ms);
}

void CertificateWatch::look_for_files() {
    const Stamps now = stamps(); // before the files are read: what changes meanwhile is seen at the next look
    if (now == taken_) return;
    const auto reloaded = context_->reload();
    if (!reloaded && now != doubtful_) {
        doubtful_ = now;
        return;
    }
    taken_ = now;
    tell(reloaded);
}

Result<bool> CertificateWatch::reload() {
    const std::lock_guard lock(mutex_);
    taken_ = stamps();
    const auto reloaded = context_->reload();
    tell(reloaded);
    return reloaded;
}

void CertificateWatch::tell(const Result<bool>& reloaded) {
    const Certificate own = context_->own();
    if (!reloaded) {
        events_.record("tls_reload_failed", own.subject.uri(),
                       {{"problem", reloaded.error().message},
                        {"remedy", reloaded.error().remedy},
                        {"in_use", own.serial}});
        return;
    }
    if (!*reloaded) return;
    own_.last_ms = ca_.last_ms = 0; // the new ones are warned of by themselves
    events_.record("tls_reloaded", own.subject.uri(),
                   {{"serial", own.serial}, {"until", shown_time(own.until_ms)}});
}

void CertificateWatch::warn(Notice& notice, const std::string& subject, UnixMillis from_ms,
                            UnixMillis until_ms, UnixMillis now_ms) {
    notice.expiry.set(static_cast<double>(until_ms) / 1000);
    const UnixMillis before_ms = std::min<UnixMillis>(kWarnBefore.count(), (until_ms - from_ms) / 3);
    if (now_ms < until_ms - before_ms) return;
    if (notice.last_ms != 0 && now_ms - notice.last_ms < kWarnEvery.count()) return;
    notice.last_ms = now_ms;
    const bool own = &notice == &own_;
    events_.record(now_ms < until_ms ? "certificate_expiring" : "certificate_expired", subject,
                   {{"certificate", notice.certificate},
                    {"until", shown_time(until_ms)},
                    {"remedy", own ? "ops/certs renew " + context_->own().subject.name +
                                         "; the node takes it up by itself"
                                   : "replace the authority: ops/certs --help, CA rollover"}});
}

} // namespace dwcp::tls
