#include "actors/gateway/gateway_actor.hpp"

#include "actors/gateway/messages.hpp"
#include "actors/manager/instance.hpp"
#include "protocols/crypto/ed25519.hpp"
#include "runtime/metrics/metrics.hpp"

namespace dwcp::gateway {
namespace {

class GatewayActor final : public actor::Actor {
  public:
    GatewayActor(caf::actor_config& config, actor::ActorContext context, GatewayOptions options)
        : Actor(config, std::move(context)), options_(std::move(options)) {}

  protected:
    caf::behavior handlers() override {
        return {on<RouteRequest>([this](const RouteRequest& request) { return route(request); })};
    }

  private:
    Result<RouteDecision> route(const RouteRequest& request) {
        metrics::counter("dwcp_gateway_requests_total", "Requests routed, by operation.",
                         {{"operation", request.operation}})
            .add();
        if (*options_.draining) {
            return fail(Errc::unavailable, "this node is draining", "send the request to another node");
        }
        std::array<Byte, 16> id;
        crypto::random_bytes(id);
        const auto instance = manager::instance_for(request.key, options_.manager_instances);
        return RouteDecision{"manager/" + std::to_string(instance), to_hex(id)};
    }

    const GatewayOptions options_;
};

} // namespace

caf::actor spawn_gateway(caf::actor_system& system, actor::ActorContext context, GatewayOptions options) {
    return system.spawn<GatewayActor>(std::move(context), std::move(options));
}

} // namespace dwcp::gateway
