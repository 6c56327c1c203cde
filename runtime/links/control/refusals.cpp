#include "runtime/links/control/refusals.hpp"

#include "runtime/metrics/metrics.hpp"

#include <utility>

namespace dwcp::links {

std::string_view to_string(Refused reason) {
    switch (reason) {
    case Refused::rate_limited:
        return "rate_limited";
    case Refused::too_many:
        return "too_many";
    case Refused::no_descriptors:
        return "no_descriptors";
    case Refused::no_handshake:
        return "no_handshake";
    case Refused::not_tls:
        return "not_tls";
    case Refused::bad_certificate:
        return "bad_certificate";
    case Refused::not_a_peer:
        return "not_a_peer";
    case Refused::certificate_expired:
        return "certificate_expired";
    case Refused::not_basp:
        return "not_basp";
    case Refused::oversized:
        return "oversized";
    case Refused::malformed:
        return "malformed";
    case Refused::node_in_use:
        return "node_in_use";
    case Refused::no_greeting:
        return "no_greeting";
    case Refused::stalled:
        return "stalled";
    }
    return "unknown";
}

std::string_view to_string(Dropped reason) {
    switch (reason) {
    case Dropped::lookup:
        return "lookup";
    case Dropped::other_actor:
        return "other_actor";
    case Dropped::content:
        return "content";
    case Dropped::second_claim:
        return "second_claim";
    }
    return "unknown";
}

namespace {

metrics::Counter counter(Refused reason) {
    return metrics::counter(
        "dwcp_control_refused_connections_total",
        "Control connections that were refused or ended because of the other end, by reason.",
        {{"reason", std::string(to_string(reason))}});
}

metrics::Counter counter(Dropped reason) {
    return metrics::counter("dwcp_control_dropped_messages_total",
                            "Messages of CAF's protocol that were not let through to an actor, by reason.",
                            {{"reason", std::string(to_string(reason))}});
}

} // namespace

/// All series exist from the beginning, so that the first of a kind is an increase.
Refusals::Refusals(EventRing& events) : events_(&events) {
    for (int reason = 0; reason <= static_cast<int>(Refused::stalled); ++reason)
        (void)counter(static_cast<Refused>(reason));
    for (int reason = 0; reason <= static_cast<int>(Dropped::second_claim); ++reason)
        (void)counter(static_cast<Dropped>(reason));
}

void Refusals::watch(Watcher watcher) {
    const std::lock_guard lock(mutex_);
    watcher_ = std::move(watcher);
}

void Refusals::end() {
    const std::lock_guard lock(mutex_);
    events_ = nullptr;
    watcher_ = nullptr;
}

void Refusals::note(Refused reason, const std::string& from, const Error& error, TimePoint now) {
    counter(reason).add();
    const std::lock_guard lock(mutex_);
    Told& told = told_[reason];
    if (now < told.next_at) {
        ++told.untold;
        return;
    }
    if (events_ == nullptr) return;
    told.next_at = now + kEventEvery;
    std::map<std::string, std::string> fields{
        {"reason", std::string(to_string(reason))}, {"message", error.message}, {"remedy", error.remedy}};
    if (told.untold > 0) fields["not_told_before"] = std::to_string(std::exchange(told.untold, 0));
    events_->record("control_connection_refused", from, std::move(fields));
    if (watcher_) watcher_(from, error);
}

void Refusals::note(Dropped reason) { counter(reason).add(); }

} // namespace dwcp::links
