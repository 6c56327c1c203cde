#include "actors/compression/compression_actor.hpp"

#include "actors/compression/codec.hpp"
#include "actors/compression/messages.hpp"
#include "actors/compression/rule_selector.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/metrics/metrics.hpp"

#include <list>
#include <unordered_map>

namespace dwcp::compression {
namespace {

/// Histories of the streams seen last; one is 16 bytes, and a stream that was forgotten just starts afresh.
constexpr std::size_t kStreamsRemembered = 1024;

struct Encoded {
    Result<BlockEncoded> result;
    StreamHistory history;
};

Encoded encode_block(const EncodeBlock& request, double link_mbps, StreamHistory history) {
    const Hash256 hash = crypto::sha256(*request.raw);
    Selection selection;
    if (request.pinned)
        selection = {*request.pinned, "pinned"};
    else
        selection = select(measure(*request.raw), link_mbps, history);
    auto block = encode(selection.codec, request.raw, hash);
    if (!block) return {std::unexpected(block.error()), history};
    if (selection.codec.codec != Codec::none) {
        history.record(block->raw_bytes, static_cast<std::uint32_t>(block->bytes->size()));
    }
    return {BlockEncoded{std::move(*block), std::string(selection.reason)}, history};
}

metrics::Counter encode_errors() {
    return metrics::counter("dwcp_compression_errors_total", "Blocks that could not be coded, by operation.",
                            {{"operation", "encode"}});
}

void count(const Result<BlockEncoded>& result) {
    if (!result) return encode_errors().add();
    const BlockEncoded& encoded = *result;
    const metrics::Labels labels{{"codec", std::string(to_string(encoded.block.codec))}};
    metrics::counter("dwcp_compression_blocks_total", "Blocks encoded, by codec.", labels).add();
    metrics::counter("dwcp_compression_raw_bytes_total", "Bytes before encoding, by codec.", labels)
        .add(encoded.block.raw_bytes);
    metrics::counter("dwcp_compression_stored_bytes_total", "Bytes after encoding, by codec.", labels)
        .add(static_cast<double>(encoded.block.bytes->size()));
}

class CompressionActor final : public actor::Actor {
  public:
    CompressionActor(caf::actor_config& config, actor::ActorContext context, CompressionOptions options,
                     WorkerPool* workers)
        : Actor(config, std::move(context)), options_(options), workers_(*workers) {}

  protected:
    caf::behavior handlers() override {
        encode_errors(); // there from the start, at 0
        return {on_later<EncodeBlock>([this](const EncodeBlock& request, actor::Ticket ticket) {
                    if (!request.raw || request.raw->empty() || request.raw->size() > kBlockBytes) {
                        refuse(ticket, {Errc::invalid_argument, "a block has 1 to 1048576 bytes", {}});
                        return;
                    }
                    start(request, ticket);
                }),
                on_later<PredictCodecs>([this](const PredictCodecs& request, actor::Ticket ticket) {
                    start_predicting(request, ticket);
                })};
    }

  private:
    void start(const EncodeBlock& request, actor::Ticket ticket) {
        const bool queued =
            workers_.try_submit([this, post = poster(), request, ticket, link = options_.link_mbps(),
                                 history = history_of(request.stream)] {
                auto encoded = std::make_shared<Encoded>(encode_block(request, link, history));
                count(encoded->result);
                post([this, encoded, ticket, stream = request.stream] {
                    history_of(stream) = encoded->history;
                    settle<BlockEncoded>(ticket, std::move(encoded->result));
                });
            });
        if (!queued) refuse_full(ticket);
    }

    void start_predicting(const PredictCodecs& request, actor::Ticket ticket) {
        const bool queued =
            workers_.try_submit([this, post = poster(), request, ticket, link = options_.link_mbps()] {
                CodecsPredicted predicted;
                for (const auto& forecast : request.forecasts)
                    predicted.list.push_back(predict(forecast, link));
                post([this, ticket, predicted = std::move(predicted)]() mutable {
                    settle<CodecsPredicted>(ticket, std::move(predicted));
                });
            });
        if (!queued) refuse_full(ticket);
    }

    void refuse_full(actor::Ticket ticket) {
        refuse(ticket,
               {Errc::resource_exhausted, "the compression queue is full", "slow down, then try again"});
    }

    StreamHistory& history_of(const WorkloadId& stream) {
        if (const auto found = streams_.find(stream); found != streams_.end()) return found->second;
        if (streams_.size() == kStreamsRemembered) {
            streams_.erase(order_.front());
            order_.pop_front();
        }
        order_.push_back(stream);
        return streams_[stream];
    }

    const CompressionOptions options_;
    WorkerPool& workers_;
    std::unordered_map<WorkloadId, StreamHistory> streams_;
    std::list<WorkloadId> order_; ///< Oldest first.
};

} // namespace

caf::actor spawn_compression(caf::actor_system& system, actor::ActorContext context,
                             CompressionOptions options, WorkerPool& workers) {
    return system.spawn<CompressionActor>(std::move(context), options, &workers);
}

} // namespace dwcp::compression
