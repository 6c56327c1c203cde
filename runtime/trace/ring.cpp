#include "runtime/trace/ring.hpp"

#include <algorithm>
#include <chrono>
#include <set>

namespace dwcp::trace {
namespace {

void cut(std::string& text) {
    if (text.size() > kTextBytesMax) text.resize(kTextBytesMax);
}

void bound(Span& span) {
    for (std::string* text : {&span.name, &span.detail, &span.actor, &span.error, &span.trace_id})
        cut(*text);
    if (span.numbers.size() > kFieldsMax) span.numbers.resize(kFieldsMax);
    if (span.texts.size() > kFieldsMax) span.texts.resize(kFieldsMax);
    for (auto& [key, value] : span.numbers)
        cut(key);
    for (auto& [key, value] : span.texts) {
        cut(key);
        cut(value);
    }
}

template<class Fields, class Add>
void merge(Fields& into, Fields& from, Add add) {
    for (auto& [key, value] : from) {
        const auto same = std::ranges::find(into, key, &Fields::value_type::first);
        if (same != into.end())
            add(same->second, value);
        else if (into.size() < kFieldsMax)
            into.emplace_back(std::move(key), std::move(value));
    }
}

/// It happened again.
void add(Span& to, Span&& again) {
    const auto end = std::max(to.start_us + static_cast<std::int64_t>(to.duration_us),
                              again.start_us + static_cast<std::int64_t>(again.duration_us));
    to.start_us = std::min(to.start_us, again.start_us);
    to.duration_us = static_cast<std::uint64_t>(end - to.start_us);
    to.busy_us += again.busy_us;
    to.count += again.count;
    if (!again.error.empty()) to.error = std::move(again.error);
    if (!again.trace_id.empty()) to.trace_id = std::move(again.trace_id);
    merge(to.numbers, again.numbers, [](std::uint64_t& sum, std::uint64_t more) { sum += more; });
    merge(to.texts, again.texts, [](std::string& text, std::string& newer) { text = std::move(newer); });
}

} // namespace

SpanId span_id(std::string_view workload, std::string_view name, std::string_view node,
               std::string_view detail) {
    // FNV-1a over the parts and what separates them, then mixed (SplitMix64), since ids are shown and
    // compared by people.
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const std::string_view part : {workload, name, node, detail}) {
        for (const char c : part)
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        hash = (hash ^ 0xff) * 0x100000001b3;
    }
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
    hash ^= hash >> 31;
    return hash == 0 ? 1 : hash;
}

Mark mark() {
    return {std::chrono::steady_clock::now(), std::chrono::duration_cast<std::chrono::microseconds>(
                                                  std::chrono::system_clock::now().time_since_epoch())
                                                  .count()};
}

void Ring::record(Span span) {
    if (span.workload.empty()) return;
    if (span.id == 0) span.id = span_id(span.workload, span.name, span.node, span.detail);
    bound(span);
    const std::lock_guard lock(mutex_);
    Room& room = room_of(span.actor);
    if (const auto known = room.where.find(span.id); known != room.where.end())
        return add(room.spans[known->second], std::move(span));
    if (room.spans.size() < kSpansPerActor) {
        room.where.emplace(span.id, room.spans.size());
        room.spans.push_back(std::move(span));
        return;
    }
    Span& oldest = room.spans[room.next];
    room.where.erase(oldest.id);
    room.where.emplace(span.id, room.next);
    oldest = std::move(span);
    room.next = (room.next + 1) % kSpansPerActor;
}

Ring::Room& Ring::room_of(const std::string& actor) {
    const auto found = rooms_.find(actor);
    if (found != rooms_.end()) return found->second;
    return rooms_.size() < kActorsMax ? rooms_[actor] : rooms_.rbegin()->second;
}

std::vector<Span> Ring::find(std::string_view id, std::string_view node) const {
    const std::lock_guard lock(mutex_);
    const auto for_each = [&](auto visit) {
        for (const auto& [actor, room] : rooms_)
            for (const Span& span : room.spans)
                if (span.node == node) visit(span);
    };
    std::set<std::string_view> workloads{id};
    for_each([&](const Span& span) {
        if (span.trace_id == id) workloads.insert(span.workload);
    });
    std::vector<Span> found;
    for_each([&](const Span& span) {
        if (workloads.contains(span.workload)) found.push_back(span);
    });
    std::ranges::stable_sort(found, {}, &Span::start_us);
    return found;
}

Ring& ring() {
    static Ring instance;
    return instance;
}

void Recorder::record(Span span, const Mark& begin) const {
    if (span.workload.empty()) return;
    span.node = node_;
    span.actor = actor_;
    span.start_us = begin.unix_us;
    span.duration_us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin.at)
            .count());
    span.busy_us = span.duration_us;
    if (span.parent == 0 && span.name != kRequest) span.parent = request(span.workload);
    ring().record(std::move(span));
}

} // namespace dwcp::trace
