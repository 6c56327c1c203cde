// What may cross a control connection. CAF's protocol (BASP 0.17) trusts everybody who reaches the port: it
// allocates what a header announces, dereferences the payload of a handshake that has none, forwards messages
// to third nodes, and opens its registry, its configuration server and every actor by its number. The only
// thing that two of our nodes ever say in it is: a handshake, heartbeats, control frames between their two
// gateways, and that one of the two has ended. The filter lets exactly that through.
//
//   header(32 bytes) ─▶ verdict;  with payload_bytes() > 0 the verdict that counts is that of payload()
//
// One a connection, made when it is handed to CAF. Pure: no CAF, no sockets, no clock. Not thread-safe.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/wire/control.hpp"
#include "runtime/links/control/refusals.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::links {

/// caf/io/basp/header.hpp
inline constexpr std::size_t kBaspHeaderBytes = 32;
/// The largest control frame with what CAF writes around it (type names, lengths), which is below 100 bytes.
inline constexpr std::size_t kBaspPayloadBytesMax = wire::control::kFrameBytesMax + 1024;

/// The beginning that a message must have to pass: `head`, then `any` bytes, then `tail`.
struct BaspContent {
    Bytes head;
    std::size_t any = 0;
    Bytes tail;

    bool matches(ByteView payload) const;
};

/// What the filters of all connections of a node know of it.
struct BaspNode {
    Bytes id;                          ///< This CAF node's id as CAF serialises it. All ids have its length.
    std::uint64_t spawn_server = 0;    ///< Its name, as CAF writes names.
    std::uint64_t gateway = 0;         ///< The one actor that peers may reach.
    std::vector<BaspContent> contents; ///< What peers may say to it.
    BaspContent reason;                ///< Of an actor's end.
};

class BaspFilter {
  public:
    enum class Side : std::uint8_t { acceptor, dialler };
    enum class Action : std::uint8_t { pass, drop, close };

    struct Verdict {
        Action action = Action::pass;
        Refused why = Refused::malformed;              ///< Of close.
        std::string message = {};                      ///< Of close; goes after the name of the other end.
        std::optional<Dropped> dropped = std::nullopt; ///< Of drop; nullopt: it is no offence.
    };

    /// A peer's messages come from its gateway; a test or a tool may have another actor or two. CAF keeps a
    /// proxy of each for as long as the connection lasts.
    static constexpr std::size_t kSendersMax = 4;

    BaspFilter(Side side, std::shared_ptr<const BaspNode> self) : side_(side), self_(std::move(self)) {}

    Verdict header(ByteView bytes);
    /// What the last header announces; at most kBaspPayloadBytesMax.
    std::size_t payload_bytes() const { return payload_bytes_; }
    Verdict payload(ByteView bytes);

    /// The CAF node at the other end; empty before its handshake.
    const Bytes& node() const { return node_; }
    /// The handshake that was just judged is not to count: that node is connected otherwise.
    void disown();

  private:
    enum class Operation : std::uint8_t {
        server_handshake,
        client_handshake,
        direct_message,
        routed_message,
        monitor_message,
        down_message,
        heartbeat
    };
    struct Header {
        Operation operation{};
        std::uint8_t flags = 0;
        std::uint32_t payload_bytes = 0;
        std::uint64_t data = 0;
        std::uint64_t source = 0;
        std::uint64_t dest = 0;
    };

    Verdict judge(const Header& header);
    Verdict judge_handshake(const Header& header) const;
    Verdict judge_message(const Header& header);
    Verdict take_handshake(ByteView payload);
    bool is_between_both(ByteView payload) const;
    bool knows_sender(std::uint64_t source);

    const Side side_;
    const std::shared_ptr<const BaspNode> self_;
    Bytes node_;
    bool disowned_ = false;
    Header last_;
    Verdict verdict_;
    std::size_t payload_bytes_ = 0;
    std::vector<std::uint64_t> senders_;
};

} // namespace dwcp::links
