// What a manager does for a workload, as spans for `dwcp-shell trace ID`. Each function is told what came of
// a step that began at `begin` and has just ended. Steps of one kind add up: one span a peer, however many
// blocks; only the first few blocks are shown one by one.
//
//   request ── admit ── allocate, journal        request ── seal
//           ── encode (block), keep              ── confirm (peer)    peer: durable
//           ── ship (peer)     peer: store       ── commit            every member: append
//           ── read, fetch (peer)
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/wire/block.hpp"
#include "runtime/trace/ring.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace dwcp::manager {

/// Blocks of a workload whose encoding is shown one by one; the rest is one span.
inline constexpr std::uint32_t kBlocksShown = 4;

/// The text of what failed; empty: nothing did.
template<class T>
std::string problem_of(const Result<T>& result) {
    return result ? std::string() : result.error().message;
}

class WorkloadSteps {
  public:
    WorkloadSteps(NodeName node, std::string actor) : recorder_(std::move(node), std::move(actor)) {}

    void admitted(const WorkloadId& id, const trace::Mark& begin, std::string problem = {}) const;
    /// Parts of the admission.
    void allocated(const WorkloadId& id, const trace::Mark& begin, std::string problem = {}) const;
    void journaled(const WorkloadId& id, const trace::Mark& begin, std::string problem = {}) const;

    void encoded(const WorkloadId& id, std::uint32_t index, const EncodedBlock& block,
                 const std::string& reason, const trace::Mark& begin) const;
    void kept(const WorkloadId& id, std::uint64_t bytes, const trace::Mark& begin,
              std::string problem = {}) const;
    void shipped(const WorkloadId& id, const NodeName& peer, std::uint64_t blocks, std::uint64_t bytes,
                 const trace::Mark& begin, std::string problem = {}) const;
    void sealed(const WorkloadId& id, const trace::Mark& begin, std::string problem = {}) const;
    void confirmed(const WorkloadId& id, const NodeName& peer, std::uint64_t missing,
                   const trace::Mark& begin, std::string problem = {}) const;
    void committed(const WorkloadId& id, std::uint64_t index, const trace::Mark& begin,
                   std::string problem = {}) const;

    /// A download's block, from here or from a peer.
    void read(const WorkloadId& id, std::uint64_t bytes, const trace::Mark& begin,
              std::string problem = {}) const;
    void fetched(const WorkloadId& id, const NodeName& peer, std::uint64_t bytes, const trace::Mark& begin,
                 std::string problem = {}) const;

  private:
    const trace::Recorder recorder_;
};

} // namespace dwcp::manager
