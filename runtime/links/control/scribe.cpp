#include "runtime/links/control/scribe.hpp"

#include <caf/binary_serializer.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/interfaces.hpp>
#include <caf/io/network/stream.hpp>
#include <caf/policy/tcp.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

namespace dwcp::links {
namespace {

using caf::io::network::native_socket;
using caf::io::network::operation;
using caf::io::network::rw_state;
using std::chrono::steady_clock;

/// A connection that has taken nothing for so long will not take the rest before it is closed.
constexpr milliseconds kStalledAfter{500};
/// TLS writes 16 KiB at a time; CAF asks once a turn of its loop.
constexpr std::size_t kWriteAtOnce = 256U << 10;
/// The system gives a connection up whose other end has not taken what was sent for this long, even while
/// CAF waits for it to drain.
constexpr unsigned kUserTimeoutMs = 30'000;

/// How CAF's stream reads and writes a channel.
class ChannelPolicy {
  public:
    explicit ChannelPolicy(Channel& channel) : channel_(channel) {}

    rw_state read_some(std::size_t& bytes, native_socket fd, void* to, std::size_t size) {
        bytes = std::min(size, channel_.read_ahead.size());
        if (bytes > 0) {
            const auto end = channel_.read_ahead.begin() + static_cast<std::ptrdiff_t>(bytes);
            std::copy(channel_.read_ahead.begin(), end, static_cast<Byte*>(to));
            channel_.read_ahead.erase(channel_.read_ahead.begin(), end);
            return rw_state::success;
        }
        if (!channel_.session) return caf::policy::tcp::read_some(bytes, fd, to, size);
        const auto progress = channel_.session->read({static_cast<Byte*>(to), size});
        if (!progress || progress->ended) return rw_state::failure;
        bytes = progress->bytes;
        return rw_state::success;
    }

    /// Nothing written is success with 0 bytes: CAF forgets its buffer at rw_state::indeterminate.
    rw_state write_some(std::size_t& bytes, native_socket fd, const void* from, std::size_t size) {
        bytes = 0;
        const auto state = channel_.session ? write_sealed({static_cast<const Byte*>(from), size}, bytes)
                                            : caf::policy::tcp::write_some(bytes, fd, from, size);
        if (bytes > 0 || size == 0) last_progress_ = steady_clock::now();
        is_writing_ = bytes < size;
        return state;
    }

    /// What lies decrypted in the session does not wake the multiplexer again.
    bool must_read_more(native_socket, std::size_t threshold) const {
        if (!channel_.read_ahead.empty()) return true;
        return channel_.session && threshold > 0 && channel_.session->pending() >= threshold;
    }

    bool is_stalled() const { return is_writing_ && steady_clock::now() - last_progress_ > kStalledAfter; }

  private:
    rw_state write_sealed(ByteView from, std::size_t& bytes) {
        while (bytes < from.size() && bytes < kWriteAtOnce) {
            const auto progress = channel_.session->write(from.subspan(bytes));
            if (!progress) return rw_state::failure;
            if (progress->bytes == 0) break;
            bytes += progress->bytes;
        }
        return rw_state::success;
    }

    Channel& channel_;
    bool is_writing_ = false;
    TimePoint last_progress_ = steady_clock::now();
};

class ChannelStream final : public caf::io::network::stream {
  public:
    ChannelStream(caf::io::network::default_multiplexer& multiplexer, Channel& channel)
        : stream(multiplexer, channel.socket.release()), policy_(channel) {}

    void handle_event(operation op) override {
        handle_event_impl(op, policy_);
        // What was read ahead, by the dialler or within TLS, never makes the socket readable. The first write
        // event comes as soon as the scribe is launched.
        if (op == operation::write && !std::exchange(has_begun_, true) && may_read_) {
            handle_event_impl(operation::read, policy_);
        }
    }

    /// False once the stream has no reader any more, or is about to lose it.
    void set_may_read(bool may_read) { may_read_ = may_read; }

    bool is_stalled() const { return policy_.is_stalled(); }

  private:
    ChannelPolicy policy_;
    bool has_begun_ = false;
    bool may_read_ = false;
};

class ControlScribe final : public caf::io::scribe {
  public:
    ControlScribe(caf::io::network::default_multiplexer& multiplexer, ScribeSetup setup)
        : scribe(caf::io::network::conn_hdl_from_socket(setup.channel.socket.get())),
          setup_(std::move(setup)), filter_(setup_.side, setup_.self), stream_(multiplexer, setup_.channel) {}

    /// Before the stream closes the descriptor.
    ~ControlScribe() override { setup_.connections->forget(setup_.id); }

    /// The broker says what it wants to read next; the filter knows that first. Only the first call counts.
    void configure_read(caf::io::receive_policy::config) override {
        if (std::exchange(is_launched_, true)) return;
        expect(kBaspHeaderBytes);
        stream_.set_may_read(true);
        stream_.start(this);
        stream_.force_empty_write(this);
    }

    bool consume(caf::execution_unit* context, const void* data, std::size_t size) override {
        if (detached()) return false;
        const ByteView bytes(static_cast<const Byte*>(data), size);
        BaspFilter::Verdict verdict;
        if (!has_header_) {
            verdict = filter_.header(bytes);
            if (verdict.action == BaspFilter::Action::close) return refuse(context, verdict);
            header_.assign(bytes.begin(), bytes.end());
            if (filter_.payload_bytes() > 0) {
                has_header_ = true;
                expect(filter_.payload_bytes());
                return true;
            }
        } else {
            has_header_ = false;
            expect(kBaspHeaderBytes);
            const bool was_known = !filter_.node().empty();
            verdict = filter_.payload(bytes);
            if (!was_known && !filter_.node().empty()) verdict = claim(std::move(verdict));
            if (verdict.action == BaspFilter::Action::close) return refuse(context, verdict);
        }
        const bool is_peers = setup_.connections->heard(setup_.id, steady_clock::now());
        if (!is_peers && ++messages_before_greeting_ > kMessagesBeforeGreetingMax)
            return refuse_talker(context);
        if (verdict.action == BaspFilter::Action::drop) {
            if (verdict.dropped) setup_.refusals->note(*verdict.dropped);
            return true;
        }
        if (filter_.payload_bytes() == 0) return hand_on(context, header_);
        return hand_on(context, header_) && hand_on(context, bytes);
    }

    void flush() override {
        if (stream_.wr_buf().size() > kQueuedBytesMax) {
            stream_.wr_buf() = {};
            setup_.connections->refuse(
                setup_.id, Refused::stalled,
                {Errc::resource_exhausted,
                 fmt::format("{} bytes wait to be sent to {}, which does not read", kQueuedBytesMax, addr()),
                 "see why that process hangs; it connects again by itself"},
                steady_clock::now());
            return;
        }
        stream_.flush(this);
    }

    /// CAF waits for all that is written to drain, and keeps the socket until then. A peer that reads nothing
    /// would keep it for ever, and this process with it.
    void graceful_shutdown() override {
        setup_.connections->ended_by_caf(setup_.id, steady_clock::now());
        if (stream_.is_stalled()) ::shutdown(stream_.fd(), SHUT_RDWR);
        stream_.graceful_shutdown();
        detach(&stream_.backend(), false);
    }

    void ack_writes(bool enable) override { stream_.ack_writes(enable); }
    std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
    /// Not the stream's: what the broker gets has passed the filter.
    std::vector<char>& rd_buf() override { return passed_; }
    std::string addr() const override {
        const auto address = caf::io::network::remote_addr_of_fd(stream_.fd());
        return address ? *address : std::string("somebody");
    }
    std::uint16_t port() const override {
        const auto port = caf::io::network::remote_port_of_fd(stream_.fd());
        return port ? *port : std::uint16_t{0};
    }
    void add_to_loop() override {
        stream_.set_may_read(true);
        stream_.activate(this);
    }
    void remove_from_loop() override {
        stream_.set_may_read(false);
        stream_.passivate();
    }

  private:
    void expect(std::size_t bytes) { stream_.configure_read(caf::io::receive_policy::exactly(bytes)); }

    bool hand_on(caf::execution_unit* context, ByteView bytes) {
        passed_.assign(bytes.begin(), bytes.end());
        return scribe::consume(context, passed_.data(), passed_.size());
    }

    BaspFilter::Verdict claim(BaspFilter::Verdict verdict) {
        const bool is_self = filter_.node() == setup_.self->id;
        if (verdict.action != BaspFilter::Action::pass || is_self) return verdict;
        switch (setup_.connections->claim(setup_.id, filter_.node(), steady_clock::now())) {
        case Connections::Claim::granted:
            return verdict;
        case Connections::Claim::duplicate:
            // CAF itself ends the second of two connections that this node has made.
            if (setup_.side == BaspFilter::Side::dialler) return verdict;
            filter_.disown();
            return {.action = BaspFilter::Action::drop, .dropped = Dropped::second_claim};
        case Connections::Claim::refused:
            break;
        }
        return {.action = BaspFilter::Action::close,
                .why = Refused::node_in_use,
                .message = "claims to be a node that it is not"};
    }

    bool refuse_talker(caf::execution_unit* context) {
        return refuse(context, {.action = BaspFilter::Action::close,
                                .why = Refused::no_greeting,
                                .message = fmt::format("has sent {} messages without greeting as a peer",
                                                       messages_before_greeting_)});
    }

    bool refuse(caf::execution_unit* context, const BaspFilter::Verdict& verdict) {
        const std::string from = addr();
        setup_.connections->refuse(
            setup_.id, verdict.why,
            {Errc::invalid_argument, fmt::format("{} {}", from, verdict.message),
             "see what connects from there; nodes of one cluster run the same version"},
            steady_clock::now());
        io_failure(context, operation::read);
        return false;
    }

    ScribeSetup setup_;
    BaspFilter filter_;
    ChannelStream stream_;
    bool is_launched_ = false;
    bool has_header_ = false;
    std::size_t messages_before_greeting_ = 0;
    Bytes header_;
    std::vector<char> passed_;
};

/// The beginning of a message with elements of these types, as caf::message::save writes it.
Bytes message_start(caf::actor_system& system, const std::string& type_names) {
    std::vector<char> buffer;
    caf::binary_serializer sink{system, buffer};
    std::uint16_t zero = 0;
    std::string names = "@<>" + type_names;
    if (auto failed = sink.begin_object(zero, names)) return {};
    return {buffer.begin(), buffer.end()};
}

Bytes stages_start(caf::actor_system& system) {
    std::vector<char> buffer;
    caf::binary_serializer sink{system, buffer};
    std::vector<caf::strong_actor_ptr> none;
    if (auto failed = sink(none)) return {};
    return {buffer.begin(), buffer.end()};
}

Bytes joined(Bytes first, const Bytes& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

/// An error's code and category, before its context.
constexpr std::size_t kErrorStartBytes = 1 + 8;

} // namespace

Bytes serialise(caf::actor_system& system, const caf::node_id& id) {
    std::vector<char> buffer;
    caf::binary_serializer sink{system, buffer};
    if (auto failed = sink(id)) return {};
    return {buffer.begin(), buffer.end()};
}

std::shared_ptr<const BaspNode> describe(caf::actor_system& system, const caf::actor& gateway) {
    auto self = std::make_shared<BaspNode>();
    self->id = serialise(system, system.node());
    self->spawn_server = static_cast<std::uint64_t>(caf::atom("SpawnServ"));
    self->gateway = gateway.id();
    const Bytes stages = stages_start(system);
    self->contents.push_back({joined(stages, message_start(system, "+dwcp::actor::ControlFrame")), 0, {}});
    // Errors that stand in for an answer. Their context is a message of its own, so it is looked at as well:
    // strings and no handles.
    for (const char* context : {"", "+@str", "+@str+@str"}) {
        self->contents.push_back({joined(stages, message_start(system, "+@error")), kErrorStartBytes,
                                  message_start(system, context)});
    }
    self->reason = {{}, kErrorStartBytes, message_start(system, "")};
    return self;
}

caf::io::scribe_ptr make_scribe(caf::actor_system& system, ScribeSetup setup) {
    auto& backend = system.middleman().backend();
    ::setsockopt(setup.channel.socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs,
                 sizeof kUserTimeoutMs);
    return caf::make_counted<ControlScribe>(static_cast<caf::io::network::default_multiplexer&>(backend),
                                            std::move(setup));
}

} // namespace dwcp::links
