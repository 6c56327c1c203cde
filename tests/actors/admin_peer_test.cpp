// What another node may say in an operator's name.
#include "runtime/node/admin.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;

namespace {

Result<gateway::AdminCall> said(const std::string& text) {
    links::PeerRequest request;
    request.from = "site-b";
    request.service = node::kAdminService;
    request.body = to_bytes(text);
    return node::call_of_peer(request);
}

} // namespace

TEST_CASE("a call through another node is in the name of who asked there, and ends here") {
    const auto call = said(R"({"verb": "drain", "args": {"node": "site-c", "reason": "r"},
                               "by": {"role": "operator", "name": "ann", "how": "certificate"}})");
    REQUIRE(call);
    CHECK(call->verb == "drain");
    CHECK(call->args == nlohmann::json{{"reason", "r"}});
    CHECK(call->by.name == "ann");
    CHECK(call->by.role == identity::Role::operator_);
    CHECK(call->peer == "site-b");
}

TEST_CASE("who is not named, or has a role that there is not, may do nothing") {
    for (const char* by : {"null", "{}", R"("ann")", R"({"role": "god"})", R"({"role": 5})"}) {
        const auto call = said(std::string(R"({"verb": "drain", "args": {}, "by": )") + by + "}");
        REQUIRE(call);
        CHECK(call->by.role == identity::Role::none);
    }
}

TEST_CASE("a call that is malformed, or nested too deep to be walked, is refused") {
    for (const char* text : {"", "{", "[]", "5", "{}", R"({"verb": "drain"})", R"({"args": []})"})
        CHECK(said(text).error().code == Errc::invalid_argument);
    const std::string deep =
        R"({"verb": "drain", "args": {"a": )" + std::string(30'000, '[') + std::string(30'000, ']') + "}}";
    const auto call = said(deep);
    REQUIRE_FALSE(call);
    CHECK(call.error().code == Errc::invalid_argument);
}
