// A stream that was accepted here: proves who dialled, then serves its blocks, syncs and fetches. Where there
// is TLS, the dialler shows a node's certificate first, and may then only be the node that it names.
//
// Memory is bounded by credits: the peer may have `stream_credit_blocks` requests under way, and a credit is
// given back only behind the answer, once both have left for the network. A peer that does not read gets no
// more credit.
#pragma once

#include "runtime/links/data/stream.hpp"

#include <functional>

namespace dwcp::links {

class ServerStream final : public Stream {
  public:
    ServerStream(Core& core, Fd fd, std::string source);

    void on_readable(std::size_t budget_bytes) override;
    void on_removed() override;
    const NodeName& flow() const override { return flow_; }
    /// Where it came from, for the limit on connections that have not proven who they are.
    const std::string& source() const { return source_; }
    bool authenticated() const { return established(); }

  private:
    enum class Stage : std::uint8_t { opening, hello, proof, serving };
    /// What a worker found out, to be sent from the I/O thread.
    using Answer = std::function<void(ServerStream&)>;

    void on_frame(wire::Frame& frame) override;
    void on_bad_frame(wire::FrameError error) override;
    void on_credit_sent(std::uint32_t credit) override { credit_ += credit; }

    void on_secured() override;
    void on_insecure(const std::string& end, const Error& why) override;
    void on_handshake_late() override;

    void look_at_first_byte();
    void on_hello(const wire::Frame& frame);
    void on_proof(const wire::Frame& frame);
    void on_refused(const wire::Frame& frame);
    void on_request(wire::Frame& frame);
    void on_block(wire::Frame& frame);
    void on_sync(wire::Frame& frame);
    void on_fetch(wire::Frame& frame);
    void on_echo(wire::Frame& frame);

    void turn_away(const Error& why);
    void serve(std::uint64_t cost_bytes, std::function<Answer()> work);
    void answer(wire::FrameKind kind, std::uint64_t id, std::span<const std::uint64_t> header = {},
                SharedBytes payload = nullptr, std::uint32_t payload_checksum = 0);
    void answer_error(std::uint64_t id, const Error& error);
    void answer_block(std::uint64_t id, const EncodedBlock& block, std::uint32_t payload_checksum);
    void grant(std::uint32_t requests);

    const std::string source_;
    NodeName flow_;
    NodeName certified_; ///< Whose certificate the dialler has shown; empty without TLS.
    Stage stage_ = Stage::opening;
    wire::Hello dialler_;
    wire::Hello acceptor_;
    std::uint32_t credit_ = 0; ///< Requests that the peer may still send.
};

} // namespace dwcp::links
