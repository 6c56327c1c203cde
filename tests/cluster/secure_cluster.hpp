// Nodes on machines of their own, with certificates that ops/certs made and TLS everywhere.
#pragma once

#include "ops/runner/process.hpp"
#include "runtime/tls/context.hpp"
#include "tests/cluster/cluster_fixture.hpp"
#include "tests/cluster/namespaces.hpp"

#include <nlohmann/json.hpp>

namespace dwcp::testing {

class SecureCluster {
  public:
    /// site-a, site-b, ... on machines 1, 2, ..., started and connected, or the test fails with their logs.
    explicit SecureCluster(std::size_t nodes);
    ~SecureCluster();

    static constexpr int kControlPort = 7101;
    static constexpr int kDataPort = 7201;
    static constexpr int kHttpPort = 8101;

    const Namespaces& network() const { return network_; }
    static std::string site(std::size_t node) { return std::string("site-") + static_cast<char>('a' + node); }
    static std::string address(std::size_t node) { return Namespaces::address(node + 1); }

    /// ops/certs with the cluster's folder of certificates, or another one.
    Output certs(const std::string& arguments, const std::string& folder = "certs") const;
    tls::Files files(const std::string& name, const std::string& folder = "certs") const;

    struct Reply {
        int exit_code = -1; ///< curl's.
        int status = 0;     ///< HTTP's.
        std::string text;   ///< Body, and what curl says.
        nlohmann::json json() const { return nlohmann::json::parse(text, nullptr, false); }
    };
    /// curl from the operator's machine, with the certificate of `who`; empty: without one.
    Reply curl(std::size_t node, const std::string& who, const std::string& path,
               const std::string& options = "") const;
    /// dwcp-shell from there.
    Output shell(std::size_t node, const std::string& who, const std::string& command) const;

    /// Connects from a machine to a port and shakes hands as a node would; what went wrong, or empty.
    std::string knock(std::size_t machine, std::size_t node, int port, const tls::Files& files) const;
    /// Sends plain text to a port from the operator's machine, and returns what comes until the other end
    /// closes.
    std::string plain_text(std::size_t node, int port) const;

    bool has_event(std::size_t node, const std::string& name, const std::string& text) const;
    void signal(std::size_t node, int number) { processes_.at(node).signal(number); }
    const std::filesystem::path& directory() const { return directory_.path(); }

  private:
    void write_config(std::size_t node, std::size_t nodes) const;
    std::string logs() const;

    TempDirectory directory_;
    Namespaces network_;
    std::vector<runner::Process> processes_; // end before their machines go
};

} // namespace dwcp::testing
