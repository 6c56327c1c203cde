#include "actors/gateway/multipart_routes.hpp"

#include "actors/compression/codec.hpp"
#include "actors/gateway/block_window.hpp"
#include "actors/gateway/body_form.hpp"
#include "actors/gateway/conditions.hpp"
#include "actors/gateway/json_body.hpp"
#include "actors/gateway/part_upload.hpp"
#include "actors/gateway/upload.hpp"
#include "actors/gateway/views.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace dwcp::gateway {
namespace {

using http::Parameter;
using identity::Role;
using nlohmann::json;

constexpr std::size_t kOpenBytesMax = 16U << 10;
/// 10,000 parts with their ETags.
constexpr std::size_t kCompleteBytesMax = 2U << 20;
constexpr std::size_t kEtagBytesMax = 128;
/// So that the list of parts stays short for large objects; the last one may be smaller.
constexpr std::uint64_t kPartBytesMin = 1U << 20;
constexpr std::string_view kComplete = "/complete";

json upload_json(const manager::UploadReport& upload) {
    return {{"upload", upload.id},
            {"key", upload.key},
            {"content_type", upload.content_type},
            {"state", upload.state},
            {"created_ms", upload.created_ms},
            {"expires_ms", upload.expires_ms},
            {"size_bytes", upload.size_bytes}};
}

// --- opening one

Result<manager::BeginPut> parse_open(const json& body, Duration expiry) {
    Members members(body, "the upload");
    manager::BeginPut begin;
    begin.key = members.required_text("key", wire::kKeyBytesMax);
    const std::string type = members.text("content_type", "", wire::kContentTypeBytesMax);
    begin.replicas = static_cast<std::uint32_t>(members.number("replicas", 0, 1, wire::kReplicasMax));
    const std::string codec = members.text("codec", "", 32);
    if (auto good = members.done(); !good) return std::unexpected(good.error());
    if (auto key = wire::check_key(begin.key); !key) return std::unexpected(key.error());
    auto content_type = parse_content_type(type);
    if (!content_type) return std::unexpected(content_type.error());
    begin.content_type = std::move(*content_type);
    if (!codec.empty()) {
        const auto choice = compression::parse_codec(codec);
        if (!choice) return std::unexpected(choice.error());
        begin.codec = *choice;
    }
    begin.expires_ms = unix_now_ms() + std::chrono::duration_cast<std::chrono::milliseconds>(expiry).count();
    return begin;
}

http::Response open_upload(http::Request& request, Shared& shared) {
    const auto body = read_json(request, kOpenBytesMax);
    if (!body) return http::error_response(body.error());
    auto begin = parse_open(*body, shared.options.upload_expiry);
    if (!begin) return http::error_response(begin.error());
    const auto decision = shared.backend.route({"put", begin->key, request.urgency.deadline});
    if (!decision) return http::error_response(decision.error());
    request.id = request.workload = begin->id = decision->id;
    begin->urgency = request.urgency;
    if (auto begun = begin_or_abort(decision->manager, *begin, shared.backend); !begun)
        return http::error_response(begun.error());
    return json_response({{"upload", decision->id},
                          {"key", begin->key},
                          {"expires_ms", begin->expires_ms},
                          {"part_bytes_min", kPartBytesMin},
                          {"parts_max", wire::kPartNumberMax}},
                         201);
}

// --- looking at them

http::Response list_uploads(Backend& backend) {
    const auto uploads = backend.uploads({});
    if (!uploads) return http::error_response(uploads.error());
    auto list = json::array();
    for (const auto& upload : uploads->list)
        list.push_back(upload_json(upload));
    return json_response({{"uploads", std::move(list)}});
}

http::Response show_upload(const http::Request& request, Backend& backend) {
    const auto upload = find_upload(request.rest, backend);
    if (!upload) return http::error_response(upload.error());
    json body = upload_json(*upload);
    body["parts"] = json::array();
    for (const auto& part : upload->parts)
        body["parts"].push_back({{"part", part.number},
                                 {"size_bytes", part.size_bytes},
                                 {"etag", etag_of(part.sha256)},
                                 {"updated_ms", part.updated_ms}});
    return json_response(body);
}

http::Response abort_upload(http::Request& request, Backend& backend) {
    const auto upload = find_upload(request.rest, backend);
    if (!upload) return http::error_response(upload.error());
    if (upload->state != "open")
        return http::error_response({Errc::precondition_failed,
                                     fmt::format("upload '{}' is {} already", upload->id, upload->state),
                                     "delete the object instead, if it is not wanted"});
    const auto decision = backend.route({"abort", upload->key});
    if (!decision) return http::error_response(decision.error());
    request.id = request.workload = upload->id;
    if (auto told = backend.abort_put(decision->manager, {upload->id, "the client aborted it"}); !told)
        return http::error_response(told.error());
    return json_response({{"upload", upload->id}, {"aborted", true}});
}

// --- completing one

struct NamedPart {
    std::uint32_t number = 0;
    std::string etag; ///< Without quotes.
};

Result<std::vector<NamedPart>> parse_parts(const json& body) {
    if (!body.is_array() || body.empty() || body.size() > wire::kPartNumberMax)
        return fail(Errc::invalid_argument, "the body is not the list of the upload's parts",
                    R"(send [{"part": 1, "etag": "..."}, ...], as GET /v1/uploads/ID has them)");
    std::vector<NamedPart> parts;
    for (const auto& item : body) {
        Members members(item, fmt::format("part {} of the list", parts.size() + 1));
        NamedPart part;
        part.number = static_cast<std::uint32_t>(members.required_number("part", 1, wire::kPartNumberMax));
        part.etag = members.required_text("etag", kEtagBytesMax);
        if (auto good = members.done(); !good) return std::unexpected(good.error());
        if (part.etag.size() >= 2 && part.etag.starts_with('"') && part.etag.ends_with('"'))
            part.etag = part.etag.substr(1, part.etag.size() - 2);
        if (!parts.empty() && part.number <= parts.back().number)
            return fail(Errc::invalid_argument, "the parts are not in ascending order",
                        "list each part once, by its number");
        parts.push_back(std::move(part));
    }
    return parts;
}

/// The upload's parts that the client names, with their blocks.
Result<std::vector<wire::UploadPart>> choose_parts(const std::vector<NamedPart>& named,
                                                   std::vector<wire::UploadPart> kept) {
    std::vector<wire::UploadPart> chosen;
    for (const auto& [number, etag] : named) {
        const auto found = std::ranges::find(kept, number, &wire::UploadPart::number);
        if (found == kept.end())
            return fail(Errc::invalid_argument, fmt::format("part {} was never acknowledged", number),
                        "send it");
        if (found->sha256.hex() != etag)
            return fail(Errc::invalid_argument,
                        fmt::format("part {} has the ETag \"{}\"", number, found->sha256.hex()),
                        "list it with that ETag, or send it again");
        if (number != named.back().number && found->size_bytes < kPartBytesMin)
            return fail(Errc::invalid_argument,
                        fmt::format("part {} has {} bytes", number, found->size_bytes),
                        fmt::format("every part but the last has at least {}", kPartBytesMin));
        chosen.push_back(std::move(*found));
    }
    return chosen;
}

/// Reads every block again: it must be intact before it is promised, and only so the hash of the whole is
/// known.
Result<Hash256> hash_content(const manager::SealPut& seal, const std::string& manager, Shared& shared) {
    crypto::Sha256 hash;
    BlockWindow<SharedBytes> window(shared.pool, shared.options.window_blocks);
    for (std::size_t asked = 0, read = 0; read < seal.blocks.size(); ++read) {
        while (!window.full() && asked < seal.blocks.size())
            window.submit([&backend = shared.backend, manager, id = seal.id, ref = seal.blocks[asked++],
                           deadline = seal.deadline] {
                return backend.read_block(manager, {ref, {}, id, deadline});
            });
        const auto block = window.next();
        if (!block) return std::unexpected(block.error());
        if (*block == nullptr || (*block)->size() != seal.blocks[read].raw_bytes)
            return fail(Errc::corrupted, "a block of the upload has not its length", "send its part again");
        hash.update(**block);
    }
    return hash.finish();
}

Result<manager::SealPut> make_seal(const http::Request& request, const manager::UploadReport& upload,
                                   const std::string& manager, Shared& shared) {
    const auto announced = announced_sha256(request);
    if (!announced) return std::unexpected(announced.error());
    auto condition = parse_condition(request);
    if (!condition) return std::unexpected(condition.error());
    const auto body = read_json(request, kCompleteBytesMax);
    if (!body) return std::unexpected(body.error());
    const auto named = parse_parts(*body);
    if (!named) return std::unexpected(named.error());
    auto kept = shared.backend.read_parts(manager, {upload.id});
    if (!kept) return std::unexpected(kept.error());
    const auto parts = choose_parts(*named, std::move(kept->list));
    if (!parts) return std::unexpected(parts.error());
    if (auto possible = check_early(*condition, shared.backend, upload.key); !possible)
        return std::unexpected(possible.error());
    manager::SealPut seal{upload.id, {}, 0, {}, std::move(*condition), request.urgency.deadline};
    for (const auto& part : *parts) {
        seal.size_bytes += part.size_bytes;
        seal.blocks.insert(seal.blocks.end(), part.blocks.begin(), part.blocks.end());
    }
    const auto hash = hash_content(seal, manager, shared);
    if (!hash) return std::unexpected(hash.error());
    seal.sha256 = *hash;
    if (*announced && **announced != *hash)
        return fail(Errc::invalid_argument,
                    fmt::format("the SHA-256 of the whole is {}, X-DWCP-SHA256 said {}", hash->hex(),
                                (*announced)->hex()),
                    "compare the parts' ETags with your data and send again what differs");
    return seal;
}

http::Response complete_upload(http::Request& request, Shared& shared) {
    if (!request.rest.ends_with(kComplete))
        return http::error_response({Errc::not_found, fmt::format("there is no resource '{}'", request.path),
                                     "complete an upload with POST /v1/uploads/ID/complete"});
    const auto id = request.rest.substr(0, request.rest.size() - kComplete.size());
    const auto upload = find_upload(id, shared.backend);
    if (!upload) return http::error_response(upload.error());
    const auto decision = shared.backend.route({"put", upload->key, request.urgency.deadline});
    if (!decision) return http::error_response(decision.error());
    request.id = request.workload = upload->id;
    // One that was completed before is answered as it was then.
    manager::SealPut seal{upload->id, {}, 0, {}, std::nullopt};
    if (upload->state == "open") {
        auto made = make_seal(request, *upload, decision->manager, shared);
        if (!made) return error_response_for(made.error(), shared.backend, upload->key);
        seal = std::move(*made);
    }
    seal.deadline = request.urgency.deadline;
    return answer_of(shared.backend.seal_put(decision->manager, seal), upload->id, shared.backend,
                     upload->key);
}

// --- what is said of them

http::RouteSpec route(std::string method, std::string pattern, Role role, std::string sentence,
                      std::vector<Parameter> parameters, std::string answer, std::string example) {
    return {.method = std::move(method),
            .pattern = std::move(pattern),
            .group = "Multi-part uploads",
            .sentence = std::move(sentence),
            .role = role,
            .parameters = std::move(parameters),
            .answer = std::move(answer),
            .example = std::move(example)};
}

http::RouteSpec open_route() {
    return route("POST", "/v1/uploads", Role::writer, "Opens a multi-part upload.",
                 {{"key", "body", "The object's key.", true},
                  {"content_type", "body", "Kept and sent with the object."},
                  {"replicas", "body", "As X-DWCP-Replicas of PUT.", false, Parameter::Type::number},
                  {"codec", "body", "As X-DWCP-Codec of PUT."}},
                 "201 with `upload` (its id, also the workload's), `key`, `expires_ms`, `part_bytes_min`, "
                 "`parts_max`. 429 if `manager.uploads_open_max` are open.",
                 R"(curl -d '{"key": "big/image.raw"}' http://127.0.0.1:8101/v1/uploads)");
}

http::RouteSpec part_route() {
    return route(
        "PUT", "/v1/uploads/*", Role::writer,
        "Sends a part; the body is its content. Parts may come in any order and at once; of a number the "
        "last one counts.",
        {{"{upload}/{part}", "path", "The upload's id and the part's number, 1 to 10,000.", true},
         {"X-DWCP-SHA256", "header", "The part's SHA-256 in hex: what differs is refused."}},
        "201 with `part`, `size_bytes`, `etag`, once it is on this node's disk.",
        "curl -T part-1 http://127.0.0.1:8101/v1/uploads/3f2a5c0e9b7d41e6a8c1d2e3f4a5b6c7/1");
}

http::RouteSpec complete_route() {
    return route(
        "POST", "/v1/uploads/*", Role::writer,
        "Makes the object of its parts. The body is their list, in order: `[{\"part\": 1, \"etag\": "
        "\"...\"}, ...]`. Repeat it if no answer came: an upload that is complete answers as before.",
        {{"{upload}/complete", "path", "The upload's id.", true},
         {"X-DWCP-SHA256", "header", "The whole content's SHA-256: if it differs the upload stays open."},
         {"If-None-Match", "header", "`*`: only create, never replace."},
         {"If-Match", "header", "Only if the object has one of these ETags."}},
        "As PUT of an object. 412 if the condition does not hold: decided at the commit, it ends the upload.",
        R"(curl -d '[{"part": 1, "etag": "9f86d08..."}]' )"
        "http://127.0.0.1:8101/v1/uploads/3f2a5c0e9b7d41e6a8c1d2e3f4a5b6c7/complete");
}

} // namespace

void register_multipart_routes(DataRoutes& routes) {
    using http::Request;
    const Parameter id{"upload", "path", "The upload's id.", true};
    const std::string example = "http://127.0.0.1:8101/v1/uploads/3f2a5c0e9b7d41e6a8c1d2e3f4a5b6c7";
    routes.add(open_route(), [](Request& r, Shared& s) { return open_upload(r, s); });
    auto part = part_route();
    part.work = health::Work::going_on;
    routes.add_upload(std::move(part), [](Request& r, Shared& s) { return begin_put_part(r, s); });
    auto complete = complete_route();
    complete.work = health::Work::going_on;
    complete.body_bytes_max = kCompleteBytesMax;
    routes.add(std::move(complete), [](Request& r, Shared& s) { return complete_upload(r, s); });
    routes.add(route("GET", "/v1/uploads", Role::viewer,
                     "The uploads that are open at this node, oldest first.", {},
                     "`uploads`: each `upload`, `key`, `content_type`, `state`, `created_ms`, `expires_ms`, "
                     "`size_bytes` of its parts.",
                     "curl http://127.0.0.1:8101/v1/uploads"),
               [](Request&, Shared& s) { return list_uploads(s.backend); });
    routes.add(
        route("GET", "/v1/uploads/*", Role::viewer, "One upload and its parts so far.", {id},
              "As in the list, and `parts`, by number: each `part`, `size_bytes`, `etag`, `updated_ms`.",
              "curl " + example),
        [](Request& r, Shared& s) { return show_upload(r, s.backend); });
    auto abort = route("DELETE", "/v1/uploads/*", Role::writer, "Gives an open upload up, and its parts.",
                       {id}, "`upload`, and `aborted`: true.", "curl -X DELETE " + example);
    abort.work = health::Work::going_on;
    routes.add(std::move(abort), [](Request& r, Shared& s) { return abort_upload(r, s.backend); });
}

} // namespace dwcp::gateway
