// A simulated disk: an ordered key-value store with a write-ahead log, like the node's own.
//
// Writes are visible at once, in order, and durable when a synced write at or after them completes. A crash
// keeps what is durable and any prefix of the rest, never a part of one write and never a later write without
// an earlier one.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/random.hpp"
#include "tests/sim/world/clock.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace dwcp::sim {

class Disk {
  public:
    using Contents = std::map<std::string, Bytes>;
    /// nullopt erases.
    using Write = std::map<std::string, std::optional<Bytes>>;

    Disk(Clock& clock, Random& random) : clock_(clock), random_(random) {}

    void set_sync_time(Duration least, Duration most) { sync_min_ = least, sync_max_ = most; }
    /// A broken disk: says that a write is durable long before it is. For proving that a suite notices.
    void set_lying(bool lying) { lying_ = lying; }

    void write(Write write) {
        apply(write, visible_);
        pending_.push_back(std::move(write));
        ++written_;
    }

    /// `done` is called when the write is durable; not at all if the process crashes before.
    void write_synced(Write change, std::function<void()> done) {
        write(std::move(change));
        const auto upto = written_;
        const auto life = life_;
        const auto range = static_cast<std::uint64_t>((sync_max_ - sync_min_).count());
        const Duration delay = sync_min_ + Duration(range == 0 ? 0 : random_.below(range));
        if (lying_) {
            clock_.after(std::chrono::microseconds(10), [this, life, done] {
                if (life == life_) done();
            });
        }
        clock_.after(lying_ ? delay * 20 : delay, [this, life, upto, done, lied = lying_] {
            if (life != life_) return;
            make_durable(upto);
            if (!lied) done();
        });
    }

    const Contents& visible() const { return visible_; }
    const Contents& durable() const { return durable_; }
    /// Changes whenever durable() does.
    std::uint64_t durable_version() const { return durable_version_; }

    /// The process or the machine died.
    void crash() {
        ++life_;
        const auto kept = random_.below(pending_.size() + 1);
        make_durable(durable_upto_ + kept);
        pending_.clear();
        durable_upto_ = written_;
        visible_ = durable_;
    }

    /// While crashed: another disk in its place, empty or with an old copy.
    void replace(Contents contents = {}) {
        visible_ = durable_ = std::move(contents);
        ++durable_version_;
    }

  private:
    static void apply(const Write& write, Contents& to) {
        for (const auto& [key, value] : write) {
            if (value)
                to[key] = *value;
            else
                to.erase(key);
        }
    }

    void make_durable(std::uint64_t upto) {
        for (; durable_upto_ < upto; ++durable_upto_) {
            apply(pending_.front(), durable_);
            pending_.pop_front();
            ++durable_version_;
        }
    }

    Clock& clock_;
    Random& random_;
    Duration sync_min_ = std::chrono::microseconds(500);
    Duration sync_max_ = milliseconds(5);
    bool lying_ = false;
    Contents visible_;
    Contents durable_;
    std::deque<Write> pending_;
    std::uint64_t written_ = 0;
    std::uint64_t durable_upto_ = 0;
    std::uint64_t durable_version_ = 0;
    std::uint64_t life_ = 0;
};

} // namespace dwcp::sim
