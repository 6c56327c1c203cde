// What LiveTraffic notices, held against a store behind HTTP that misbehaves on demand.
#include "ops/runner/cluster.hpp"
#include "ops/runner/traffic.hpp"

#include <catch2/catch.hpp>

#include <httplib.h>
#include <map>
#include <mutex>

using namespace dwcp::runner;
using namespace std::chrono_literals;

namespace {

class KeyValueSite {
  public:
    KeyValueSite() {
        server_.Put("/v1/objects/(.*)", [this](const httplib::Request& request, httplib::Response& response) {
            const std::lock_guard lock(mutex_);
            if (refuse_every != 0 && ++puts_ % refuse_every == 0) {
                response.status = 503;
                return;
            }
            auto& versions = versions_[request.matches[1]];
            versions.push_back(request.body);
            response.status = 201;
        });
        server_.Get("/v1/objects/(.*)", [this](const httplib::Request& request, httplib::Response& response) {
            const std::lock_guard lock(mutex_);
            const auto found = versions_.find(request.matches[1]);
            if (found == versions_.end() || lose) {
                response.status = 404;
                return;
            }
            const auto& versions = found->second;
            const bool old = back && versions.size() > 1;
            std::string body = old ? versions[versions.size() - 2] : versions.back();
            if (damage) body.back() ^= 1;
            response.set_content(body, "application/octet-stream");
        });
        port_ = static_cast<std::uint16_t>(server_.bind_to_any_port("127.0.0.1"));
        thread_ = std::thread([this] { server_.listen_after_bind(); });
    }
    ~KeyValueSite() {
        server_.stop();
        thread_.join();
    }
    std::vector<Site> sites() const { return {{"site-a", port_, ""}}; }

    std::atomic<bool> lose{false}, back{false}, damage{false};
    std::atomic<unsigned> refuse_every{0};

  private:
    httplib::Server server_;
    std::mutex mutex_;
    std::map<std::string, std::vector<std::string>> versions_;
    unsigned puts_ = 0;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

/// Traffic until so many puts were acknowledged, then stopped.
void send(LiveTraffic& traffic, std::uint64_t puts) {
    traffic.start();
    REQUIRE(eventually(20s, [&] { return traffic.totals().acknowledged >= puts; }));
    traffic.stop();
}

} // namespace

TEST_CASE("traffic against a site that keeps everything is good, refusals included") {
    KeyValueSite site;
    site.refuse_every = 7;
    LiveTraffic traffic({}, site.sites(), 2'000);
    send(traffic, 300);
    const auto verdict = traffic.verify();
    CHECK(verdict.good());
    CHECK(verdict.keys > 50);
    CHECK(traffic.totals().refusals > 0);
    CHECK(traffic.totals().read_back > 0);
}

TEST_CASE("an acknowledged version that is gone is lost") {
    KeyValueSite site;
    LiveTraffic traffic({}, site.sites(), 2'000);
    traffic.set_patience(50ms);
    send(traffic, 100);
    site.lose = true;
    const auto verdict = traffic.verify();
    CHECK_FALSE(verdict.good());
    CHECK(verdict.lost == verdict.keys);
    CHECK_FALSE(verdict.problems.empty());
}

TEST_CASE("an earlier version in the place of an acknowledged one is another order") {
    KeyValueSite site;
    LiveTraffic traffic({}, site.sites(), 2'000);
    traffic.set_patience(50ms);
    send(traffic, 400);
    site.back = true;
    const auto verdict = traffic.verify();
    CHECK(verdict.reordered > 0);
    CHECK(verdict.lost + verdict.damaged == 0);
}

TEST_CASE("a read during the traffic that finds an earlier version is remembered") {
    KeyValueSite site;
    site.back = true;
    LiveTraffic traffic({}, site.sites(), 2'000);
    send(traffic, 1'500);
    site.back = false;
    CHECK(traffic.verify().reordered > 0);
}

TEST_CASE("a body that nobody sent is damaged") {
    KeyValueSite site;
    LiveTraffic traffic({}, site.sites(), 2'000);
    traffic.set_patience(50ms);
    send(traffic, 100);
    site.damage = true;
    const auto verdict = traffic.verify();
    CHECK(verdict.damaged == verdict.keys);
}
