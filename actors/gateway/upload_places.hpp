// The places that uploads hold while their bodies come, shared fairly between clients (health/fair_places):
// slow uploads of one client cannot keep all others from writing.
//
// Thread-safe; made by whoever serves the routes, and shared with every place that is held.
#pragma once

#include "protocols/health/fair_places.hpp"
#include "runtime/http/message.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace dwcp::gateway {

class UploadPlaces : public std::enable_shared_from_this<UploadPlaces> {
  public:
    /// `places`: of all clients together, at this moment.
    explicit UploadPlaces(std::function<std::uint32_t()> places) : places_(std::move(places)) {}

    /// Given back when the last copy goes.
    using Place = std::shared_ptr<const void>;
    /// Errc::resource_exhausted: this client holds its share.
    Result<Place> take(const http::Request& request);

  private:
    const std::function<std::uint32_t()> places_;
    std::mutex mutex_;
    health::FairPlaces held_;
};

/// Whom a request is counted for: the name that its certificate proves, else the address that it comes from.
std::string client_of(const http::Request& request);

} // namespace dwcp::gateway
