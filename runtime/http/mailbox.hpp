// How other threads tell the loop that something is ready. Outlives the loop where somebody still holds it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dwcp::http {

class Mailbox {
  public:
    /// Of a connection, by its number; of the loop itself: 0.
    struct Note {
        std::uint64_t connection = 0;
        bool step_done = false; ///< Otherwise its live body has something to say.
    };

    Mailbox() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~Mailbox() { close(event_); }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    void post(Note note) {
        bool first = false;
        {
            const std::lock_guard lock(mutex_);
            first = notes_.empty();
            notes_.push_back(note);
        }
        // One system call wakes the loop for all notes that it has not taken yet.
        if (first) eventfd_write(event_, 1);
    }
    /// What has been posted since; `into` must be empty, its memory is reused.
    void take(std::vector<Note>& into) {
        eventfd_t ignored = 0;
        eventfd_read(event_, &ignored);
        const std::lock_guard lock(mutex_);
        notes_.swap(into);
    }
    /// Readable while there are notes.
    int event() const { return event_; }

  private:
    const int event_;
    std::mutex mutex_;
    std::vector<Note> notes_;
};

} // namespace dwcp::http
