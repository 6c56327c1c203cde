#include "actors/gateway/download.hpp"

#include "actors/gateway/block_window.hpp"
#include "actors/gateway/conditions.hpp"
#include "actors/gateway/range.hpp"
#include "actors/gateway/request_trace.hpp"
#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace dwcp::gateway {
namespace {

/// A client that took the piece before within this time keeps up with the disk: reading ahead pays.
constexpr milliseconds kKeepsUp{250};

/// Reads the blocks that a stretch of an object lies in, in order; some of them ahead while the client keeps
/// up. For one that does not, nothing is held but what it is given.
class BlockReader {
  public:
    BlockReader(Backend& backend, WorkerPool& pool, std::size_t window, std::string manager, WorkloadId trace,
                wire::Manifest manifest, ByteRange range)
        : backend_(backend), manager_(std::move(manager)), trace_(std::move(trace)),
          manifest_(std::move(manifest)), left_bytes_(range.length), skip_bytes_(range.first),
          window_(pool, window) {
        while (next_ < manifest_.blocks.size() && skip_bytes_ >= manifest_.blocks[next_].raw_bytes)
            skip_bytes_ -= manifest_.blocks[next_++].raw_bytes;
        answered_ = next_;
        // Bytes of the blocks asked for are counted from the start of the first one.
        to_request_bytes_ = skip_bytes_ + left_bytes_;
    }

    /// Waits for the first block, so that an object which cannot be read at all gets a proper error. Once,
    /// before next(). The client's deadline is that of the answer's begin.
    Result<void> prime(TimePoint deadline) {
        deadline_ = deadline;
        auto piece = fetch();
        deadline_ = health::kNoDeadline;
        if (!piece) return std::unexpected(piece.error());
        first_ = std::move(*piece);
        return {};
    }

    Result<http::Piece> next() {
        const auto now = std::chrono::steady_clock::now();
        ahead_ = now - given_ < kKeepsUp ? ahead_ + 1 : 0; // nothing is known of it at the first piece
        Result<http::Piece> piece = first_.owner ? std::exchange(first_, {}) : fetch();
        read_ahead(ahead_);
        given_ = std::chrono::steady_clock::now();
        return piece;
    }

  private:
    Result<http::Piece> fetch() {
        auto block = next_block();
        if (!block) return std::unexpected(block.error());
        const BlockRef& ref = manifest_.blocks[answered_++];
        if (*block == nullptr || (*block)->size() != ref.raw_bytes)
            return fail(Errc::corrupted,
                        fmt::format("block {} has not its {} bytes", ref.hash.hex(), ref.raw_bytes), "");
        ByteView view = ByteView(**block).subspan(std::exchange(skip_bytes_, 0));
        view = view.first(std::min<std::uint64_t>(view.size(), left_bytes_));
        left_bytes_ -= view.size();
        return http::Piece{std::move(*block), view};
    }

    /// One that was not read ahead is read by this thread itself, which has nothing else to do: a small
    /// object needs no way through the pool.
    Result<SharedBytes> next_block() {
        if (!window_.empty()) return window_.next();
        if (!has_more()) return fail(Errc::corrupted, "the object's blocks are shorter than the object", "");
        return backend_.read_block(manager_, next_request());
    }

    void read_ahead(std::size_t blocks) {
        while (!window_.full() && window_.size() < blocks && has_more())
            window_.submit([&backend = backend_, manager = manager_, request = next_request()] {
                return backend.read_block(manager, request);
            });
    }

    bool has_more() const { return to_request_bytes_ > 0 && next_ < manifest_.blocks.size(); }

    manager::FetchBlock next_request() {
        const BlockRef& ref = manifest_.blocks[next_++];
        to_request_bytes_ -= std::min<std::uint64_t>(to_request_bytes_, ref.raw_bytes);
        return {ref, manifest_.replicas, trace_, deadline_};
    }

    Backend& backend_;
    const std::string manager_;
    const WorkloadId trace_;
    const wire::Manifest manifest_;
    std::size_t next_ = 0;     ///< Block to ask for next.
    std::size_t answered_ = 0; ///< Block whose answer comes next.
    std::uint64_t left_bytes_;
    std::uint64_t skip_bytes_; ///< In the block whose answer comes next.
    std::uint64_t to_request_bytes_ = 0;
    http::Piece first_;
    TimePoint deadline_ = health::kNoDeadline;
    std::size_t ahead_ = 0; ///< Blocks to have asked for beyond the piece that is given.
    TimePoint given_{};     ///< When the last piece was.
    BlockWindow<SharedBytes> window_;
};

/// What GET and HEAD say of an object beside its content.
std::vector<std::pair<std::string, std::string>> headers_of(const wire::Manifest& manifest) {
    return {{"ETag", etag_of(manifest.sha256)},
            {"X-DWCP-SHA256", manifest.sha256.hex()},
            {"Accept-Ranges", "bytes"},
            {"X-DWCP-Created-Ms", std::to_string(manifest.created_ms)},
            {"X-DWCP-Workload", manifest.workload},
            {"X-DWCP-Replicas", fmt::format("{}", fmt::join(manifest.replicas, ", "))}};
}

RangeDecision range_of(const http::Request& request, const wire::Manifest& manifest) {
    const auto range = request.header("Range");
    const auto if_range = request.header("If-Range");
    if (!range || request.method == "HEAD" || (if_range && *if_range != etag_of(manifest.sha256)))
        return {RangeDecision::Kind::whole, {}};
    return decide_range(*range, manifest.size_bytes);
}

http::Response not_found(const std::string& key) {
    return http::error_response({Errc::not_found, fmt::format("there is no object '{}'", key),
                                 "list what there is with GET /v1/objects?prefix="});
}

http::Response not_that_version(const wire::Manifest& manifest) {
    auto response = http::error_response(
        {Errc::condition_failed, "If-Match does not hold: the object's ETag is " + etag_of(manifest.sha256),
         "leave If-Match out to get the object as it is"});
    response.headers.emplace_back("ETag", etag_of(manifest.sha256));
    return response;
}

http::Response unsatisfiable(const wire::Manifest& manifest) {
    auto response = http::error_response(
        {Errc::invalid_argument,
         fmt::format("the range lies outside the object's {} bytes", manifest.size_bytes),
         "ask for a range inside"},
        416);
    response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", manifest.size_bytes));
    return response;
}

} // namespace

http::Response get_object(http::Request& request, Backend& backend, WorkerPool& pool,
                          const RouteOptions& options) {
    if (auto key = wire::check_key(request.rest); !key) return http::error_response(key.error());
    auto decision = backend.route({"get", request.rest, request.urgency.deadline});
    if (!decision) return http::error_response(decision.error());
    request.id = decision->id;
    if (follows_read(request)) request.workload = decision->id;
    const auto begin = trace::mark();
    auto found = backend.find(decision->manager, request.rest, request.urgency.deadline);
    trace::Recorder(options.node, "http")
        .record({.workload = request.workload,
                 .name = "find",
                 .error = found ? std::string() : found.error().message},
                begin);
    if (!found) return http::error_response(found.error());
    if (!*found) return not_found(request.rest);
    wire::Manifest& manifest = **found;

    const auto decided = decide_read(request, etag_of(manifest.sha256));
    if (!decided) return http::error_response(decided.error());
    http::Response response;
    response.headers = headers_of(manifest);
    if (*decided == ReadDecision::failed) return not_that_version(manifest);
    if (*decided == ReadDecision::not_modified) {
        response.status = 304;
        response.headers.emplace_back("Content-Length", std::to_string(manifest.size_bytes));
        return response;
    }
    const auto wanted = range_of(request, manifest);
    if (wanted.kind == RangeDecision::Kind::unsatisfiable) return unsatisfiable(manifest);
    const bool part = wanted.kind == RangeDecision::Kind::part;
    const ByteRange range = part ? wanted.range : ByteRange{0, manifest.size_bytes};
    if (part) {
        response.status = 206;
        response.headers.emplace_back(
            "Content-Range",
            fmt::format("bytes {}-{}/{}", range.first, range.first + range.length - 1, manifest.size_bytes));
    }
    response.content_type = manifest.content_type;
    response.stream_bytes = range.length;
    response.next = [] { return fail(Errc::internal, "this response has no body"); };
    if (request.method == "HEAD" || range.length == 0) return response;

    auto reader = std::make_shared<BlockReader>(backend, pool, options.window_blocks, decision->manager,
                                                request.workload, std::move(manifest), range);
    if (auto primed = reader->prime(request.urgency.deadline); !primed)
        return http::error_response(primed.error());
    response.next = [reader] { return reader->next(); };
    return response;
}

} // namespace dwcp::gateway
