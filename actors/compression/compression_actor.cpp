#include "actors/compression/compression_actor.hpp"

#include "actors/compression/codec.hpp"
#include "actors/compression/messages.hpp"
#include "actors/compression/rule_selector.hpp"
#include "actors/compression/sampled_selector.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/metrics/metrics.hpp"

#include <chrono>
#include <list>
#include <memory>
#include <stdexcept>
#include <unordered_map>

namespace dwcp::compression {
namespace {

/// Histories of the streams seen last; one is 16 bytes, and a stream that was forgotten just starts afresh.
constexpr std::size_t kStreamsRemembered = 1024;

/// Of blocks that stable chose for, one in so many is tried by a shadowing canary, and one at a time an
/// actor: an eighth more work at the most, and none of it before the answer.
constexpr std::uint64_t kShadowEvery = 8;

/// What a worker needs to encode a block, and what it learned.
struct Encoding {
    EncodeBlock request;
    double link_mbps = 0;
    StreamHistory history; ///< The rules' own.
    EncodeRates rates;     ///< The sampling selector's own.
    release::Lease lease;
    Duration delayed{}; ///< By an injected fault.

    Result<BlockEncoded> result = BlockEncoded{};
    CodecChoice tried{}; ///< And how long it took.
    Duration encoding{};
};

double microseconds(Duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

/// What the selector's releases are compared by.
std::uint64_t cost_us(Duration took, std::size_t stored_bytes, double link_mbps) {
    return static_cast<std::uint64_t>(microseconds(took) +
                                      send_us(static_cast<double>(stored_bytes), link_mbps));
}

Selection select_for(Encoding& work, bool canary) {
    if (work.request.pinned) return {*work.request.pinned, "pinned"};
    const ByteView raw = *work.request.raw;
    if (canary) {
        StreamHistory looked_at = work.history; // stable's, which the canary leaves as it is
        return select_sampled(raw, measure(raw), work.link_mbps, work.rates, looked_at);
    }
    return select(measure(raw), work.link_mbps, work.history);
}

/// Only stable touches the stream's history.
void encode_once(Encoding& work, const Hash256& hash) {
    const auto release = work.lease.release();
    const bool canary = release == release::Release::canary;
    const auto begin = std::chrono::steady_clock::now();
    const auto selection = select_for(work, canary);
    const auto selected = std::chrono::steady_clock::now();
    auto block = encode(selection.codec, work.request.raw, hash);
    const auto end = std::chrono::steady_clock::now();
    if (!block) {
        work.lease.failed();
        work.result = std::unexpected(block.error());
        return;
    }
    work.tried = selection.codec;
    work.encoding = end - selected;
    const Duration took = end - begin + work.delayed;
    if (selection.codec.codec != Codec::none && !canary)
        work.history.record(block->raw_bytes, static_cast<std::uint32_t>(block->bytes->size()));
    work.lease.finished(took, block->raw_bytes, cost_us(took, block->bytes->size(), work.link_mbps));
    work.result = BlockEncoded{std::move(*block), std::string(selection.reason), release};
}

/// What the canary fails at is one error of its own; stable does the block, and no client notices.
void leave_to_stable(Encoding& work) {
    work.lease.failed();
    work.lease = {};
}

/// On a worker.
void encode_block(Encoding& work) {
    const Hash256 hash = crypto::sha256(*work.request.raw);
    if (work.lease.revoked()) work.lease.move_to_stable();
    encode_once(work, hash);
    if (work.result || work.lease.release() == release::Release::stable) return;
    leave_to_stable(work);
    encode_once(work, hash);
}

/// The canary's choice for a block that stable has answered already.
void shadow_block(const SharedBytes& raw, double link_mbps, const EncodeRates& rates, StreamHistory history,
                  release::ReleaseSwitch& releases) {
    const auto begin = std::chrono::steady_clock::now();
    const auto selection = select_sampled(*raw, measure(*raw), link_mbps, rates, history);
    const auto block = encode(selection.codec, raw, {});
    const Duration took = std::chrono::steady_clock::now() - begin;
    if (!block) return releases.shadow_failed();
    releases.shadow_finished(took, raw->size(), cost_us(took, block->bytes->size(), link_mbps));
}

metrics::Counter encode_errors() {
    return metrics::counter("dwcp_compression_errors_total", "Blocks that could not be coded, by operation.",
                            {{"operation", "encode"}});
}

void count_encoded(CodecChoice codec, double blocks, double raw_bytes, double stored_bytes) {
    const metrics::Labels labels{{"codec", std::string(to_string(codec))}};
    metrics::counter("dwcp_compression_blocks_total", "Blocks encoded, by codec.", labels).add(blocks);
    metrics::counter("dwcp_compression_raw_bytes_total", "Bytes before encoding, by codec.", labels)
        .add(raw_bytes);
    metrics::counter("dwcp_compression_stored_bytes_total", "Bytes after encoding, by codec.", labels)
        .add(stored_bytes);
}

void count(const Result<BlockEncoded>& result) {
    if (!result) return encode_errors().add();
    const auto& block = result->block;
    count_encoded(block.codec, 1, block.raw_bytes, static_cast<double>(block.bytes->size()));
}

class CompressionActor final : public actor::Actor {
  public:
    CompressionActor(caf::actor_config& config, actor::ActorContext context, CompressionOptions options,
                     WorkerPool* workers)
        : Actor(config, std::move(context)), options_(options), workers_(*workers) {}

  protected:
    caf::behavior handlers() override {
        encode_errors(); // there from the start, at 0
        count_encoded({Codec::none, 0}, 0, 0, 0);
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
        auto work = std::make_shared<Encoding>();
        work->request = request;
        // A pinned codec is nobody's choice.
        if (options_.releases != nullptr && !request.pinned)
            work->lease = options_.releases->route(request.key);
        if (options_.canary_faults == nullptr || work->lease.release() == release::Release::stable)
            return queue(work, ticket);
        const auto strike = options_.canary_faults->strike("selector");
        if (strike.error || strike.crash) leave_to_stable(*work);
        if (strike.crash) throw std::runtime_error("injected fault: the canary release crashes");
        if (strike.error || strike.latency == Duration::zero()) return queue(work, ticket);
        work->delayed = strike.latency;
        after(strike.latency, [this, work, ticket] { queue(work, ticket); }); // holds no worker up
    }

    void queue(const std::shared_ptr<Encoding>& work, actor::Ticket ticket) {
        work->link_mbps = options_.link_mbps();
        work->history = history_of(work->request.stream);
        work->rates = rates_;
        const bool queued = workers_.try_submit([this, post = poster(), work, ticket] {
            encode_block(*work);
            count(work->result);
            post([this, work, ticket] { encoded(*work, ticket); });
        });
        if (!queued) refuse_full(ticket);
    }

    void encoded(Encoding& work, actor::Ticket ticket) {
        const bool shadowed = work.result && work.lease.shadowed();
        if (work.result) {
            // The rules' history is what the rules made of the stream, and nothing else.
            if (work.result->release == release::Release::stable)
                history_of(work.request.stream) = work.history;
            if (work.tried == work.result->block.codec) // else it gave up early, and its time tells nothing
                rates_.record(work.tried, work.result->block.raw_bytes, work.encoding);
        }
        settle<BlockEncoded>(ticket, std::move(work.result));
        if (shadowed) shadow(work);
    }

    void shadow(const Encoding& work) {
        if (shadowing_ || ++shadowed_blocks_ % kShadowEvery != 0) return;
        shadowing_ = workers_.try_submit([this, post = poster(), raw = work.request.raw, rates = rates_,
                                          history = work.history, link = work.link_mbps,
                                          releases = options_.releases] {
            shadow_block(raw, link, rates, history, *releases);
            post([this] { shadowing_ = false; });
        });
    }

    void start_predicting(const PredictCodecs& request, actor::Ticket ticket) {
        const bool queued =
            workers_.try_submit([this, post = poster(), request, ticket, link = options_.link_mbps(),
                                 rates = rates_, sampled = canary_decides()] {
                CodecsPredicted predicted;
                for (const auto& forecast : request.forecasts)
                    predicted.list.push_back(predict(forecast, link, sampled ? &rates : nullptr));
                post([this, ticket, predicted = std::move(predicted)]() mutable {
                    settle<CodecsPredicted>(ticket, std::move(predicted));
                });
            });
        if (!queued) refuse_full(ticket);
    }

    /// For questions, which have no workload's key: once everything is the canary's.
    bool canary_decides() const {
        return options_.releases != nullptr && options_.releases->canary_percent() >= 100;
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
    EncodeRates rates_;
    bool shadowing_ = false;
    std::uint64_t shadowed_blocks_ = 0;
};

} // namespace

release::ReleaseNames release_names() {
    return {"selector", std::string(kStableRelease), std::string(kCanaryRelease),
            "microseconds to choose and encode, and for the stored bytes over link_mbps"};
}

caf::actor spawn_compression(caf::actor_system& system, actor::ActorContext context,
                             CompressionOptions options, WorkerPool& workers) {
    return system.spawn<CompressionActor>(std::move(context), options, &workers);
}

} // namespace dwcp::compression
