// A node with nothing but control links, for tests that need a process to stop or kill.
//
//   actors_peer_program NAME DIALLER DIRECTORY PORT HEARTBEAT_INTERVAL_MS HEARTBEAT_TIMEOUT_MS
//
// Prints its control port, serves until its standard input ends.
#include "runtime/base/events.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/caf/system.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/links/control/control_links.hpp"

#include <future>
#include <iostream>
#include <string>
#include <unistd.h>

using namespace dwcp;

int main(int argc, char** argv) {
    if (argc != 7) return 2;
    const std::string name = argv[1];
    const std::string dialler = argv[2];
    const std::string directory = argv[3];
    links::ControlOptions options;
    options.listen_port = static_cast<std::uint16_t>(std::stoul(argv[4]));
    options.heartbeat_interval_ms = static_cast<std::uint32_t>(std::stoul(argv[5]));
    options.heartbeat_timeout_ms = static_cast<std::uint32_t>(std::stoul(argv[6]));

    const auto self = identity::load_or_create(directory, name, "elsewhere", "test");
    const auto trust = identity::TrustStore::open(directory, {{dialler, ""}});
    if (!self || !trust) return 1;
    actor::System system({.heartbeat_interval_ms = options.heartbeat_interval_ms,
                          .heartbeat_timeout_ms = options.heartbeat_timeout_ms,
                          .threads = 2});
    actor::Resolver resolver;
    EventRing events;
    std::promise<void> end;
    const std::shared_future<void> ended = end.get_future().share();
    // The port is of no use: this node only accepts.
    auto links = links::ControlLinks::start(options, {{dialler, "here", "127.0.0.1", 1}}, system, resolver,
                                            *self, **trust, events);
    if (!links) {
        std::cerr << links.error().render() << "\n";
        return 1;
    }
    (*links)->serve_function("echo",
                             [](const links::PeerRequest& request) -> Result<Bytes> { return request.body; });
    (*links)->serve("restarting", "nobody/0");
    (*links)->serve_function("hold", [ended](const links::PeerRequest&) -> Result<Bytes> {
        ended.wait();
        return Bytes{};
    });
    std::cout << (*links)->port() << std::endl;
    char ignored = 0;
    while (::read(0, &ignored, 1) > 0) {
    }
    end.set_value();
    return 0;
}
