#include "actors/gateway/object_routes.hpp"

#include "actors/gateway/conditions.hpp"
#include "actors/gateway/download.hpp"
#include "actors/gateway/query.hpp"
#include "actors/gateway/upload.hpp"
#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

namespace dwcp::gateway {
namespace {

using http::Parameter;
using identity::Role;

constexpr std::size_t kListDefault = 100;
constexpr std::size_t kListMax = 1000;
constexpr std::size_t kDelimiterBytesMax = 16;

http::Response erase_object(http::Request& request, Backend& backend) {
    if (auto key = wire::check_key(request.rest); !key) return http::error_response(key.error());
    const auto condition = parse_condition(request);
    if (!condition) return http::error_response(condition.error());
    const auto decision = backend.route({"delete", request.rest, request.urgency.deadline});
    if (!decision) return http::error_response(decision.error());
    request.id = request.workload = decision->id;
    const auto deleted =
        backend.erase(decision->manager, {decision->id, request.rest, *condition, request.urgency.deadline});
    if (!deleted) return error_response_for(deleted.error(), backend, request.rest);
    if (!deleted->existed)
        return http::error_response(
            {Errc::not_found, fmt::format("there is no object '{}'", request.rest), ""});
    return json_response({{"existed", true}, {"index", deleted->index}});
}

Result<manager::ListRequest> parse_list(const http::Request& request) {
    manager::ListRequest list{request.param("prefix").value_or(""), request.param("cursor").value_or(""),
                              request.param("delimiter").value_or(""), 0};
    for (const std::string* text : {&list.prefix, &list.after})
        if (text->size() > wire::kKeyBytesMax)
            return fail(Errc::invalid_argument, "a prefix or cursor is longer than a key can be",
                        fmt::format("give at most {} bytes", wire::kKeyBytesMax));
    if (list.delimiter.size() > kDelimiterBytesMax)
        return fail(Errc::invalid_argument,
                    fmt::format("a delimiter of more than {} bytes", kDelimiterBytesMax),
                    "usually it is '/'");
    const auto limit = number_param(request, "limit", kListDefault, 1, kListMax);
    if (!limit) return std::unexpected(limit.error());
    list.limit = *limit;
    return list;
}

http::Response list_objects(const http::Request& request, Backend& backend) {
    const auto wanted = parse_list(request);
    if (!wanted) return http::error_response(wanted.error());
    const auto page = backend.list(*wanted);
    if (!page) return http::error_response(page.error());
    auto objects = nlohmann::json::array();
    for (const auto& stored : page->objects)
        objects.push_back(object_json(stored.manifest));
    return json_response({{"objects", std::move(objects)},
                          {"common_prefixes", page->common_prefixes},
                          {"next_cursor", page->next},
                          {"damaged", page->damaged}});
}

const Parameter kKey{"key", "path", "The object's key, percent-encoded; slashes as they are.", true};
const Parameter kIfMatch{"If-Match", "header",
                         "Only if the object has one of these ETags; `*`: if it exists."};

http::RouteSpec put_route() {
    return {
        .method = "PUT",
        .pattern = "/v1/objects/*",
        .group = "Objects",
        .sentence = "Creates or replaces an object; the body is its content. The object is there, on all its "
                    "replicas and at every node, once this is answered.",
        .role = Role::writer,
        .parameters = {kKey,
                       {"Content-Type", "header", "Kept and sent with the object."},
                       {"X-DWCP-Replicas", "header",
                        "Sites that are to hold it, 1 to 16; without: `manager.replicas_default`.", false,
                        Parameter::Type::number},
                       {"X-DWCP-Codec", "header",
                        "Compress every block with this codec, see `GET /v1/compression/algorithms`; "
                        "without, one is chosen for each block."},
                       {"X-DWCP-SHA256", "header",
                        "The content's SHA-256 in hex: what differs is refused and not stored."},
                       {"If-None-Match", "header", "`*`: only create, never replace."},
                       kIfMatch},
        .answer = "201 with `id` (the workload's), `key`, `size_bytes`, `sha256`, `etag`, `content_type`, "
                  "`created_ms`, `replicas`, `blocks`, `stored_bytes`, `codecs` (blocks of each), `lane` and "
                  "`index` (where it was committed). 412 if the condition does not hold. The "
                  "header `X-DWCP-Release` says which releases served it: `manager=canary, selector=stable`.",
        .example =
            "curl -T report.pdf -H 'If-None-Match: *' http://127.0.0.1:8101/v1/objects/docs/report.pdf"};
}

http::RouteSpec get_route() {
    return {.method = "GET",
            .pattern = "/v1/objects/*",
            .group = "Objects",
            .sentence = "An object's content, or a range of it. HEAD answers the same without the content.",
            .role = Role::viewer,
            .parameters = {kKey,
                           {"Range", "header",
                            "`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-LENGTH`; one range."},
                           {"If-Range", "header", "With Range: the whole object if this is not its ETag."},
                           {"If-None-Match", "header", "304 if the object has one of these ETags."},
                           kIfMatch},
            .answer =
                "200, or 206 with `Content-Range`; headers `ETag`, `X-DWCP-SHA256` (of the whole content), "
                "`X-DWCP-Created-Ms`, `X-DWCP-Replicas`, `X-DWCP-Workload`.",
            .example = "curl -f -o report.pdf http://127.0.0.1:8101/v1/objects/docs/report.pdf"};
}

http::RouteSpec delete_route() {
    return {.method = "DELETE",
            .pattern = "/v1/objects/*",
            .group = "Objects",
            .sentence = "Deletes an object.",
            .role = Role::writer,
            .parameters = {kKey, kIfMatch},
            .answer =
                "`existed`: true, and `index`. 404 if there is none, 412 if the condition does not hold.",
            .example = "curl -X DELETE http://127.0.0.1:8101/v1/objects/docs/report.pdf"};
}

http::RouteSpec list_route() {
    return {
        .method = "GET",
        .pattern = "/v1/objects",
        .group = "Objects",
        .sentence = "A page of the list of objects, in the order of their keys' bytes.",
        .role = Role::viewer,
        .parameters = {{"prefix", "query", "Only keys that begin with this."},
                       {"delimiter", "query",
                        "Usually `/`: what goes on after it beyond the prefix is shown as one common prefix, "
                        "like a folder."},
                       {"cursor", "query", "`next_cursor` of the page before; without: the first page."},
                       {"limit", "query", "Objects and common prefixes on a page, 1 to 1000; 100 without.",
                        false, Parameter::Type::number}},
        .answer = "`objects`: each `key`, `size_bytes`, `sha256`, `etag`, `content_type`, `created_ms`, "
                  "`replicas`; `common_prefixes`; `next_cursor`, empty on the last page; `damaged`: objects "
                  "left out because this node's record of them cannot be read.",
        .example = "curl 'http://127.0.0.1:8101/v1/objects?prefix=docs/&delimiter=/'"};
}

} // namespace

void register_object_routes(DataRoutes& routes) {
    using http::Request;
    routes.add_upload(put_route(), [](Request& r, Shared& s) { return begin_put_object(r, s); });
    routes.add(get_route(),
               [](Request& r, Shared& s) { return get_object(r, s.backend, s.pool, s.options); });
    routes.add(delete_route(), [](Request& r, Shared& s) { return erase_object(r, s.backend); });
    routes.add(list_route(), [](Request& r, Shared& s) { return list_objects(r, s.backend); });
}

} // namespace dwcp::gateway
