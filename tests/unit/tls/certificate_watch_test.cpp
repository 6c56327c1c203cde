#include "runtime/tls/certificate_watch.hpp"
#include "tests/unit/tls/tls_rig.hpp"

using namespace dwcp;
using namespace dwcp::testing;
using tls::CertificateWatch;

namespace {

constexpr UnixMillis kDay = 86'400'000;

struct Rig {
    Directory directory;
    TestAuthority authority{"demo"};
    tls::Files files = authority.node(directory / "a", "site-a"); // 30 days; the authority 365
    std::shared_ptr<tls::Context> context = load(files);
    EventRing events;
    CertificateWatch watch{context, files, events};
    UnixMillis until_ms = context->own().until_ms;
    UnixMillis calm_ms = until_ms - 25 * kDay;

    std::size_t count(const std::string& name) const {
        const auto all = events.latest(1'000);
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [&](const Event& e) { return e.name == name; }));
    }
};

} // namespace

TEST_CASE("replaced files are taken into use at the next look and told once", "[tls]") {
    Rig rig;
    rig.watch.look(rig.calm_ms);
    CHECK(rig.events.latest(10).empty());
    const std::string before = rig.context->own().serial;
    rig.authority.node(rig.directory / "a", "site-a");
    rig.watch.look(rig.calm_ms);
    rig.watch.look(rig.calm_ms);
    REQUIRE(rig.count("tls_reloaded") == 1);
    CHECK(rig.events.latest(1)[0].subject == "dwcp://demo/node/site-a");
    CHECK(rig.events.latest(1)[0].fields.at("serial") == rig.context->own().serial);
    CHECK(rig.context->own().serial != before);
}

TEST_CASE("a rotation between two renames is waited for, a lasting misfit is told once", "[tls]") {
    Rig rig;
    const tls::Files other = rig.authority.node(rig.directory / "b", "site-a");
    std::filesystem::rename(other.key, rig.files.key);
    rig.watch.look(rig.calm_ms);
    CHECK(rig.events.latest(10).empty());
    std::filesystem::rename(other.certificate, rig.files.certificate);
    rig.watch.look(rig.calm_ms);
    CHECK(rig.count("tls_reloaded") == 1);
    CHECK(rig.count("tls_reload_failed") == 0);

    write_file(rig.files.key, "garbage\n", true);
    for (int i = 0; i < 5; ++i)
        rig.watch.look(rig.calm_ms);
    CHECK(rig.count("tls_reload_failed") == 1);
    CHECK(rig.events.latest(1)[0].fields.at("problem").find(rig.files.key) == 0);
    CHECK(rig.events.latest(1)[0].fields.at("remedy").find("ops/certs") != std::string::npos);
}

TEST_CASE("an operator who asks is answered at once", "[tls]") {
    Rig rig;
    CHECK(rig.watch.reload().value() == false);
    rig.authority.node(rig.directory / "a", "site-a");
    CHECK(rig.watch.reload().value() == true);
    rig.watch.look(rig.calm_ms);
    CHECK(rig.count("tls_reloaded") == 1);
    write_file(rig.files.key, "garbage\n", true);
    CHECK_FALSE(rig.watch.reload().has_value());
    CHECK(rig.count("tls_reload_failed") == 1);
}

TEST_CASE("expiry is a metric, and warned of once a day from a third of a short life on", "[tls]") {
    Rig rig;
    rig.watch.look(rig.until_ms - 11 * kDay);
    CHECK(rig.events.latest(10).empty());
    CHECK(metrics::expose().find("dwcp_tls_certificate_expiry_timestamp_seconds{certificate=\"own\"}") !=
          std::string::npos);
    const auto own =
        metrics::gauge("dwcp_tls_certificate_expiry_timestamp_seconds", "", {{"certificate", "own"}});
    CHECK(own.value() == static_cast<double>(rig.until_ms) / 1000);
    for (int hour = 0; hour < 48; ++hour)
        rig.watch.look(rig.until_ms - 9 * kDay + hour * 3'600'000);
    CHECK(rig.count("certificate_expiring") == 2);
    CHECK(rig.events.latest(1)[0].subject == "dwcp://demo/node/site-a");
    rig.watch.look(rig.until_ms + 1);
    CHECK(rig.count("certificate_expired") == 1);

    rig.watch.look(rig.context->ca_until_ms() - tls::kWarnBefore.count() + 1);
    CHECK(rig.events.latest(1)[0].subject == "ca");
    CHECK(rig.events.latest(1)[0].name == "certificate_expiring");
}
