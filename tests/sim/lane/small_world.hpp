// A quiet simulated world of three majority-write members, for scripted cases: nothing happens that the test
// does not do.
#pragma once

#include "protocols/base/random.hpp"
#include "tests/sim/lane/majority_write_member.hpp"

#include <map>
#include <memory>

namespace dwcp::sim {

class SmallWorld {
  public:
    SmallWorld() {
        for (const auto& name : names_)
            disks_[name] = std::make_unique<Disk>(clock_, random_);
        for (const auto& name : names_) {
            consensus::MajorityWriteOptions options;
            options.lane = "metadata";
            options.self = name;
            options.sequencer = names_.front();
            options.members = names_;
            Observer observer{[](const NodeName&, const consensus::Entry&) {}};
            members_[name] = std::make_unique<MajorityWriteMember>(
                Surroundings{clock_, network_, *disks_[name]}, std::move(observer), options);
        }
    }

    MajorityWriteMember& operator[](const NodeName& name) { return *members_.at(name); }
    void boot_all() {
        for (const auto& name : names_)
            members_.at(name)->boot();
    }
    void run_for(Duration time) {
        const TimePoint end = clock_.now() + time;
        bool over = false;
        clock_.at(end, [&over] { over = true; });
        while (!over)
            clock_.run_next();
    }
    /// How many of the commands first..last were committed within ten seconds.
    int commit(const NodeName& through, int first, int last) {
        int committed = 0;
        for (int i = first; i <= last; ++i) {
            members_.at(through)->submit(
                {"id-" + std::to_string(i), Bytes(100, 'x')}, clock_.now() + std::chrono::seconds(9),
                [&committed](std::optional<consensus::LogIndex> at) { committed += at.has_value(); });
        }
        run_for(std::chrono::seconds(10));
        return committed;
    }

  private:
    const std::vector<NodeName> names_{"a", "b", "c"};
    Random random_{1};
    Clock clock_;
    Network network_{clock_, random_};
    std::map<NodeName, std::unique_ptr<Disk>> disks_;
    std::map<NodeName, std::unique_ptr<MajorityWriteMember>> members_;
};

} // namespace dwcp::sim
