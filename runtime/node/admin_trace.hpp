// `trace`: the steps of a workload on all nodes of the cluster.
//
// Every node keeps its own spans in memory (runtime/trace), so the verb asks all of them and puts what they
// answer together. Which nodes did not answer is part of the answer. A node that restarted has lost its
// spans.
#pragma once

#include "runtime/node/admin_verbs.hpp"
#include "runtime/trace/span.hpp"

namespace dwcp::node {

/// The control service that answers with a node's own spans of the workload or trace in its body.
inline constexpr const char* kTraceService = "node/trace";

/// A span as `trace` shows it.
nlohmann::json span_json(const trace::Span& span);
/// The other way round, for what a peer says; nullopt for what is none.
std::optional<trace::Span> span_of(const nlohmann::json& json);

/// Serves kTraceService. An answer holds as many spans, the earliest, as fit a control frame, and says how
/// many were left out.
Result<Bytes> serve_spans(const NodeName& self, const links::PeerRequest& request);

void add_trace_verbs(VerbTable& verbs, const AdminServices& services);

} // namespace dwcp::node
