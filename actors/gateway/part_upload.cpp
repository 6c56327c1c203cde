#include "actors/gateway/part_upload.hpp"

#include "actors/gateway/block_cutter.hpp"
#include "actors/gateway/body_form.hpp"
#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace dwcp::gateway {
namespace {

/// A part's record lists all its blocks.
constexpr std::uint64_t kPartBytesMax = std::uint64_t{wire::kRefsPerIndexBlock} * kBlockBytes;

struct PartWish {
    WorkloadId upload;
    std::uint32_t number = 0;
    std::optional<Hash256> sha256;
};

Result<PartWish> parse_wish(const http::Request& request) {
    const std::size_t slash = request.rest.find('/');
    PartWish wish{request.rest.substr(0, slash), 0, std::nullopt};
    const std::string number = slash == std::string::npos ? "" : request.rest.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), wish.number);
    if (error != std::errc() || end != number.data() + number.size() || wish.number < 1 ||
        wish.number > wire::kPartNumberMax)
        return fail(
            Errc::invalid_argument, fmt::format("'{}' is not an upload and a part's number", request.rest),
            fmt::format("use PUT /v1/uploads/ID/NUMBER with a number from 1 to {}", wire::kPartNumberMax));
    auto announced = announced_sha256(request);
    if (!announced) return std::unexpected(announced.error());
    wish.sha256 = *announced;
    return wish;
}

class PartUpload final : public http::Upload {
  public:
    PartUpload(Shared& shared, RouteDecision decision, PartWish wish, TimePoint deadline,
               UploadPlaces::Place place)
        : place_(std::move(place)), backend_(shared.backend), decision_(std::move(decision)),
          wish_(std::move(wish)),
          cutter_(shared.backend, shared.pool,
                  {std::min(kPartBytesMax, shared.options.object_bytes_max), shared.options.window_blocks},
                  decision_.manager, wish_.upload, deadline) {}

    ~PartUpload() override {
        if (!ended_) abort("the part was dropped");
    }

    Result<void> take(ByteView piece) override { return cutter_.take(piece); }

    http::Response finish() override {
        auto whole = cutter_.complete(wish_.sha256);
        if (!whole) return abandon(whole.error());
        const wire::UploadPart part{wish_.number, whole->size_bytes, whole->sha256, 0,
                                    std::move(whole->blocks)};
        if (auto kept = backend_.keep_part(decision_.manager, {wish_.upload, decision_.id, part}); !kept)
            return abandon(kept.error());
        ended_ = true;
        const std::string etag = etag_of(part.sha256);
        auto response =
            json_response({{"part", part.number}, {"size_bytes", part.size_bytes}, {"etag", etag}}, 201);
        response.headers.emplace_back("ETag", etag);
        return response;
    }

    http::Response abandon(const Error& why) override {
        abort(why.message);
        return http::error_response(why);
    }

  private:
    void abort(const std::string& reason) {
        ended_ = true;
        cutter_.settle();
        log::info("part_aborted", {{"part", wish_.number}, {"reason", reason}}, {.trace = wish_.upload});
        backend_.end_part(decision_.manager, {wish_.upload, decision_.id});
    }

    const UploadPlaces::Place place_; ///< First: given back when all else has ended.
    Backend& backend_;
    const RouteDecision decision_;
    const PartWish wish_;
    BlockCutter cutter_;
    bool ended_ = false;
};

} // namespace

std::variant<http::Response, std::unique_ptr<http::Upload>> begin_put_part(http::Request& request,
                                                                           Shared& shared) {
    auto wish = parse_wish(request);
    if (!wish) return http::error_response(wish.error());
    if (auto refusal = refuse_form(request, std::min(kPartBytesMax, shared.options.object_bytes_max)))
        return std::move(*refusal);
    auto place = shared.places->take(request);
    if (!place) return http::error_response(place.error());
    auto upload = find_upload(wish->upload, shared.backend);
    if (!upload) return http::error_response(upload.error());
    auto decision = shared.backend.route({"part", upload->key, request.urgency.deadline});
    if (!decision) return http::error_response(decision.error());
    request.id = decision->id;
    request.workload = wish->upload;
    const manager::BeginPart begin{wish->upload, decision->id, request.content_length.value_or(0),
                                   request.urgency};
    if (auto begun = shared.backend.begin_part(decision->manager, begin); !begun) {
        // The answer may have been lost on its way: what it began must not hold its place.
        shared.backend.end_part(decision->manager, {wish->upload, decision->id});
        return http::error_response(begun.error());
    }
    return std::make_unique<PartUpload>(shared, std::move(*decision), std::move(*wish),
                                        request.urgency.deadline, std::move(*place));
}

} // namespace dwcp::gateway
