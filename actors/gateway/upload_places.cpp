#include "actors/gateway/upload_places.hpp"

#include <fmt/format.h>

namespace dwcp::gateway {

std::string client_of(const http::Request& request) {
    if (request.certificate) return "certificate " + request.client.name;
    return "address " + request.peer.substr(0, request.peer.rfind(':'));
}

Result<UploadPlaces::Place> UploadPlaces::take(const http::Request& request) {
    const std::string client = client_of(request);
    const auto places = places_();
    const std::lock_guard lock(mutex_);
    if (!held_.enter(client, places))
        return fail(Errc::resource_exhausted,
                    fmt::format("{} has {} uploads under way, its share of manager.workloads_in_flight_max",
                                client, held_.held(client)),
                    "end some of them first: the rest of the places is for other clients");
    return Place(nullptr, [self = shared_from_this(), client](const void*) {
        const std::lock_guard held(self->mutex_);
        self->held_.leave(client);
    });
}

} // namespace dwcp::gateway
