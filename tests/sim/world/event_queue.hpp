// What happens when, for worlds of many small events: a binary heap of 24 bytes an event, what happens beside
// it in slots that are used again. Nothing is allocated once the queue has had its greatest length.
//
// Events of the same moment come out in the order in which they went in, so a run depends on its seed alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace dwcp::sim {

/// Nanoseconds since the world began.
using Moment = std::int64_t;

template<class T>
class EventQueue {
  public:
    void push(Moment at, T event) {
        std::uint32_t slot;
        if (free_.empty()) {
            slot = static_cast<std::uint32_t>(events_.size());
            events_.push_back(std::move(event));
        } else {
            slot = free_.back();
            free_.pop_back();
            events_[slot] = std::move(event);
        }
        heap_.push_back({at, ++last_, slot});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }

    bool empty() const { return heap_.empty(); }
    std::size_t size() const { return heap_.size(); }
    /// Of the next event; the queue must not be empty.
    Moment next_at() const { return heap_.front().at; }

    T pop() {
        std::pop_heap(heap_.begin(), heap_.end(), later);
        const std::uint32_t slot = heap_.back().slot;
        heap_.pop_back();
        free_.push_back(slot);
        return std::exchange(events_[slot], T{});
    }

  private:
    struct Entry {
        Moment at;
        std::uint64_t order;
        std::uint32_t slot;
    };
    static bool later(const Entry& a, const Entry& b) {
        return a.at != b.at ? a.at > b.at : a.order > b.order;
    }

    std::vector<Entry> heap_;
    std::vector<T> events_;
    std::vector<std::uint32_t> free_;
    std::uint64_t last_ = 0;
};

} // namespace dwcp::sim
