#include "runtime/node/admin_trace.hpp"

#include "protocols/wire/control.hpp"
#include "protocols/wire/limits.hpp"
#include "runtime/trace/ring.hpp"
#include "runtime/trace/traceparent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <future>
#include <set>

namespace dwcp::node {
namespace {

using nlohmann::json;

constexpr Duration kPeerDeadline = std::chrono::seconds(3);
/// What an answer over the control link may hold of spans: the rest is the envelope and what was left out.
constexpr std::size_t kSpansBytesMax = wire::control::kBodyBytesMax - 256;
/// Workloads of one W3C trace that are put together.
constexpr std::size_t kWorkloadsMax = 16;

bool can_be_id(const std::string& id) {
    return !id.empty() && id.size() <= wire::kWorkloadIdBytesMax &&
           std::ranges::all_of(
               id, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
}

std::string id_text(trace::SpanId id) { return id == 0 ? std::string() : trace::span_text(id); }

std::optional<trace::SpanId> id_of(const json& json, const char* key) {
    const auto text = text_of(json, key);
    if (text.empty()) return 0;
    const auto parsed = trace::parse_traceparent(fmt::format("00-{}-{}-00", std::string(32, '1'), text));
    if (!parsed) return std::nullopt;
    return parsed->parent;
}

/// What one node said.
struct NodeAnswer {
    NodeName node;
    bool answered = false;
    std::string problem;
    std::uint64_t left_out = 0;
    std::size_t spans = 0;
};

/// Collects what the nodes of a cluster know of one trace.
class Gathering {
  public:
    explicit Gathering(const AdminServices& services) : services_(services) {
        nodes_[services.identity.name] = {services.identity.name, true, {}, 0, 0};
        for (const auto& peer : services.control.peers())
            nodes_[peer.name] = {peer.name, false, "it has not answered", 0, 0};
    }

    /// Asks for `id`, then for the workloads that turn out to belong to it.
    void gather(const std::string& id) {
        std::set<std::string> asked;
        std::set<std::string> wanted{id};
        while (!wanted.empty()) {
            for (const auto& one : wanted)
                ask_all(one);
            asked.merge(wanted);
            wanted.clear();
            for (const auto& [span_id, span] : spans_)
                if (!asked.contains(span.workload) && asked.size() + wanted.size() < kWorkloadsMax)
                    wanted.insert(span.workload);
        }
    }

    json answer(const std::string& id) const {
        std::vector<const trace::Span*> ordered;
        std::set<std::string> workloads;
        std::string trace_id;
        for (const auto& [span_id, span] : spans_) {
            ordered.push_back(&span);
            workloads.insert(span.workload);
            if (trace_id.empty()) trace_id = span.trace_id;
        }
        std::ranges::stable_sort(ordered, {}, &trace::Span::start_us);
        json spans = json::array();
        for (const auto* span : ordered)
            spans.push_back(span_json(*span));
        json nodes = json::array();
        for (const auto& [name, node] : nodes_)
            nodes.push_back({{"node", name},
                             {"answered", node.answered},
                             {"problem", node.problem},
                             {"spans", node.spans},
                             {"left_out", node.left_out}});
        return {{"id", id},
                {"trace_id", trace_id},
                {"workloads", workloads},
                {"spans", std::move(spans)},
                {"nodes", std::move(nodes)}};
    }

    bool empty() const { return spans_.empty(); }
    /// Those that did not answer, for a sentence.
    std::string silent() const {
        std::string names;
        for (const auto& [name, node] : nodes_)
            if (!node.answered) names += (names.empty() ? "" : ", ") + name;
        return names;
    }

  private:
    void ask_all(const std::string& id) {
        std::vector<std::pair<NodeName, std::future<Result<Bytes>>>> pending;
        for (const auto& peer : services_.control.peers()) {
            const auto promise = std::make_shared<std::promise<Result<Bytes>>>();
            pending.emplace_back(peer.name, promise->get_future());
            services_.control.request(
                peer.name, kTraceService, to_bytes(id), kPeerDeadline, {},
                [promise](Result<Bytes> reply) { promise->set_value(std::move(reply)); });
        }
        for (auto& span : trace::ring().find(id, services_.identity.name))
            add(services_.identity.name, std::move(span));
        for (auto& [peer, answer] : pending)
            take(peer, answer.get());
    }

    void take(const NodeName& peer, const Result<Bytes>& reply) {
        NodeAnswer& node = nodes_[peer];
        if (!reply) {
            node.answered = false;
            node.problem = reply.error().message;
            return;
        }
        const auto parsed = json::parse(as_text(*reply), nullptr, false);
        const auto spans = parsed.is_object() ? parsed.find("spans") : parsed.end();
        if (spans == parsed.end() || !spans->is_array()) {
            node.answered = false;
            node.problem = "its answer is malformed";
            return;
        }
        node.answered = true;
        node.problem.clear();
        node.left_out += number_of(parsed, "left_out", 0);
        for (const auto& item : *spans)
            if (auto span = span_of(item)) add(peer, std::move(*span));
    }

    /// A node speaks for itself only.
    void add(const NodeName& node, trace::Span span) {
        span.node = node;
        if (spans_.emplace(std::pair(node, span.id), std::move(span)).second) ++nodes_[node].spans;
    }

    const AdminServices& services_;
    std::map<NodeName, NodeAnswer> nodes_;
    std::map<std::pair<NodeName, trace::SpanId>, trace::Span> spans_;
};

Result<json> trace_of(const AdminServices& services, const std::string& id) {
    if (!can_be_id(id))
        return fail(Errc::invalid_argument, "'" + id + "' is not the id of a workload, request or trace",
                    "give what X-DWCP-Request-Id or traceparent said, or a transaction's id");
    Gathering gathering(services);
    gathering.gather(id);
    if (!gathering.empty()) return gathering.answer(id);
    const auto silent = gathering.silent();
    return fail(silent.empty() ? Errc::not_found : Errc::unavailable,
                "no node that answered knows a step of '" + id + "'" +
                    (silent.empty() ? "" : "; no answer came from " + silent),
                "steps are kept in memory: the latest of each actor, and none from before a node's restart");
}

} // namespace

json span_json(const trace::Span& span) {
    json fields = json::object();
    for (const auto& [key, value] : span.numbers)
        fields[key] = value;
    for (const auto& [key, value] : span.texts)
        fields[key] = value;
    return {{"span", id_text(span.id)},   {"parent", id_text(span.parent)},
            {"workload", span.workload},  {"trace_id", span.trace_id},
            {"name", span.name},          {"detail", span.detail},
            {"node", span.node},          {"actor", span.actor},
            {"start_us", span.start_us},  {"duration_us", span.duration_us},
            {"busy_us", span.busy_us},    {"count", span.count},
            {"ok", span.error.empty()},   {"error", span.error},
            {"fields", std::move(fields)}};
}

std::optional<trace::Span> span_of(const json& json) {
    if (!json.is_object()) return std::nullopt;
    const auto id = id_of(json, "span");
    const auto parent = id_of(json, "parent");
    if (!id || *id == 0 || !parent) return std::nullopt;
    trace::Span span{.workload = text_of(json, "workload"),
                     .name = text_of(json, "name"),
                     .detail = text_of(json, "detail"),
                     .node = text_of(json, "node"),
                     .actor = text_of(json, "actor"),
                     .id = *id,
                     .parent = *parent,
                     .trace_id = text_of(json, "trace_id"),
                     .start_us = static_cast<std::int64_t>(number_of(json, "start_us", 0)),
                     .duration_us = number_of(json, "duration_us", 0),
                     .busy_us = number_of(json, "busy_us", 0),
                     .count = number_of(json, "count", 1),
                     .error = text_of(json, "error")};
    const auto fields = json.find("fields");
    if (fields == json.end() || !fields->is_object()) return span;
    for (const auto& [key, value] : fields->items()) {
        if (value.is_number_unsigned()) span.numbers.emplace_back(key, value.get<std::uint64_t>());
        if (value.is_string()) span.texts.emplace_back(key, value.get<std::string>());
    }
    return span;
}

Result<Bytes> serve_spans(const NodeName& self, const links::PeerRequest& request) {
    const std::string id(as_text(request.body));
    if (!can_be_id(id)) return fail(Errc::invalid_argument, "a peer asked for the trace of an impossible id");
    const auto found = trace::ring().find(id, self);
    std::string spans;
    std::size_t taken = 0;
    for (; taken < found.size(); ++taken) {
        const auto text = span_json(found[taken]).dump(-1, ' ', false, json::error_handler_t::replace);
        if (spans.size() + text.size() + 1 > kSpansBytesMax) break;
        spans += (spans.empty() ? "" : ",") + text;
    }
    return to_bytes(fmt::format(R"({{"left_out":{},"spans":[{}]}})", found.size() - taken, spans));
}

void add_trace_verbs(VerbTable& verbs, const AdminServices& services) {
    verbs["trace"] = [&services](const gateway::AdminCall& call) {
        return trace_of(services, text_of(call.args, "path"));
    };
}

} // namespace dwcp::node
