#include "tests/unit/data_links/proxy.hpp"
#include "tests/unit/data_links/tls_fixture.hpp"

using namespace dwcp;
using namespace dwcp::test;

namespace {

/// One node's files, which change while it runs.
struct RotatingNode {
    RotatingNode(const Certificates& certificates, const NodeName& name_in, const NodeName& peer)
        : name(name_in), folder(certificates.folder(name_in)),
          files(certificates.authority.node(folder, name_in)), context(load_tls(files)),
          node(name_in, {peer}, with_tls(context)) {}

    void trust(const std::string& authorities) {
        testing::write_file(files.ca, authorities);
        reload();
    }
    void rotate(const testing::TestAuthority& authority, const std::string& trusted) {
        (void)authority.node(folder, name);
        testing::write_file(files.ca, trusted);
        reload();
    }
    void reload() {
        const auto changed = context->reload();
        if (!changed) FAIL(changed.error().render());
        CHECK(*changed);
    }

    NodeName name;
    std::filesystem::path folder;
    tls::Files files;
    std::shared_ptr<tls::Context> context;
    TestNode node;
};

} // namespace

TEST_CASE("certificates and their authority are replaced while blocks flow, and no request notices") {
    Certificates certificates;
    const testing::TestAuthority next("test-cluster", "next authority");
    const std::string both = certificates.authority.pem() + next.pem();
    RotatingNode a(certificates, "a", "b");
    RotatingNode b(certificates, "b", "a");
    Proxy proxy(b.node.plane->port());
    a.node.add_peer("b", proxy.port());
    REQUIRE(eventually([&] { return a.node.up("b"); }));
    std::uint64_t sent = 0;
    const auto flow = [&] {
        for (int i = 0; i < 10; ++i)
            REQUIRE(send_and_wait(a.node, "b", make_block(sent++, 100'000)).has_value());
    };
    flow();
    a.trust(both);
    b.trust(both);
    flow();
    a.rotate(next, both);
    b.rotate(next, both);
    flow();
    a.trust(next.pem());
    b.trust(next.pem());
    flow();
    // The stream of the beginning has carried it all: what is open goes on as it is.
    CHECK(proxy.connections() == 1);
    CHECK(a.node.events_named("data_peer_down") == 0);

    // A new stream knows only the new authority.
    proxy.cut_after(50'000);
    flow();
    CHECK(proxy.connections() > 1);
    CHECK(a.node.events_named("data_peer_refused") == 0);
    TestNode late("a", {"b"},
                  with_tls(load_tls(certificates.authority.node(certificates.folder("late"), "a"))));
    late.add_peer("b", b.node.plane->port());
    REQUIRE(eventually([&] {
        return b.node.events_named("data_peer_refused", "refused_by=b") > 0 ||
               late.events_named("data_peer_refused", "not trusted here") > 0;
    }));
    CHECK_FALSE(late.up("b"));
}
