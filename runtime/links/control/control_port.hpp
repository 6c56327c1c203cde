// The control port: what happens to a connection before CAF sees a byte of it. Accepts within limits, does
// TLS, asks whether the node that the certificate names is a peer, and hands over what passed.
//
// Life cycle: start() binds and starts one thread; the destructor ends it and closes what it still holds.
// What is handed over belongs to the taker. Refused connections are counted, told (refusals.hpp) and, as far
// as that is possible, told why.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"
#include "runtime/links/control/connections.hpp"
#include "runtime/links/control/dial.hpp"
#include "runtime/tls/context.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace dwcp::links {

class ControlPort {
  public:
    struct Options {
        std::string host;
        std::uint16_t port = 0;            ///< 0: any.
        std::shared_ptr<tls::Context> tls; ///< Null: plain TCP.
        std::set<NodeName> peers;          ///< Whose certificates are accepted.
    };
    struct Accepted {
        Channel channel;
        Connections::Id id = 0;
        std::uint16_t port = 0; ///< Of the control port.
    };
    /// Called on the listener's thread; must not block.
    using Taker = std::function<void(Accepted)>;

    static Result<std::unique_ptr<ControlPort>> start(Options options,
                                                      std::shared_ptr<Connections> connections,
                                                      std::shared_ptr<Refusals> refusals, Taker taker);
    ~ControlPort();
    ControlPort(const ControlPort&) = delete;
    ControlPort& operator=(const ControlPort&) = delete;

    std::uint16_t port() const { return port_; }

  private:
    /// A connection that is not handed over yet, or never will be.
    struct Guest {
        Descriptor socket;
        std::unique_ptr<tls::Session> session;
        Connections::Id id = 0;
        short events = 0;
        bool leaving = false; ///< Refused: only until it has read why.
        TimePoint leaves_by{};
    };

    ControlPort(Options options, std::shared_ptr<Connections> connections, std::shared_ptr<Refusals> refusals,
                Taker taker, Descriptor socket);
    void run();
    void accept_all(TimePoint now);
    void receive(Descriptor socket, const std::string& source, TimePoint now);
    void serve(Guest& guest, TimePoint now);
    void shake(Guest& guest, TimePoint now);
    void admit(Guest& guest, TimePoint now);
    void refuse(Guest& guest, Refused reason, const Error& error, TimePoint now);
    void let_go(Guest& guest);

    const Options options_;
    const std::shared_ptr<Connections> connections_;
    const std::shared_ptr<Refusals> refusals_;
    const Taker taker_;
    const Descriptor socket_;
    std::uint16_t port_ = 0;
    Cancellation end_;
    TimePoint accept_again_at_{};
    std::vector<Guest> guests_;
    std::thread thread_;
};

} // namespace dwcp::links
