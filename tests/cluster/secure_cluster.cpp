#include "tests/cluster/secure_cluster.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::testing {
namespace {

constexpr auto kKnockLimit = 10s;

/// A connected, non-blocking socket; closes itself.
class Socket {
  public:
    Socket(const std::string& host, int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<std::uint16_t>(port));
        ::inet_pton(AF_INET, host.c_str(), &to.sin_addr);
        connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    }
    ~Socket() { ::close(fd_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    int fd() const { return fd_; }
    bool connected() const { return connected_; }

    /// False when the limit is over.
    bool wait(short events, std::chrono::steady_clock::time_point until) const {
        const auto rest =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd ready{fd_, events, 0};
        return rest.count() > 0 && ::poll(&ready, 1, static_cast<int>(rest.count())) == 1;
    }

  private:
    int fd_;
    bool connected_ = false;
};

/// Hands shaken, then one byte read: the other end may judge us only after our part is done.
std::string greet(tls::Session& session, const Socket& socket) {
    const auto until = std::chrono::steady_clock::now() + kKnockLimit;
    bool shaken = false;
    for (;;) {
        Byte byte{};
        const auto step = shaken ? session.read({&byte, 1}) : session.handshake();
        if (!step) return step.error().render();
        if (step->ended) return "closed without a word";
        if (step->want == tls::Want::nothing) {
            if (shaken) return "";
            shaken = true;
            continue;
        }
        // A node that is content waits for what we say.
        if (!socket.wait(step->want == tls::Want::readable ? POLLIN : POLLOUT, until)) return "";
    }
}

} // namespace

SecureCluster::SecureCluster(std::size_t nodes) : network_(nodes) {
    const auto must = [&](const std::string& arguments) {
        const Output output = certs(arguments);
        if (output.exit_code != 0) FAIL(output.text);
    };
    must("ca --cluster test");
    for (const char* role : {"viewer", "writer", "operator", "admin"})
        must(fmt::format("client {0} --role {0}", role));
    for (std::size_t i = 0; i < nodes; ++i) {
        must(fmt::format("node {} --host {}", site(i), address(i)));
        write_config(i, nodes);
        auto process =
            runner::Process::start({.program = "/usr/bin/env",
                                    .arguments = {"ip", "netns", "exec", network_.name(i + 1),
                                                  runner::program_path("dwcp-node").string(), "--config",
                                                  (directory() / (site(i) + ".toml")).string()},
                                    .output = directory() / (site(i) + ".log")});
        if (!process) FAIL(process.error().render());
        processes_.push_back(std::move(*process));
    }
    for (std::size_t i = 0; i < nodes; ++i) {
        const bool connected = eventually(
            kStartLimit,
            [&] {
                const auto list = curl(i, "viewer", "/v1/nodes").json();
                if (!list.is_object()) return false;
                std::size_t up = 0;
                for (const auto& node : list.value("nodes", nlohmann::json::array()))
                    up += node.value("up", false) &&
                          (node.value("self", false) || node["data"].value("up", false));
                return up == nodes;
            },
            50ms);
        if (!connected) FAIL(curl(i, "viewer", "/v1/nodes").text << logs());
    }
}

SecureCluster::~SecureCluster() {
    for (auto& process : processes_)
        process.signal(SIGTERM);
    for (auto& process : processes_)
        process.stop(10s);
}

void SecureCluster::write_config(std::size_t node, std::size_t nodes) const {
    std::string text = fmt::format(
        "[node]\nname = '{0}'\nsite = 'place-{0}'\ncluster_id = 'test'\ndata_dir = '{1}/{0}'\n"
        "[listen]\ncontrol = '{2}:{3}'\ndata = '{2}:{4}'\nhttp = '{2}:{5}'\n"
        "[tls]\ncertificate = '{1}/certs/{0}.pem'\nkey = '{1}/certs/{0}.key'\nca = '{1}/certs/ca.pem'\n"
        "[manager]\nreplicas_default = {6}\n"
        "[control]\nreconnect_min_ms = 20\nreconnect_max_ms = 200\n",
        site(node), directory().string(), address(node), kControlPort, kDataPort, kHttpPort,
        std::min<std::size_t>(2, nodes));
    for (std::size_t i = 0; i < nodes; ++i)
        if (i != node)
            text += fmt::format(
                "[[peers]]\nname = '{0}'\nsite = 'place-{0}'\ncontrol = '{1}:{2}'\ndata = '{1}:{3}'\n",
                site(i), address(i), kControlPort, kDataPort);
    std::ofstream(directory() / (site(node) + ".toml")) << text;
}

std::string SecureCluster::logs() const {
    std::string text;
    for (std::size_t i = 0; i < processes_.size(); ++i)
        text += "\n--- " + site(i) + "\n" + runner::last_lines(directory() / (site(i) + ".log"), 40);
    return text;
}

Output SecureCluster::certs(const std::string& arguments, const std::string& folder) const {
    return run_command(
        fmt::format("{}/ops/certs {} --dir {}/{}", DWCP_SOURCE_DIR, arguments, directory().string(), folder));
}

tls::Files SecureCluster::files(const std::string& name, const std::string& folder) const {
    const auto at = directory() / folder;
    return {(at / (name + ".pem")).string(), (at / (name + ".key")).string(), (at / "ca.pem").string()};
}

SecureCluster::Reply SecureCluster::curl(std::size_t node, const std::string& who, const std::string& path,
                                         const std::string& options) const {
    const tls::Files given = files(who.empty() ? "ca" : who);
    const std::string certificate =
        who.empty() ? "" : fmt::format("--cert {} --key {}", given.certificate, given.key);
    const Output output = network_.run(
        0, fmt::format(
               "curl --silent --show-error --max-time 20 --cacert {} {} {} --write-out '\\n%{{http_code}}' "
               "'https://{}:{}{}'",
               given.ca, certificate, options, address(node), kHttpPort, path));
    Reply reply{output.exit_code, 0, output.text};
    // curl's complaint comes after the status.
    if (const auto line = output.text.find("\ncurl: "); line != std::string::npos) return reply;
    const auto last = output.text.rfind('\n');
    if (last == std::string::npos) return reply;
    reply.status = std::atoi(output.text.c_str() + last + 1);
    reply.text = output.text.substr(0, last);
    return reply;
}

Output SecureCluster::shell(std::size_t node, const std::string& who, const std::string& command) const {
    const tls::Files given = files(who);
    return network_.run(0, fmt::format("{} --node https://{}:{} --ca {} --cert {} --key {} {}",
                                       runner::program_path("dwcp-shell").string(), address(node), kHttpPort,
                                       given.ca, given.certificate, given.key, command));
}

std::string SecureCluster::knock(std::size_t machine, std::size_t node, int port,
                                 const tls::Files& files) const {
    std::string problem;
    network_.enter(machine, [&] {
        auto context = tls::Context::load(files, "");
        if (!context) throw std::runtime_error(context.error().render());
        const Socket socket(address(node), port);
        if (!socket.connected()) throw std::runtime_error("cannot connect to " + address(node));
        ::fcntl(socket.fd(), F_SETFL, O_NONBLOCK);
        const auto session = (*context)->connect(socket.fd(), "");
        problem = greet(*session, socket);
        session->close();
    });
    return problem;
}

std::string SecureCluster::plain_text(std::size_t node, int port) const {
    std::string answer;
    network_.enter(0, [&] {
        const Socket socket(address(node), port);
        const std::string request = "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        if (::send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
            throw std::runtime_error("cannot send to " + address(node));
        const auto until = std::chrono::steady_clock::now() + kKnockLimit;
        char buffer[4096];
        while (socket.wait(POLLIN, until)) {
            const ssize_t got = ::recv(socket.fd(), buffer, sizeof buffer, 0);
            if (got <= 0) return;
            answer.append(buffer, static_cast<std::size_t>(got));
        }
        throw std::runtime_error("the connection stays open");
    });
    return answer;
}

bool SecureCluster::has_event(std::size_t node, const std::string& name, const std::string& text) const {
    const auto list = curl(node, "viewer", "/v1/events?limit=1000").json();
    if (!list.is_object()) return false;
    for (const auto& event : list.value("events", nlohmann::json::array()))
        if (event.value("name", "") == name && event.dump().find(text) != std::string::npos) return true;
    return false;
}

} // namespace dwcp::testing
