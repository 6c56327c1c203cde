// Nodes whose data links speak TLS, with certificates made for the test.
#pragma once

#include "tests/unit/data_links/fixture.hpp"
#include "tests/unit/tls/test_certificates.hpp"

namespace dwcp::test {

inline std::shared_ptr<tls::Context> load_tls(const tls::Files& files) {
    auto context = tls::Context::load(files, "test-cluster");
    if (!context) FAIL(context.error().render());
    return *context;
}

inline links::DataPlaneOptions with_tls(std::shared_ptr<tls::Context> context,
                                        links::DataPlaneOptions options = quick_options()) {
    options.tls = std::move(context);
    return options;
}

/// The authority of the cluster, and a folder for each set of certificates.
struct Certificates {
    std::filesystem::path folder(const std::string& name) const {
        std::filesystem::create_directories(directory.path() + "/" + name);
        return directory.path() + "/" + name;
    }
    std::shared_ptr<tls::Context> node(const NodeName& name) const {
        return load_tls(authority.node(folder(name), name));
    }

    TemporaryDirectory directory;
    testing::TestAuthority authority{"test-cluster"};
};

} // namespace dwcp::test
