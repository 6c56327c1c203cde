#include "actors/manager/workload_steps.hpp"

#include "actors/compression/codec.hpp"

namespace dwcp::manager {

void WorkloadSteps::admitted(const WorkloadId& id, const trace::Mark& begin, std::string problem) const {
    recorder_.record({.workload = id, .name = "admit", .error = std::move(problem)}, begin);
}

void WorkloadSteps::allocated(const WorkloadId& id, const trace::Mark& begin, std::string problem) const {
    recorder_.record({.workload = id,
                      .name = "allocate",
                      .parent = recorder_.id_of(id, "admit"),
                      .error = std::move(problem)},
                     begin);
}

void WorkloadSteps::journaled(const WorkloadId& id, const trace::Mark& begin, std::string problem) const {
    recorder_.record({.workload = id,
                      .name = "journal",
                      .parent = recorder_.id_of(id, "admit"),
                      .error = std::move(problem)},
                     begin);
}

void WorkloadSteps::encoded(const WorkloadId& id, std::uint32_t index, const EncodedBlock& block,
                            const std::string& reason, const trace::Mark& begin) const {
    recorder_.record({.workload = id,
                      .name = "encode",
                      .detail = index < kBlocksShown ? "block " + std::to_string(index) : "further blocks",
                      .numbers = {{"raw_bytes", block.raw_bytes},
                                  {"stored_bytes", block.bytes->size()},
                                  {"blocks_" + std::string(compression::to_string(block.codec)), 1}},
                      .texts = {{"reason", reason}}},
                     begin);
}

void WorkloadSteps::kept(const WorkloadId& id, std::uint64_t bytes, const trace::Mark& begin,
                         std::string problem) const {
    recorder_.record({.workload = id,
                      .name = "keep",
                      .error = std::move(problem),
                      .numbers = {{"blocks", 1}, {"bytes", bytes}}},
                     begin);
}

void WorkloadSteps::shipped(const WorkloadId& id, const NodeName& peer, std::uint64_t blocks,
                            std::uint64_t bytes, const trace::Mark& begin, std::string problem) const {
    const char* const which = problem.empty() ? "blocks" : "blocks_not_taken";
    recorder_.record({.workload = id,
                      .name = "ship",
                      .detail = peer,
                      .error = std::move(problem),
                      .numbers = {{which, blocks}, {"bytes", bytes}}},
                     begin);
}

void WorkloadSteps::sealed(const WorkloadId& id, const trace::Mark& begin, std::string problem) const {
    recorder_.record({.workload = id, .name = "seal", .error = std::move(problem)}, begin);
}

void WorkloadSteps::confirmed(const WorkloadId& id, const NodeName& peer, std::uint64_t missing,
                              const trace::Mark& begin, std::string problem) const {
    recorder_.record({.workload = id,
                      .name = "confirm",
                      .detail = peer,
                      .error = std::move(problem),
                      .numbers = {{"missing", missing}}},
                     begin);
}

void WorkloadSteps::committed(const WorkloadId& id, std::uint64_t index, const trace::Mark& begin,
                              std::string problem) const {
    recorder_.record({.workload = id,
                      .name = "commit",
                      .error = std::move(problem),
                      .texts = {{"lane", "metadata"}, {"index", std::to_string(index)}}},
                     begin);
}

void WorkloadSteps::read(const WorkloadId& id, std::uint64_t bytes, const trace::Mark& begin,
                         std::string problem) const {
    recorder_.record({.workload = id,
                      .name = "read",
                      .error = std::move(problem),
                      .numbers = {{"blocks", 1}, {"bytes", bytes}}},
                     begin);
}

void WorkloadSteps::fetched(const WorkloadId& id, const NodeName& peer, std::uint64_t bytes,
                            const trace::Mark& begin, std::string problem) const {
    recorder_.record({.workload = id,
                      .name = "fetch",
                      .detail = peer,
                      .error = std::move(problem),
                      .numbers = {{"blocks", 1}, {"bytes", bytes}}},
                     begin);
}

} // namespace dwcp::manager
