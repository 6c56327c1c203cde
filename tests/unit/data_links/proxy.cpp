#include "tests/unit/data_links/proxy.hpp"

#include <array>
#include <cerrno>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>

namespace dwcp::test {
namespace {

constexpr std::size_t kBufferedBytesMax = 1U << 20;

enum class Moved { nothing, something, closed };

Moved read_into(const links::Fd& fd, Bytes& buffer, std::size_t& received) {
    received = 0;
    if (buffer.size() >= kBufferedBytesMax) return Moved::nothing;
    std::array<Byte, 65536> chunk;
    const ssize_t count = ::recv(fd.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (count == 0) return Moved::closed;
    if (count < 0) return errno == EAGAIN ? Moved::nothing : Moved::closed;
    buffer.insert(buffer.end(), chunk.begin(), chunk.begin() + count);
    received = static_cast<std::size_t>(count);
    return Moved::something;
}

bool write_from(const links::Fd& fd, Bytes& buffer) {
    if (buffer.empty()) return true;
    const ssize_t count = ::send(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS;
    buffer.erase(buffer.begin(), buffer.begin() + count);
    return true;
}

} // namespace

Proxy::Proxy(std::uint16_t target_port) : target_port_(target_port) {
    listener_ = std::move(*links::listen_on("127.0.0.1", 0));
    port_ = *links::local_port(listener_);
    thread_ = std::thread([this] { run(); });
}

Proxy::~Proxy() {
    stopping_ = true;
    thread_.join();
}

void Proxy::accept_one() {
    auto accepted = links::accept_from(listener_);
    if (!accepted || !accepted->fd) return;
    ++connections_;
    if (refuse_) return;
    std::string warning;
    auto server = links::dial(*links::resolve("127.0.0.1", target_port_), {}, warning);
    if (server) pipes_.push_back({std::move(accepted->fd), std::move(*server), false, {}, {}});
}

void Proxy::spoil(Bytes& chunk) {
    // Both counters run down with the bytes that pass; what falls into this chunk is done to it.
    const auto size = static_cast<std::int64_t>(chunk.size());
    if (const std::int64_t at = corrupt_after_; at != kNever) {
        corrupt_after_ = at < size ? kNever : at - size;
        if (at < size) chunk[static_cast<std::size_t>(at)] ^= 0x10;
    }
    if (const std::int64_t at = cut_after_; at > 0) cut_after_ = std::max<std::int64_t>(0, at - size);
}

bool Proxy::move(Pipe& pipe) {
    if (pipe.stalled) return true;
    Bytes fresh;
    std::size_t received = 0;
    if (pipe.to_server.size() < kBufferedBytesMax) {
        if (read_into(pipe.client, fresh, received) == Moved::closed) return false;
        if (received > 0) spoil(fresh);
        pipe.to_server.insert(pipe.to_server.end(), fresh.begin(), fresh.end());
    }
    if (read_into(pipe.server, pipe.to_client, received) == Moved::closed) {
        write_from(pipe.client, pipe.to_client); // its last words
        return false;
    }
    return write_from(pipe.server, pipe.to_server) && write_from(pipe.client, pipe.to_client);
}

void Proxy::run() {
    while (!stopping_) {
        std::vector<pollfd> fds{{listener_.get(), POLLIN, 0}};
        for (const Pipe& pipe : pipes_) {
            if (pipe.stalled) continue;
            const short client_out = pipe.to_client.empty() ? 0 : POLLOUT;
            const short server_out = pipe.to_server.empty() ? 0 : POLLOUT;
            fds.push_back({pipe.client.get(), static_cast<short>(POLLIN | client_out), 0});
            fds.push_back({pipe.server.get(), static_cast<short>(POLLIN | server_out), 0});
        }
        ::poll(fds.data(), fds.size(), 2);
        accept_one();
        std::size_t to_stall = stall_.exchange(0);
        for (Pipe& pipe : pipes_) {
            if (to_stall == 0) break;
            pipe.stalled = true;
            --to_stall;
        }
        for (auto pipe = pipes_.begin(); pipe != pipes_.end();)
            pipe = move(*pipe) ? std::next(pipe) : pipes_.erase(pipe);
        if (cut_after_ == 0 && !pipes_.empty()) {
            pipes_.clear();
            cut_after_ = --cuts_left_ > 0 ? cut_every_.load() : kNever;
            ++cuts_;
        }
    }
}

} // namespace dwcp::test
