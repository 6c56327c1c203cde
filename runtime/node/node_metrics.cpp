#include "runtime/node/node_metrics.hpp"

#include "runtime/caf/actor.hpp"

#include <filesystem>

namespace dwcp::node {
namespace {

using metrics::Labels;

void set(const char* name, const char* help, double value, const Labels& labels = {}) {
    metrics::gauge(name, help, labels).set(value);
}

void announce(const config::NodeConfig& config) {
    set("dwcp_build_info", "What this process was built from; always 1.", 1,
        {{"version", DWCP_VERSION}, {"compiler", std::string("g++ ") + __VERSION__}});
    set("dwcp_node_info", "Who this node is; always 1.", 1,
        {{"node", config.name}, {"site", config.site}, {"cluster", config.cluster_id}});
    set("dwcp_actor_mailbox_limit_messages", "Waiting messages above which a mailbox refuses more.",
        static_cast<double>(actor::kMailboxMax));
}

} // namespace

NodeMetrics::NodeMetrics(NodeMetricsSources sources) : sources_(std::move(sources)) {
    announce(sources_.config);
    hook_ = metrics::on_expose([this] { sample(); });
}

void NodeMetrics::sample() {
    set("dwcp_node_draining", "Whether this node takes no new requests (0 or 1).", sources_.draining->load());
    set("dwcp_chaos_enabled", "Whether this node's configuration lets admins inject faults (0 or 1).",
        sources_.chaos_enabled());
    sample_actors();
    sample_links();
    sample_disk();
}

void NodeMetrics::set_state(const std::string& path, const std::string& state) {
    auto& known = states_[path];
    for (const auto& [name, gauge] : known)
        gauge.set(0);
    auto found = known.find(state);
    if (found == known.end()) {
        const auto gauge =
            metrics::gauge("dwcp_actor_state", "Whether the supervisor has an actor in a state (0 or 1).",
                           {{"actor", path}, {"state", state}});
        found = known.emplace(state, gauge).first;
    }
    found->second.set(1);
}

void NodeMetrics::sample_actors() {
    for (const auto& child : sources_.board.all()) {
        const auto live = sources_.resolver.find(child.path);
        const Labels labels{{"actor", child.path}};
        set_state(child.path, child.state);
        set("dwcp_actor_up", "Whether an actor runs (0 or 1).", live.has_value(), labels);
        set("dwcp_actor_mailbox_messages",
            "Messages in a mailbox when its actor last had its turn, and those since.",
            live ? static_cast<double>(live->stats->depth()) : 0, labels);
        const auto seconds = metrics::counter("dwcp_actor_busy_seconds_total",
                                              "Time that an actor spent in its handlers.", labels);
        if (!live) continue;
        Busy& busy = busy_[child.path];
        if (busy.life != live->life) busy = {live->life, 0};
        const std::uint64_t now_ns = live->stats->busy_ns.load(std::memory_order_relaxed);
        seconds.add(static_cast<double>(now_ns - busy.counted_ns) / 1e9);
        busy.counted_ns = now_ns;
    }
}

void NodeMetrics::sample_links() {
    for (const auto& peer : sources_.control.peers()) {
        set("dwcp_control_rtt_seconds", "Round-trip time of the last control request to a peer.",
            peer.rtt_ms / 1e3, {{"peer", peer.name}});
    }
    for (const auto& link : sources_.data.status()) {
        const Labels labels{{"peer", link.name}};
        set("dwcp_data_peer_up", "Whether a data stream to a peer is established (0 or 1).", link.up, labels);
        set("dwcp_data_streams_wanted", "Streams to a peer that the stream controller asks for.",
            link.streams_wanted, labels);
        set("dwcp_data_rtt_seconds", "Mean smoothed round-trip time of the streams to a peer.",
            link.rtt_ms / 1e3, labels);
        set("dwcp_data_loss_ratio", "Segments to a peer that were sent again, of the last interval.",
            link.loss_ratio, labels);
        set("dwcp_data_delivery_rate_bytes_per_second",
            "Sum of the delivery rates that the kernel measured on the streams to a peer.",
            link.delivery_rate_bps / 8, labels);
    }
}

void NodeMetrics::sample_disk() {
    const auto stats = sources_.store.stats();
    set("dwcp_store_blocks_bytes", "Bytes of the blocks in this node's store.",
        static_cast<double>(stats.blocks_bytes));
    set("dwcp_store_capacity_bytes", "Bytes of blocks that the configuration allows this node.",
        static_cast<double>(sources_.config.capacity_bytes));
    set("dwcp_store_disk_free_bytes", "Bytes free on the disk of this node's store.",
        static_cast<double>(stats.disk_free_bytes));
    set("dwcp_store_disk_reserve_bytes", "Free bytes on that disk that this node leaves to its own work.",
        static_cast<double>(sources_.disk_reserve_bytes));
    std::error_code failed;
    const auto space = std::filesystem::space(sources_.config.data_dir, failed);
    if (!failed) {
        set("dwcp_store_disk_size_bytes", "Size of the disk of this node's store.",
            static_cast<double>(space.capacity));
    }
}

} // namespace dwcp::node
