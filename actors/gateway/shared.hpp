// What the handlers of the data routes share, and how a route of theirs is added.
#pragma once

#include "actors/gateway/backend.hpp"
#include "actors/gateway/routes.hpp"
#include "actors/gateway/upload_places.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/http/http_server.hpp"
#include "runtime/http/route.hpp"

#include <functional>
#include <memory>
#include <variant>

namespace dwcp::gateway {

/// Block requests that may wait for a thread; one more runs on its own request's thread.
inline constexpr std::size_t kBlockQueueMax = 256;

struct Shared {
    Shared(Backend& b, const RouteOptions& o)
        : backend(b), options(o), pool("blocks", o.block_threads, kBlockQueueMax),
          places(std::make_shared<UploadPlaces>(o.upload_places)) {}

    Backend& backend;
    const RouteOptions options;
    WorkerPool pool;
    const std::shared_ptr<UploadPlaces> places;
};

/// Errc::invalid_argument for a query parameter that the route does not have: a misspelt one must not be
/// ignored.
Result<void> check_query(const http::Request& request, const http::RouteSpec& route);

/// The multi-part upload of this id, ended or not. Errc::not_found.
Result<manager::UploadReport> find_upload(const WorkloadId& id, Backend& backend);

/// Adds routes whose handlers own what they share together. Where a spec does not say what it asks for, a GET
/// reads and everything else writes.
class DataRoutes {
  public:
    using Handler = std::function<http::Response(http::Request&, Shared&)>;

    using UploadHandler =
        std::function<std::variant<http::Response, std::unique_ptr<http::Upload>>(http::Request&, Shared&)>;

    DataRoutes(http::HttpServer& server, std::shared_ptr<Shared> shared)
        : server_(server), shared_(std::move(shared)) {}

    void add(http::RouteSpec spec, Handler handler);
    void add_upload(http::RouteSpec spec, UploadHandler handler);

  private:
    http::HttpServer& server_;
    const std::shared_ptr<Shared> shared_;
};

} // namespace dwcp::gateway
