#include "actors/gateway/upload.hpp"

#include "actors/compression/codec.hpp"
#include "actors/gateway/block_window.hpp"
#include "actors/gateway/conditions.hpp"
#include "actors/gateway/views.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace dwcp::gateway {
namespace {

constexpr std::string_view kDefaultContentType = "application/octet-stream";
/// Of a block's buffer, at first: one page of what a slow client sends.
constexpr std::size_t kFirstBytes = 4U << 10;

/// What the headers ask for.
struct PutWish {
    manager::BeginPut begin;
    std::optional<Hash256> sha256;
};

Result<std::uint32_t> parse_replicas(const std::string& text) {
    std::uint32_t replicas = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), replicas);
    if (error != std::errc() || end != text.data() + text.size() || replicas < 1 ||
        replicas > wire::kReplicasMax)
        return fail(Errc::invalid_argument,
                    fmt::format("X-DWCP-Replicas: '{}' is not a number of replicas", text),
                    fmt::format("give 1 to {}", wire::kReplicasMax));
    return replicas;
}

Result<std::string> parse_content_type(const std::string& text) {
    const bool printable = std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
    if (text.empty()) return std::string(kDefaultContentType);
    if (!printable || text.size() > wire::kContentTypeBytesMax)
        return fail(Errc::invalid_argument, "Content-Type is not a short printable text",
                    fmt::format("give at most {} ASCII characters", wire::kContentTypeBytesMax));
    return text;
}

Result<PutWish> parse_wish(const http::Request& request) {
    PutWish wish;
    wish.begin.key = request.rest;
    wish.begin.size_bytes = request.content_length;
    auto content_type = parse_content_type(request.header("Content-Type").value_or(""));
    if (!content_type) return std::unexpected(content_type.error());
    wish.begin.content_type = std::move(*content_type);
    if (const auto text = request.header("X-DWCP-Replicas")) {
        const auto replicas = parse_replicas(*text);
        if (!replicas) return std::unexpected(replicas.error());
        wish.begin.replicas = *replicas;
    }
    if (const auto text = request.header("X-DWCP-Codec")) {
        const auto codec = compression::parse_codec(*text);
        if (!codec) return std::unexpected(codec.error());
        wish.begin.codec = *codec;
    }
    if (const auto text = request.header("X-DWCP-SHA256")) {
        wish.sha256.emplace();
        if (!from_hex(*text, wish.sha256->bytes))
            return fail(Errc::invalid_argument, "X-DWCP-SHA256 is not a SHA-256",
                        "give 64 hexadecimal digits");
    }
    auto condition = parse_condition(request);
    if (!condition) return std::unexpected(condition.error());
    wish.begin.condition = std::move(*condition);
    return wish;
}

/// Whether this request can be an upload at all; else what to answer.
std::optional<http::Response> refuse_form(const http::Request& request, const RouteOptions& options) {
    if (!request.body_announced)
        return http::error_response({Errc::invalid_argument, "the length of the object is not known",
                                     "send Content-Length or Transfer-Encoding: chunked"},
                                    411);
    const auto encoding = request.header("Content-Encoding");
    if (encoding && *encoding != "identity")
        return http::error_response({Errc::invalid_argument, "objects have no Content-Encoding",
                                     "send the bytes as they are to be stored and leave the header out"},
                                    415);
    if (request.content_length.value_or(0) > options.object_bytes_max)
        return http::error_response({Errc::too_large,
                                     fmt::format("the object has {} bytes, this node takes at most {}",
                                                 *request.content_length, options.object_bytes_max),
                                     "split it"});
    return std::nullopt;
}

http::Response created(const manager::PutReceipt& receipt) {
    auto response = json_response(receipt_json(receipt), 201);
    response.headers.emplace_back("ETag", etag_of(receipt.manifest));
    return response;
}

/// A body on its way into the manager. Whatever fails before the seal is aborted; a seal that fails may still
/// come about, and the manager decides that.
class ObjectUpload final : public http::Upload {
  public:
    ObjectUpload(Backend& backend, WorkerPool& pool, const RouteOptions& options, RouteDecision decision,
                 PutWish wish)
        : backend_(backend), decision_(std::move(decision)), wish_(std::move(wish)),
          bytes_max_(options.object_bytes_max), window_(pool, options.window_blocks) {}

    ~ObjectUpload() override {
        if (!ended_) abort("the upload was dropped");
    }

    Result<void> take(ByteView piece) override {
        size_bytes_ += piece.size();
        if (size_bytes_ > bytes_max_)
            return fail(Errc::too_large,
                        fmt::format("the object is over {} bytes, which is all this node takes", bytes_max_),
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

    http::Response finish() override {
        auto seal = complete();
        if (!seal) return abandon(seal.error());
        ended_ = true;
        auto receipt = backend_.seal_put(decision_.manager, *seal);
        if (receipt) return created(*receipt);
        if (receipt.error().code == Errc::deadline_exceeded)
            receipt.error().remedy =
                fmt::format("it may still be stored: ask GET /v1/workloads/{}", decision_.id);
        return error_response_for(receipt.error(), backend_, wish_.begin.key);
    }

    http::Response abandon(const Error& why) override {
        abort(why.message);
        return http::error_response(why);
    }

  private:
    /// The request that completes the upload. Errors: any block's; invalid_argument if the content does not
    /// match the announced hash.
    Result<manager::SealPut> complete() {
        if (!block_.empty())
            if (auto sent = send_block(); !sent) return std::unexpected(sent.error());
        while (!window_.empty())
            if (auto taken = take_result(); !taken) return std::unexpected(taken.error());
        const Hash256 hash = hash_.finish();
        if (wish_.sha256 && *wish_.sha256 != hash)
            return fail(Errc::invalid_argument,
                        fmt::format("the content's SHA-256 is {}, X-DWCP-SHA256 said {}", hash.hex(),
                                    wish_.sha256->hex()),
                        "the content changed on its way or while it was read: send it again");
        return manager::SealPut{decision_.id, std::move(blocks_), size_bytes_, hash};
    }

    /// Waits for what is under way first, so that no block arrives after the abort.
    void abort(const std::string& reason) {
        ended_ = true;
        while (!window_.empty())
            [[maybe_unused]] const auto ignored = window_.next();
        log::info("put_aborted", {{"key", wish_.begin.key}, {"reason", reason}}, {.trace = decision_.id});
        backend_.abort_put(decision_.manager, {decision_.id, reason});
    }

    /// Memory for the block that is being filled grows with what has come: a client that announces a gigabyte
    /// and sends a byte costs a few kilobytes.
    void make_room(std::size_t bytes) {
        if (bytes <= block_.capacity()) return;
        const std::size_t doubled = std::max(kFirstBytes, 2 * block_.capacity());
        block_.reserve(std::min<std::size_t>(std::max(bytes, doubled), kBlockBytes));
    }

    Result<void> send_block() {
        if (window_.full())
            if (auto taken = take_result(); !taken) return taken;
        manager::PutBlock request{decision_.id, next_index_++, share(std::exchange(block_, {}))};
        window_.submit([&backend = backend_, manager = decision_.manager, request = std::move(request)] {
            return backend.put_block(manager, request);
        });
        return {};
    }

    Result<void> take_result() {
        auto accepted = window_.next();
        if (!accepted) return std::unexpected(accepted.error());
        blocks_.push_back(accepted->ref);
        return {};
    }

    Backend& backend_;
    const RouteDecision decision_;
    const PutWish wish_;
    const std::uint64_t bytes_max_;
    crypto::Sha256 hash_;
    Bytes block_; ///< The block that is being filled.
    std::uint64_t size_bytes_ = 0;
    std::uint32_t next_index_ = 0;
    std::vector<BlockRef> blocks_;
    BlockWindow<manager::BlockAccepted> window_;
    bool ended_ = false; ///< The manager knows what becomes of it.
};

} // namespace

std::variant<http::Response, std::unique_ptr<http::Upload>>
begin_put_object(http::Request& request, Backend& backend, WorkerPool& pool, const RouteOptions& options) {
    if (auto key = wire::check_key(request.rest); !key) return http::error_response(key.error());
    if (auto refusal = refuse_form(request, options)) return std::move(*refusal);
    auto wish = parse_wish(request);
    if (!wish) return http::error_response(wish.error());

    auto decision = backend.route({"put", request.rest});
    if (!decision) return http::error_response(decision.error());
    if (auto possible = check_early(wish->begin.condition, backend, request.rest); !possible)
        return error_response_for(possible.error(), backend, request.rest);
    request.id = request.workload = decision->id;
    wish->begin.id = decision->id;
    if (auto begun = backend.begin_put(decision->manager, wish->begin); !begun) {
        // The answer may have been lost on its way: what it began must not hold its place.
        if (begun.error().code == Errc::deadline_exceeded || begun.error().code == Errc::unavailable)
            backend.abort_put(decision->manager, {decision->id, begun.error().message});
        return http::error_response(begun.error());
    }
    return std::make_unique<ObjectUpload>(backend, pool, options, std::move(*decision), std::move(*wish));
}

} // namespace dwcp::gateway
