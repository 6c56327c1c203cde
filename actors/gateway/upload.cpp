#include "actors/gateway/upload.hpp"

#include "actors/compression/codec.hpp"
#include "actors/gateway/block_cutter.hpp"
#include "actors/gateway/body_form.hpp"
#include "actors/gateway/conditions.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <charconv>

namespace dwcp::gateway {
namespace {

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

Result<PutWish> parse_wish(const http::Request& request) {
    PutWish wish;
    wish.begin.key = request.rest;
    wish.begin.size_bytes = request.content_length;
    wish.begin.urgency = request.urgency;
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
    auto announced = announced_sha256(request);
    if (!announced) return std::unexpected(announced.error());
    wish.sha256 = *announced;
    auto condition = parse_condition(request);
    if (!condition) return std::unexpected(condition.error());
    wish.begin.condition = std::move(*condition);
    return wish;
}

/// A body on its way into the manager. Whatever fails before the seal is aborted; a seal that fails may still
/// come about, and the manager decides that.
class ObjectUpload final : public http::Upload {
  public:
    ObjectUpload(Backend& backend, WorkerPool& pool, const RouteOptions& options, RouteDecision decision,
                 PutWish wish, UploadPlaces::Place place)
        : place_(std::move(place)), backend_(backend), decision_(std::move(decision)), wish_(std::move(wish)),
          cutter_(backend, pool, {options.object_bytes_max, options.window_blocks}, decision_.manager,
                  decision_.id, wish_.begin.urgency.deadline) {}

    ~ObjectUpload() override {
        if (!ended_) abort("the upload was dropped");
    }

    Result<void> take(ByteView piece) override { return cutter_.take(piece); }

    http::Response finish() override {
        auto whole = cutter_.complete(wish_.sha256);
        if (!whole) return abandon(whole.error());
        ended_ = true;
        manager::SealPut seal{decision_.id, std::move(whole->blocks), whole->size_bytes, whole->sha256};
        seal.deadline = wish_.begin.urgency.deadline;
        return answer_of(backend_.seal_put(decision_.manager, seal), decision_.id, backend_, wish_.begin.key);
    }

    http::Response abandon(const Error& why) override {
        abort(why.message);
        return http::error_response(why);
    }

  private:
    void abort(const std::string& reason) {
        ended_ = true;
        cutter_.settle();
        log::info("put_aborted", {{"key", wish_.begin.key}, {"reason", reason}}, {.trace = decision_.id});
        (void)backend_.abort_put(decision_.manager, {decision_.id, reason});
    }

    const UploadPlaces::Place place_; ///< First: given back when all else has ended.
    Backend& backend_;
    const RouteDecision decision_;
    const PutWish wish_;
    BlockCutter cutter_;
    bool ended_ = false; ///< The manager knows what becomes of it.
};

} // namespace

Result<void> begin_or_abort(const std::string& manager, const manager::BeginPut& begin, Backend& backend) {
    const auto begun = backend.begin_put(manager, begin);
    if (begun) return {};
    // What a lost answer began must not hold its place.
    if (begun.error().code == Errc::deadline_exceeded || begun.error().code == Errc::unavailable)
        (void)backend.abort_put(manager, {begin.id, begun.error().message});
    return std::unexpected(begun.error());
}

std::variant<http::Response, std::unique_ptr<http::Upload>> begin_put_object(http::Request& request,
                                                                             Shared& shared) {
    Backend& backend = shared.backend;
    const RouteOptions& options = shared.options;
    if (auto key = wire::check_key(request.rest); !key) return http::error_response(key.error());
    if (auto refusal = refuse_form(request, options.object_bytes_max)) return std::move(*refusal);
    auto wish = parse_wish(request);
    if (!wish) return http::error_response(wish.error());

    auto place = shared.places->take(request);
    if (!place) return http::error_response(place.error());
    auto decision = backend.route({"put", request.rest, request.urgency.deadline});
    if (!decision) return http::error_response(decision.error());
    if (auto possible = check_early(wish->begin.condition, backend, request.rest); !possible)
        return error_response_for(possible.error(), backend, request.rest);
    request.id = request.workload = decision->id;
    wish->begin.id = decision->id;
    if (auto begun = begin_or_abort(decision->manager, wish->begin, backend); !begun)
        return http::error_response(begun.error());
    return std::make_unique<ObjectUpload>(backend, shared.pool, options, std::move(*decision),
                                          std::move(*wish), std::move(*place));
}

} // namespace dwcp::gateway
