#include "tests/cluster/eavesdropper.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::testing {
namespace {

constexpr int kBufferBytes = 64 << 20; // so that a burst is not missed
constexpr int kLookMs = 20;

} // namespace

Eavesdropper::Eavesdropper(const Namespaces& network, std::vector<std::string> needles)
    : needles_(std::move(needles)) {
    // A socket stays in the namespace where it was made, whatever thread uses it.
    network.enter(0, [this] { fd_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)); });
    if (fd_ < 0) throw std::runtime_error("no packet socket");
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
    thread_ = std::thread([this] { listen(); });
}

Eavesdropper::~Eavesdropper() {
    ending_ = true;
    thread_.join();
    ::close(fd_);
}

void Eavesdropper::listen() {
    std::vector<char> frame(1 << 17); // with segmentation offload a frame is up to 64 KiB
    while (!ending_) {
        pollfd ready{fd_, POLLIN, 0};
        if (::poll(&ready, 1, kLookMs) != 1) continue;
        const ssize_t got = ::recv(fd_, frame.data(), frame.size(), 0);
        if (got <= 0) continue;
        bytes_ += static_cast<std::uint64_t>(got);
        const std::string_view text(frame.data(), static_cast<std::size_t>(got));
        for (const auto& needle : needles_) {
            if (text.find(needle) == std::string_view::npos) continue;
            const std::lock_guard lock(mutex_);
            heard_.insert(needle);
        }
    }
}

bool Eavesdropper::heard(const std::string& needle) const {
    const std::lock_guard lock(mutex_);
    return heard_.contains(needle);
}

} // namespace dwcp::testing
