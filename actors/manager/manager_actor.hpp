// The manager: takes workloads in, journals them before anything is acknowledged, has their blocks encoded,
// stored and shipped, and commits their manifests. Lives at "manager/0", ...; a restart reads the journal and
// takes up what is unfinished.
#pragma once

#include "actors/manager/admission.hpp"
#include "actors/manager/block_keeper.hpp"
#include "actors/manager/metadata.hpp"
#include "actors/manager/workload.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/chaos/canary_faults.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/release/release_switch.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace dwcp::manager {

/// Uploads begun in this life of the process. It outlives the manager actors: a restarted manager goes on
/// with an upload whose client is still sending, whereas after a restart of the node the client is gone.
/// Thread-safe.
class OpenUploads {
  public:
    struct Upload {
        std::optional<CodecChoice> codec;
    };
    void add(const WorkloadId& id, Upload upload);
    void remove(const WorkloadId& id);
    std::optional<Upload> find(const WorkloadId& id) const;

  private:
    mutable std::mutex mutex_;
    std::map<WorkloadId, Upload> uploads_;
};

struct ManagerOptions {
    NodeName self;
    std::uint32_t instance = 0;
    std::uint32_t instances = 1;
    std::uint32_t compression_instances = 1;
    std::uint32_t replicas_default = 1;
    std::uint64_t object_bytes_max = 0;
    std::uint32_t uploads_open_max = 1;                ///< Multi-part uploads that this manager keeps open.
    Duration data_deadline = std::chrono::seconds(10); ///< For one block or confirmation over the data links.
    AdmissionLimits admission;
    /// What holds now, where it may be changed while the node runs; without, `admission` holds for good.
    std::function<AdmissionLimits()> admission_now;
    WorkloadTiming timing;
};

/// What all managers of a node share; everything outlives them.
struct ManagerServices {
    store::Store& store;
    BlockKeeper& keeper;
    links::DataPlane& data;
    EventRing& events;
    WorkerPool& disk;
    OpenUploads& uploads;
    const Metadata& metadata;
    /// Says which release ships a workload; null: the one of many streams, always.
    release::ReleaseSwitch* releases = nullptr;
    chaos::CanaryFaults* canary_faults = nullptr; ///< Null: there can be none.
};

/// For whoever makes the switch.
release::ReleaseNames release_names();

caf::actor spawn_manager(caf::actor_system& system, actor::ActorContext context, ManagerOptions options,
                         ManagerServices services);

} // namespace dwcp::manager
