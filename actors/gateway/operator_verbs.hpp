// The one table of operator verbs: it makes their HTTP routes, their part of ops/api.md, what the shell
// completes, and who may call them. What a verb does stands in runtime/node/admin_*.cpp.
#pragma once

#include "runtime/http/route.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::gateway {

struct OperatorVerb {
    std::string name; ///< "actor.kill": the shell's `actor kill`.
    http::RouteSpec route;
    /// Changes something: is audited before it runs, and takes `dry_run`, `reason` and `who` in its body.
    bool mutates = false;
    /// Overrides a protection or a decision: refused without a reason.
    bool needs_reason = false;
    /// Takes `node`, the name of another node of the cluster.
    bool takes_node = true;
    /// Of its body: a path, a node's name and who asks, unless it carries more.
    std::size_t body_bytes_max = 4096;
};

/// Every verb, with the parameters that all of its kind take already among its own. A GET verb's parameters
/// come from the query; a POST verb's are members of its JSON body.
const std::vector<OperatorVerb>& operator_verbs();

/// Null: there is none of this name.
const OperatorVerb* find_verb(std::string_view name);

} // namespace dwcp::gateway
