// Certificates for tests, good ones and bad ones, made in the process. Link dwcp_test_certificates.
//
//   TestAuthority ca("demo");
//   auto files = ca.node(directory, "site-a");      // PEM files for tls::Context::load()
#pragma once

#include "runtime/tls/context.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace dwcp::testing {

/// What one certificate says; the defaults make a good one.
struct CertificateWish {
    std::string file = "certificate"; ///< FILE.pem and FILE.key in the directory.
    std::vector<std::string> uris;    ///< Subject alternative names of the URI kind.
    std::int64_t from_s = -3'600;     ///< Valid from now + ...
    std::int64_t until_s = 30 * 86'400;
    bool for_servers = true; ///< Extended key usage serverAuth besides clientAuth.
    bool authority = false;  ///< CA:TRUE.
};

class TestAuthority {
  public:
    /// `cluster` goes into the names of node() and client(); `name` is the authority's own.
    explicit TestAuthority(std::string cluster, std::string name = "test authority",
                           std::int64_t from_s = -7'200, std::int64_t until_s = 365 * 86'400);
    /// An intermediate one, signed by `root`.
    TestAuthority(std::string cluster, std::string name, const TestAuthority& root);
    ~TestAuthority();

    /// Writes FILE.pem, FILE.key (0600) and ca.pem by temporary file and rename, so that it also rotates.
    tls::Files issue(const std::filesystem::path& directory, const CertificateWish& wish) const;
    /// dwcp://CLUSTER/node/NAME in NAME.pem.
    tls::Files node(const std::filesystem::path& directory, const std::string& name) const;
    /// dwcp://CLUSTER/ROLE/NAME in NAME.pem, for clients alone.
    tls::Files client(const std::filesystem::path& directory, const std::string& role,
                      const std::string& name) const;

    std::string pem() const; ///< The authority's certificate.

  private:
    struct Parts;
    const std::string cluster_;
    const std::unique_ptr<Parts> parts_;
};

/// Replaces a file by rename.
void write_file(const std::filesystem::path& path, const std::string& content, bool secret = false);

} // namespace dwcp::testing
