#include "runtime/links/data/channel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace dwcp::links {
namespace {

bool only_not_ready() { return errno == EAGAIN || errno == EINTR; }

std::unexpected<Error> system_error(const char* what) {
    return fail(Errc::unavailable, std::string(what) + " failed: " + std::strerror(errno));
}

ByteView view_of(const iovec& part) { return {static_cast<const Byte*>(part.iov_base), part.iov_len}; }

} // namespace

Result<bool> Channel::secure() {
    const auto step = session_->handshake();
    if (!step) return std::unexpected(step.error());
    reading_wants_output_ = step->want == tls::Want::writable;
    secured_ = step->want == tls::Want::nothing;
    return secured_;
}

void Channel::drop_session() {
    session_.reset();
    reading_wants_output_ = sending_wants_input_ = false;
}

Result<Channel::Moved> Channel::receive(std::array<std::span<Byte>, 2> into) {
    if (!session_) return receive_plain(into);
    const auto got = session_->read(into[0]);
    if (!got) return std::unexpected(got.error());
    reading_wants_output_ = got->want == tls::Want::writable;
    return Moved{got->bytes, got->ended};
}

Result<Channel::Moved> Channel::receive_plain(std::array<std::span<Byte>, 2> into) {
    const std::array<iovec, 2> parts{iovec{into[0].data(), into[0].size()},
                                     iovec{into[1].data(), into[1].size()}};
    const ssize_t got = ::readv(fd_.get(), parts.data(), static_cast<int>(parts.size()));
    if (got >= 0) return Moved{static_cast<std::size_t>(got), got == 0};
    if (only_not_ready()) return Moved{};
    return system_error("receiving");
}

Result<Channel::Moved> Channel::send(std::span<const iovec> parts) {
    if (!session_) return send_plain(parts);
    const auto sent = session_->write(record_of(parts));
    if (!sent) return std::unexpected(sent.error());
    sending_wants_input_ = sent->want == tls::Want::readable;
    return Moved{sent->bytes, false};
}

Result<Channel::Moved> Channel::send_plain(std::span<const iovec> parts) {
    msghdr message{};
    // The kernel only reads; msghdr serves both directions and so has no const.
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (sent >= 0) return Moved{static_cast<std::size_t>(sent), false};
    if (only_not_ready()) return Moved{};
    return system_error("sending");
}

// A block's bytes are encrypted where they lie; only a frame's head, with what is around it, is copied
// together, so that small frames share a record.
ByteView Channel::record_of(std::span<const iovec> parts) {
    const ByteView first = view_of(parts.front());
    if (parts.size() == 1 || first.size() >= kRecordBytes)
        return first.first(std::min(first.size(), kRecordBytes));
    record_.clear();
    for (const iovec& part : parts) {
        const ByteView bytes = view_of(part);
        const std::size_t taken = std::min(bytes.size(), kRecordBytes - record_.size());
        record_.insert(record_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    return record_;
}

void Channel::close_output() {
    if (session_ && secured_) session_->close();
    ::shutdown(fd_.get(), SHUT_WR);
}

} // namespace dwcp::links
