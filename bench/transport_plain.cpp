#include "bench/transport_plain.hpp"

#include "bench/transport_process.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::bench {
namespace {

void require(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("plain copy: ") + what + " failed");
}

void write_all(int fd, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        require(written > 0, "writing");
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

void receive_to_disk(Channel& channel, const std::string& path) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    require(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0, "binding");
    require(::listen(listener, 1) == 0, "listening");
    require(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0, "naming");
    channel.send(ntohs(address.sin_port));
    const int peer = ::accept(listener, nullptr, nullptr);
    const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    require(peer >= 0 && file >= 0, "opening");
    Bytes buffer(kBlockBytes);
    for (;;) {
        const ssize_t got = ::read(peer, buffer.data(), buffer.size());
        require(got >= 0, "reading");
        if (got == 0) break;
        write_all(file, ByteView(buffer).first(static_cast<std::size_t>(got)));
    }
    require(::fsync(file) == 0, "fsync");
    write_all(peer, Bytes{1});
    channel.wait_for_close();
}

void send_blocks(Channel& channel, const std::vector<EncodedBlock>& blocks) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(channel.receive()));
    const int peer = ::socket(AF_INET, SOCK_STREAM, 0);
    require(::connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connecting");
    const auto start = std::chrono::steady_clock::now();
    for (const EncodedBlock& block : blocks)
        write_all(peer, *block.bytes);
    ::shutdown(peer, SHUT_WR);
    char done = 0;
    require(::read(peer, &done, 1) == 1, "waiting for the receiver");
    channel.send(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

} // namespace

double plain_copy_seconds(const std::vector<EncodedBlock>& blocks, const std::string& directory) {
    const std::string path = directory + "/plain";
    double seconds = 0;
    {
        Child receiver([&](Channel& channel) { receive_to_disk(channel, path); });
        const double port = receiver.channel().receive();
        Child sender([&](Channel& channel) { send_blocks(channel, blocks); });
        sender.channel().send(port);
        seconds = sender.channel().receive();
        if (!sender.finish() || !receiver.finish()) throw std::runtime_error("plain copy failed");
    }
    ::unlink(path.c_str());
    return seconds;
}

} // namespace dwcp::bench
