#include "bench/http_load.hpp"

#include "protocols/base/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kEvents = 256;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void watch(int epoll, int fd, std::uint64_t data) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = data;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/// One connection of a fast client.
struct Fast {
    int fd = -1;
    const Question* asked = nullptr;
    Clock::time_point sent;
    std::string received;
};

void ask(Fast& client, const Question& question) {
    client.asked = &question;
    client.received.clear();
    client.sent = Clock::now();
    const auto& text = question.request;
    if (::send(client.fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
        throw std::runtime_error("the node closed a connection");
}

/// Whether the whole answer is there.
bool answered(const Fast& client) {
    const std::size_t head = client.received.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    if (!client.received.starts_with("HTTP/1.1 200 "))
        throw std::runtime_error("unexpected answer: " + client.received.substr(0, 300));
    const std::size_t body = client.received.size() - head - 4;
    if (body < client.asked->body.size()) return false;
    if (!client.received.ends_with(client.asked->body) || body != client.asked->body.size())
        throw std::runtime_error("an answer has not the bytes that were put");
    return true;
}

} // namespace

double LoadResult::quantile_us(double q) const {
    const auto at = static_cast<std::size_t>(q * static_cast<double>(latencies_us.size()));
    return latencies_us.at(std::min(at, latencies_us.size() - 1));
}

int connect_to(std::uint16_t port, int receive_bytes) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_bytes > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    const sockaddr_in address = loopback(port);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(fd);
        throw std::runtime_error(fmt::format("cannot connect to port {}: {}", port, std::strerror(errno)));
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

LoadResult run_load(std::uint16_t port, const std::vector<Question>& questions, int connections,
                    double seconds) {
    Random random(1);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    std::vector<Fast> clients(static_cast<std::size_t>(connections));
    LoadResult result;
    const auto next = [&]() -> const Question& { return questions[random.below(questions.size())]; };
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i].fd = connect_to(port);
        watch(epoll, clients[i].fd, i);
        ask(clients[i], next());
    }
    std::array<epoll_event, kEvents> events;
    std::array<char, 64U << 10> buffer;
    while (Clock::now() < end) {
        const int count = epoll_wait(epoll, events.data(), kEvents, 100);
        for (int i = 0; i < count; ++i) {
            Fast& client = clients[events[static_cast<std::size_t>(i)].data.u64];
            const ssize_t got = ::recv(client.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN))
                throw std::runtime_error("the node closed a connection");
            if (got <= 0) continue;
            client.received.append(buffer.data(), static_cast<std::size_t>(got));
            if (!answered(client)) continue;
            result.latencies_us.push_back(
                std::chrono::duration<double, std::micro>(Clock::now() - client.sent).count());
            ask(client, next());
        }
    }
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (const Fast& client : clients)
        ::close(client.fd);
    ::close(epoll);
    if (result.latencies_us.empty()) throw std::runtime_error("no answer came");
    std::ranges::sort(result.latencies_us);
    return result;
}

// --- slow clients

SlowClients::SlowClients(std::uint16_t port, int count, std::string big_object)
    : port_(port), big_object_(std::move(big_object)), clients_(static_cast<std::size_t>(count)) {
    for (std::size_t i = 0; i < clients_.size(); ++i)
        connect(i);
    thread_ = std::thread([this] { run(); });
}

SlowClients::~SlowClients() {
    stop_ = true;
    thread_.join();
    for (const Client& client : clients_)
        ::close(client.fd);
}

void SlowClients::connect(std::size_t index) {
    Client& client = clients_[index];
    client = {connect_to(port_, 4096), 0};
    const std::string heads[] = {
        "GET /", "POST /v1/transactions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 30000\r\n\r\n",
        fmt::format("PUT /v1/objects/slow-{} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n",
                    index),
        fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", big_object_)};
    const std::string& head = heads[index % std::size(heads)];
    if (::send(client.fd, head.data(), head.size(), MSG_NOSIGNAL) < 0)
        throw std::runtime_error("the node closed a connection");
}

/// A byte more, or a kilobyte less.
void SlowClients::go_on(std::size_t index) {
    Client& client = clients_[index];
    ++client.step;
    std::array<char, 1024> buffer;
    const bool reads = index % 4 == 3;
    ssize_t moved = reads ? ::recv(client.fd, buffer.data(), buffer.size(), MSG_DONTWAIT)
                          : ::send(client.fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    // Whoever was answered early is not slow any more.
    if (!reads && moved > 0 && ::recv(client.fd, buffer.data(), 1, MSG_DONTWAIT | MSG_PEEK) >= 0) moved = 0;
    if (moved > 0 || (moved < 0 && (errno == EAGAIN || errno == EINTR))) return;
    ::close(client.fd);
    ++reconnects_;
    connect(index);
}

void SlowClients::run() {
    // Spread over the second, so that they are a drizzle and not a wave.
    constexpr std::size_t kTicks = 20;
    for (std::size_t tick = 0; !stop_; ++tick) {
        for (std::size_t i = tick % kTicks; i < clients_.size(); i += kTicks)
            go_on(i);
        std::this_thread::sleep_for(std::chrono::milliseconds(1000 / kTicks));
    }
}

// --- the baseline

void serve_plainly(const std::string& answer, const std::function<void(std::uint16_t)>& listening) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener, 128) != 0)
        throw std::runtime_error("cannot listen");
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
    listening(ntohs(address.sin_port));
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener, static_cast<std::uint64_t>(listener));
    std::array<epoll_event, kEvents> events;
    std::array<char, 16U << 10> buffer;
    for (;;) {
        const int count = epoll_wait(epoll, events.data(), kEvents, -1);
        for (int i = 0; i < count; ++i) {
            const int fd = static_cast<int>(events[static_cast<std::size_t>(i)].data.u64);
            if (fd == listener) {
                const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
                if (client >= 0) watch(epoll, client, static_cast<std::uint64_t>(client));
            } else if (::recv(fd, buffer.data(), buffer.size(), 0) <= 0 ||
                       ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) {
                ::close(fd);
            }
        }
    }
}

} // namespace dwcp::bench
