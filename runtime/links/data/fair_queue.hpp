// A queue of several flows that hands out work fairly: deficit round robin (Shreedhar and Varghese, 1995).
//
// Each flow, while it has work, gets the same number of cost units a round, however many items it has queued
// and however large they are. Not thread-safe: its user locks.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace dwcp::links {

template<class Item>
class FairQueue {
  public:
    /// `quantum`: cost units a flow earns a round; about the largest item, so that one round serves each flow
    /// once.
    explicit FairQueue(std::uint64_t quantum) : quantum_(quantum) {}

    void push(const std::string& flow, std::uint64_t cost, Item item) {
        Flow& entry = flows_[flow];
        if (entry.items.empty()) turns_.push_back(flow);
        entry.items.emplace_back(cost, std::move(item));
        ++size_;
    }

    std::optional<Item> pop() {
        while (!turns_.empty()) {
            const auto turn = flows_.find(turns_.front());
            Flow& flow = turn->second;
            if (!flow.served_this_turn) {
                flow.deficit += quantum_;
                flow.served_this_turn = true;
            }
            auto& [cost, item] = flow.items.front();
            if (cost > flow.deficit) {
                flow.served_this_turn = false;
                turns_.push_back(std::move(turns_.front()));
                turns_.pop_front();
                continue;
            }
            flow.deficit -= cost;
            std::optional<Item> taken(std::move(item));
            flow.items.pop_front();
            --size_;
            if (flow.items.empty()) { // a flow without work keeps no claim on the future
                flows_.erase(turn);
                turns_.pop_front();
            }
            return taken;
        }
        return std::nullopt;
    }

    std::size_t size() const { return size_; }

    void clear() {
        flows_.clear();
        turns_.clear();
        size_ = 0;
    }

  private:
    struct Flow {
        std::deque<std::pair<std::uint64_t, Item>> items;
        std::uint64_t deficit = 0;
        bool served_this_turn = false;
    };

    const std::uint64_t quantum_;
    std::map<std::string, Flow> flows_;
    std::deque<std::string> turns_; ///< Flows with work, in the order of their turns.
    std::size_t size_ = 0;
};

} // namespace dwcp::links
