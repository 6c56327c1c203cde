// The audit log over a real store: what it keeps, and that nobody changes it unnoticed.
#include "runtime/audit/audit_log.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::audit;
using namespace std::chrono_literals;
using nlohmann::json;
using store::Family;

namespace {

constexpr const char* kThirdRecord = "audit/record/0000000000000003";

struct Fixture {
    store::test::TempDir directory;
    std::unique_ptr<store::Store> store = store::test::open_store(directory.store());
    std::unique_ptr<AuditLog> log = open();

    std::unique_ptr<AuditLog> open() {
        auto opened = AuditLog::open(*store, "site-a");
        if (!opened) FAIL(opened.error().render());
        return std::move(*opened);
    }
    static Attempt attempt(const std::string& verb = "actor.kill", json args = {{"path", "manager/0"}}) {
        Attempt one;
        one.by = {identity::Role::operator_, "ann", "certificate"};
        one.peer = "127.0.0.1:4711";
        one.claims = "root@console";
        one.verb = verb;
        one.args = std::move(args);
        one.reason = "it hangs";
        return one;
    }
    void act(int times) {
        for (int i = 0; i < times; ++i)
            log->end(log->begin(attempt()).value(), json{{"outcome", "killed"}});
    }
    void overwrite(const std::string& key, const std::string& from, const std::string& to) {
        auto text = std::string(as_text(**store->get(Family::state, key)));
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        text.replace(at, from.size(), to);
        store::Batch batch;
        batch.put(Family::state, key, to_bytes(text));
        store::test::require_ok(store->write(batch, store::Sync::yes));
    }
    void erase(const std::string& key) {
        store::Batch batch;
        batch.erase(Family::state, key);
        store::test::require_ok(store->write(batch, store::Sync::yes));
    }
};

} // namespace

TEST_CASE_METHOD(Fixture, "a record says who, when, what, why and with which result") {
    const auto begun = log->begin(attempt()).value();
    CHECK(begun == 1);
    log->end(begun, json{{"outcome", "killed life 1"}});
    const auto records = log->since(0, 10).value();
    REQUIRE(records.size() == 2);
    CHECK(records[0]["kind"] == "begin");
    CHECK(records[0]["node"] == "site-a");
    CHECK(records[0]["by"] ==
          json{{"name", "ann"}, {"role", "operator"}, {"how", "certificate"}, {"peer", "127.0.0.1:4711"}});
    CHECK(records[0]["claims"] == "root@console");
    CHECK(records[0]["args"] == json{{"path", "manager/0"}});
    CHECK(records[0]["reason"] == "it hangs");
    CHECK(records[0]["dry_run"] == false);
    CHECK(records[0]["time_ms"].get<UnixMillis>() > 1'600'000'000'000);
    CHECK(records[1]["of"] == 1);
    CHECK(records[1]["result"]["answer"]["outcome"] == "killed life 1");
    CHECK(log->verify().ok());
    CHECK(log->head().n == 2);
}

TEST_CASE_METHOD(Fixture, "secrets are taken out of a record, and long parts are cut") {
    auto secret =
        attempt("config.set", {{"Token", "hush"},
                               {"nested", {{"db_password", "hush"}, {"list", {{{"secret", "hush"}}}}}},
                               {"long", std::string(10'000, 'x')},
                               {"who", "me"},
                               {"dry_run", true}});
    CHECK(log->begin(secret));
    secret.args.erase("long");
    CHECK(log->begin(secret));
    const auto records = log->since(0, 10).value();
    for (const auto& record : records)
        CHECK(record.dump().find("hush") == std::string::npos);
    CHECK(records[0]["args"]["bytes"].get<std::size_t>() > 10'000);
    CHECK(records[0].dump().size() < 6'000);
    CHECK(records[1]["args"]["Token"] == "(removed)");
    CHECK_FALSE(records[1]["args"].contains("who"));
}

TEST_CASE_METHOD(Fixture, "the log goes on where it ended, and its size is known") {
    act(3);
    const auto head = log->head();
    const auto size = log->size_bytes();
    CHECK(size > 6 * 100);
    log = open();
    CHECK(log->head() == head);
    CHECK(log->size_bytes() == size);
    act(1);
    CHECK(log->head().n == 8);
    CHECK(log->verify(head).ok());
    const auto last = log->latest(2).value();
    CHECK(last.front()["n"] == 7);
    CHECK(log->since(5, 2).value().front()["n"] == 6);
}

TEST_CASE_METHOD(Fixture, "a verb whose node died before its end is ended as unknown by the next life") {
    act(1);
    CHECK(log->begin(attempt("drain")).value() == 3);
    log = open();
    const auto records = log->since(3, 10).value();
    REQUIRE(records.size() == 1);
    CHECK(records[0]["kind"] == "end");
    CHECK(records[0]["of"] == 3);
    CHECK(records[0]["result"]["outcome"] == "unknown");
    log = open(); // once
    CHECK(log->head().n == 4);
    CHECK(log->verify().ok());
}

TEST_CASE_METHOD(Fixture, "a record that was tampered with is found, and the first break is named") {
    act(4);
    SECTION("changed") {
        overwrite(kThirdRecord, "it hangs", "it sings");
        CHECK(log->verify().problem == "record 3 is not what was written");
    }
    SECTION("removed") {
        erase(kThirdRecord);
        CHECK(log->verify().problem == "record 3 is missing");
    }
    SECTION("replaced by another that is itself whole") {
        const auto other = **store->get(Family::state, "audit/record/0000000000000005");
        store::Batch batch;
        batch.put(Family::state, kThirdRecord, other);
        store::test::require_ok(store->write(batch, store::Sync::yes));
        CHECK(log->verify().problem == "record 3 is not what was written");
    }
    const auto verdict = log->verify();
    CHECK_FALSE(verdict.ok());
    CHECK(verdict.broken_at == 3);
    CHECK(verdict.head.n == 2);
}

TEST_CASE_METHOD(Fixture, "a tail that was cut off is missed") {
    act(2);
    const auto noted = log->head();
    const auto noted_in_the_middle =
        parse_head("2-" + log->since(1, 1).value()[0]["hash"].get<std::string>());
    REQUIRE(noted_in_the_middle);
    erase("audit/record/0000000000000004");
    CHECK(log->verify().problem == "the records from 4 to 4 are missing");
    log.reset();

    // Somebody who also puts the head back is seen only by who has noted it elsewhere: the log, an operator.
    const auto third = unpack(**store->get(Family::state, kThirdRecord))->hash;
    store::Batch batch;
    batch.put(Family::state, "audit/head",
              to_bytes(json{{"head", Head{3, third}.text()}, {"size_bytes", 1}}.dump()));
    batch.erase(Family::state, "audit/open/0000000000000003");
    store::test::require_ok(store->write(batch, store::Sync::yes));
    log = open();
    CHECK(log->verify().ok());
    CHECK(log->verify(noted_in_the_middle).ok());
    CHECK(log->verify(noted).problem.find("its end was cut off") != std::string::npos);
    act(1); // the chain grows over the number that was noted
    CHECK(log->verify(noted).problem.find("the log was rewritten") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "refused attempts are kept, but a flood of them cannot fill the disk") {
    const Error why{Errc::permission_denied, "needs the role admin", ""};
    const TimePoint start{1h};
    for (int i = 0; i < 1000; ++i)
        log->refused(attempt("chaos.kill"), why, start);
    CHECK(log->head().n == kRefusalBurst);
    CHECK(log->latest(1).value()[0]["result"]["message"] == "needs the role admin");
    log->refused(attempt("chaos.kill"), why, start + kRefusalEvery);
    const auto last = log->latest(1).value()[0];
    CHECK(last["n"] == kRefusalBurst + 1);
    CHECK(last["left_out_before"] == 1000 - kRefusalBurst);
    log->refused(attempt("chaos.kill"), why, start + kRefusalEvery);
    CHECK(log->head().n == kRefusalBurst + 1);
    CHECK(log->verify().ok());
}

TEST_CASE("a head is read as it is written, and nothing else is taken for one") {
    const Head head{128, audit::link(Hash256{}, "x")};
    CHECK(parse_head(head.text()) == head);
    for (const std::string& bad :
         {std::string(), std::string("128"), std::string("128-"), std::string("x-") + head.hash.hex(),
          head.text() + "0", "-" + head.hash.hex()})
        CHECK_FALSE(parse_head(bad));
}
