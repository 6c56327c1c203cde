// The links of a world of many small events: decides for each message when, how often and whether it arrives.
// Directions are apart, so a partition may be asymmetric. It holds no message; the world does.
#pragma once

#include "protocols/base/random.hpp"
#include "tests/sim/world/event_queue.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dwcp::sim {

inline constexpr Moment kMicrosecond = 1'000;
inline constexpr Moment kMillisecond = 1'000'000;
inline constexpr Moment kSecond = 1'000'000'000;

/// How delays spread between least and most.
enum class Spread : std::uint8_t {
    even,     ///< Every delay as likely as another.
    tailed,   ///< Most near the least, few near the most (the cube of an even number).
    two_ways, ///< Nine of ten near the least, one near the most, as by two routes.
};

struct LinkConditions {
    Moment delay_min = 100 * kMicrosecond;
    Moment delay_max = 2 * kMillisecond;
    Spread spread = Spread::even;
    std::uint32_t loss_permille = 0;
    std::uint32_t twice_permille = 0; ///< Arrives twice.
    /// One in a thousand arrives so much later, after what it said has lost its sense.
    std::uint32_t stray_permille = 0;
    Moment stray_max = 2 * kSecond;
    bool in_order = false; ///< As by one TCP connection; else messages overtake each other.
};

class Links {
  public:
    Links(std::size_t hosts, std::uint64_t seed) : hosts_(hosts), links_(hosts * hosts), random_(seed) {}

    LinkConditions& conditions() { return conditions_; }

    /// Cuts count: a link works again when each is mended. What is under way still arrives.
    void cut(std::size_t from, std::size_t to, int by) { link(from, to).cuts += by; }
    void slow(std::size_t from, std::size_t to, std::uint32_t factor) { link(from, to).factor = factor; }
    void mend_all() {
        for (auto& link : links_)
            link.cuts = 0, link.factor = 1;
    }
    bool is_cut(std::size_t from, std::size_t to) const { return links_[from * hosts_ + to].cuts > 0; }

    /// Moments at which a message that leaves now arrives: none, one or two.
    struct Arrivals {
        std::array<Moment, 2> at{};
        std::size_t count = 0;
    };
    Arrivals send(std::size_t from, std::size_t to, Moment now) {
        Arrivals arrivals;
        auto& on = link(from, to);
        if (on.cuts > 0 || chance(conditions_.loss_permille)) return arrivals;
        arrivals.at[arrivals.count++] = arrival(on, now);
        if (chance(conditions_.twice_permille)) arrivals.at[arrivals.count++] = arrival(on, now);
        return arrivals;
    }

  private:
    struct Link {
        int cuts = 0;
        std::uint32_t factor = 1;
        Moment last = 0;
    };
    Link& link(std::size_t from, std::size_t to) { return links_[from * hosts_ + to]; }
    bool chance(std::uint32_t permille) { return permille != 0 && random_.below(1000) < permille; }

    Moment arrival(Link& on, Moment now) {
        if (chance(conditions_.stray_permille))
            return now +
                   static_cast<Moment>(random_.below(static_cast<std::uint64_t>(conditions_.stray_max)));
        const auto range = static_cast<double>(conditions_.delay_max - conditions_.delay_min);
        double share = random_.unit();
        if (conditions_.spread == Spread::tailed) share = share * share * share;
        if (conditions_.spread == Spread::two_ways) share = share < 0.9 ? share * 0.1 : share;
        Moment at = now + (conditions_.delay_min + static_cast<Moment>(range * share)) * on.factor;
        if (conditions_.in_order && at <= on.last) at = on.last + 1;
        on.last = at;
        return at;
    }

    std::size_t hosts_;
    std::vector<Link> links_;
    LinkConditions conditions_;
    Random random_;
};

} // namespace dwcp::sim
