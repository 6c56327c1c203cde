// Responses without an end.
#include "tests/unit/http/server_fixture.hpp"

#include <deque>
#include <future>

using namespace dwcp;
using namespace dwcp::http;
using namespace dwcp::test;

namespace {

/// Says what it is told to.
class Script : public LiveBody {
  public:
    std::optional<std::string> take() override {
        const std::lock_guard lock(mutex_);
        if (lines_.empty()) return ended_ ? std::nullopt : std::optional(std::string());
        std::string line = std::move(lines_.front());
        lines_.pop_front();
        return line;
    }
    void on_ready(std::function<void()> wake) override {
        const std::lock_guard lock(mutex_);
        wake_ = std::move(wake);
        ready_.set_value();
    }
    void say(std::string line) {
        const std::lock_guard lock(mutex_);
        lines_.push_back(std::move(line));
        if (wake_) wake_();
    }
    void end() {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        if (wake_) wake_();
    }
    void wait_until_ready() {
        REQUIRE(ready_.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
    }

  private:
    std::mutex mutex_;
    std::deque<std::string> lines_;
    bool ended_ = false;
    std::function<void()> wake_;
    std::promise<void> ready_;
};

struct LiveFixture : ServerFixture {
    std::vector<std::shared_ptr<Script>> scripts;
    std::mutex mutex;

    LiveFixture() {
        options.threads = 1;
        server.route("GET", "/events", [this](Request&) {
            Response response;
            response.content_type = "text/event-stream";
            auto script = std::make_shared<Script>();
            const std::lock_guard lock(mutex);
            scripts.push_back(script);
            response.live = script;
            return response;
        });
    }
    std::shared_ptr<Script> listen(RawClient& client) {
        client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
        client.receive_until("\r\n\r\n");
        const std::lock_guard lock(mutex);
        return scripts.back();
    }
};

} // namespace

TEST_CASE_METHOD(LiveFixture, "a live response is sent as it comes, and holds no thread") {
    const auto running = start();
    RawClient client(server.port());
    const auto script = listen(client);
    CHECK(has(client.receive_until("\r\n\r\n"), "Transfer-Encoding: chunked\r\n"));
    CHECK(has(client.receive_until("\r\n\r\n"), "Content-Type: text/event-stream\r\n"));
    CHECK(exchange(get("/hello")).ends_with("hello"));
    script->say("id: 1\n\n");
    client.receive_until("7\r\nid: 1\n\n\r\n");
    script->say("id: 2\n\n");
    client.receive_until("id: 2\n\n\r\n");
    script->end();
    CHECK(client.receive_all().ends_with("0\r\n\r\n"));
    script->say("nobody listens"); // also after the connection has gone
}

TEST_CASE_METHOD(LiveFixture, "an HTTP/1.0 client gets a live response without chunks") {
    const auto running = start();
    RawClient client(server.port());
    client.send("GET /events HTTP/1.0\r\n\r\n");
    client.receive_until("\r\n\r\n");
    scripts.back()->say("id: 1\n\n");
    scripts.back()->end();
    CHECK(client.receive_all().ends_with("\r\n\r\nid: 1\n\n"));
}

TEST_CASE_METHOD(LiveFixture, "HEAD of a live response is its head alone") {
    const auto running = start();
    RawClient client(server.port());
    client.send("HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.receive_all().ends_with("\r\n\r\n"));
}

TEST_CASE_METHOD(LiveFixture, "live responses have a limit, and a place is free again when a client leaves") {
    options.live_max = 1;
    const auto running = start();
    auto first = std::make_unique<RawClient>(server.port());
    listen(*first);
    RawClient second(server.port());
    second.send(get("/events"));
    const auto answer = second.receive_all();
    CHECK(answer.starts_with("HTTP/1.1 503 "));
    CHECK(has(answer, "Retry-After: 1\r\n"));
    first.reset();
    // The server hears of it on another way than the next request does.
    std::string again;
    for (int i = 0; i < 1000 && !again.starts_with("HTTP/1.1 200 "); ++i) {
        RawClient third(server.port());
        third.send(get("/events"));
        again = third.receive_until("\r\n\r\n");
    }
    CHECK(again.starts_with("HTTP/1.1 200 "));
}

TEST_CASE_METHOD(LiveFixture, "a drain ends live responses in order") {
    const auto running = start();
    RawClient client(server.port());
    const auto script = listen(client);
    script->say("last");
    client.receive_until("last");
    CHECK(server.drain(std::chrono::seconds(10)));
    CHECK(client.receive_all().ends_with("0\r\n\r\n"));
}

TEST_CASE_METHOD(LiveFixture, "a live body that throws ends the response, not the server") {
    struct Throwing : LiveBody {
        std::optional<std::string> take() override { throw std::runtime_error("boom"); }
        void on_ready(std::function<void()> wake) override { wake(); }
    };
    server.route("GET", "/throws", [](Request&) {
        Response response;
        response.live = std::make_shared<Throwing>();
        return response;
    });
    const auto running = start();
    CHECK(exchange(get("/throws")).ends_with("0\r\n\r\n"));
    CHECK(exchange(get("/hello")).ends_with("hello"));
}
