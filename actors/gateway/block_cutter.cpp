#include "actors/gateway/block_cutter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace dwcp::gateway {
namespace {

/// Of a block's buffer, at first: one page of what a slow client sends.
constexpr std::size_t kFirstBytes = 4U << 10;

} // namespace

BlockCutter::BlockCutter(Backend& backend, WorkerPool& pool, Limits limits, std::string manager,
                         WorkloadId workload, TimePoint deadline)
    : backend_(backend), limits_(limits), manager_(std::move(manager)), workload_(std::move(workload)),
      deadline_(deadline), window_(pool, limits.window_blocks) {}

Result<void> BlockCutter::take(ByteView piece) {
    size_bytes_ += piece.size();
    if (size_bytes_ > limits_.bytes_max)
        return fail(Errc::too_large,
                    fmt::format("the body is over {} bytes, which is all this node takes", limits_.bytes_max),
                    "split it");
    hash_.update(piece);
    while (!piece.empty()) {
        const std::size_t count = std::min<std::size_t>(piece.size(), kBlockBytes - block_.size());
        make_room(block_.size() + count);
        block_.insert(block_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(count));
        piece = piece.subspan(count);
        if (block_.size() == kBlockBytes)
            if (auto sent = send_block(); !sent) return sent;
    }
    return {};
}

Result<BlockCutter::Whole> BlockCutter::complete(const std::optional<Hash256>& announced) {
    if (!block_.empty())
        if (auto sent = send_block(); !sent) return std::unexpected(sent.error());
    while (!window_.empty())
        if (auto taken = take_result(); !taken) return std::unexpected(taken.error());
    const Hash256 hash = hash_.finish();
    if (announced && *announced != hash)
        return fail(
            Errc::invalid_argument,
            fmt::format("the content's SHA-256 is {}, X-DWCP-SHA256 said {}", hash.hex(), announced->hex()),
            "the content changed on its way or while it was read: send it again");
    return Whole{std::move(blocks_), size_bytes_, hash};
}

void BlockCutter::settle() {
    while (!window_.empty())
        [[maybe_unused]] const auto ignored = window_.next();
}

/// Memory for the block that is being filled grows with what has come: a client that announces a gigabyte and
/// sends a byte costs a few kilobytes.
void BlockCutter::make_room(std::size_t bytes) {
    if (bytes <= block_.capacity()) return;
    const std::size_t doubled = std::max(kFirstBytes, 2 * block_.capacity());
    block_.reserve(std::min<std::size_t>(std::max(bytes, doubled), kBlockBytes));
}

Result<void> BlockCutter::send_block() {
    if (window_.full())
        if (auto taken = take_result(); !taken) return taken;
    manager::PutBlock request{workload_, next_index_++, share(std::exchange(block_, {})), deadline_};
    window_.submit([&backend = backend_, manager = manager_, request = std::move(request)] {
        return backend.put_block(manager, request);
    });
    return {};
}

Result<void> BlockCutter::take_result() {
    auto accepted = window_.next();
    if (!accepted) return std::unexpected(accepted.error());
    blocks_.push_back(accepted->ref);
    return {};
}

} // namespace dwcp::gateway
