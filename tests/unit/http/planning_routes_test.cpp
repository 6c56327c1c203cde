// Predictions of codecs and placements, through HTTP.
#include "actors/compression/codec.hpp"
#include "actors/gateway/base64.hpp"
#include "actors/gateway/routes.hpp"
#include "tests/unit/http/fake_backend.hpp"

#include <catch2/catch.hpp>

#include <httplib.h>

using namespace dwcp;
using nlohmann::json;

namespace {

struct Planner {
    test::FakeBackend backend;
    http::HttpServer server;
    std::unique_ptr<httplib::Client> client;

    Planner() {
        gateway::register_routes(server, backend, {});
        REQUIRE(server.start({}));
        client = std::make_unique<httplib::Client>("127.0.0.1", server.port());
    }
    std::pair<int, json> post(const std::string& path, const std::string& body) {
        const auto answer = client->Post(path, body, "application/json");
        REQUIRE(answer);
        return {answer->status, json::parse(answer->body)};
    }
    std::pair<int, json> post(const std::string& path, const json& body) { return post(path, body.dump()); }
    json get(const std::string& path) {
        const auto answer = client->Get(path);
        REQUIRE(answer);
        REQUIRE(answer->status == 200);
        return json::parse(answer->body);
    }
};

constexpr const char* kPredict = "/v1/compression/predict";

std::string base64_of_zeros(std::size_t bytes) { // whole groups of three
    return std::string(bytes / 3 * 4, 'A');
}

} // namespace

TEST_CASE("base64 is read strictly") {
    using gateway::decode_base64;
    CHECK(decode_base64("") == Bytes{});
    CHECK(decode_base64("Zg==") == to_bytes("f"));
    CHECK(decode_base64("Zm8=") == to_bytes("fo"));
    CHECK(decode_base64("Zm9vYmFy") == to_bytes("foobar"));
    CHECK(decode_base64("+/+/") == Bytes{0xfb, 0xff, 0xbf});
    for (const char* bad :
         {"Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm 8", "-_-_", "Zg==Zg=="})
        CHECK_FALSE(decode_base64(bad));
}

TEST_CASE_METHOD(Planner, "a codec is predicted from a type, and measured on a sample") {
    const auto [status, by_type] =
        post(kPredict, json{{"data_type", "json"}, {"size_bytes", 5'000'000U}, {"bandwidth_mbps", 100}});
    CHECK(status == 200);
    CHECK(by_type["algorithm"] == "zstd-3");
    CHECK(by_type["level"] == 3);
    CHECK(by_type["source"] == "rules");
    CHECK(by_type["confidence"].is_null());
    CHECK(by_type["expected"].is_null());
    const auto [ok, by_sample] = post(kPredict, json{{"size_bytes", 3'000'000U},
                                                     {"bandwidth_mbps", 8},
                                                     {"latency_ms", 2.5},
                                                     {"sample", base64_of_zeros(30'000)}});
    CHECK(ok == 200);
    CHECK(by_sample["expected"]["ratio"] > 100);
    CHECK(by_sample["expected"]["uncompressed_ms"] == Approx(3002.5));
    CHECK(by_sample["expected"]["transfer_ms"] < 100);
}

TEST_CASE_METHOD(Planner, "a prediction that asks for nonsense is refused by name") {
    for (const char* body :
         {"", "[]", "{}", R"({"size_bytes": 1})", R"({"size_bytes": 0, "data_type": "text"})",
          R"({"size_bytes": -1, "data_type": "text"})", R"({"size_bytes": 1.5, "data_type": "text"})",
          R"({"size_bytes": 1, "data_type": "video"})", R"({"size_bytes": 1, "sample": "???"})",
          R"({"size_bytes": 1, "data_type": "text", "latency_ms": -1})",
          R"({"size_bytes": 1, "data_type": "text", "bandwidth_mbps": 1e300})",
          R"({"size_bytes": 1, "data_type": "text", "speed": 1})"}) {
        CAPTURE(body);
        const auto [status, answer] = post(kPredict, std::string(body));
        CHECK(status == 400);
        CHECK_FALSE(answer["error"]["remedy"].get<std::string>().empty());
    }
    CHECK(post(kPredict, std::string(2U << 20, ' ')).first == 413);
    CHECK(post(kPredict, json{{"size_bytes", 1U}, {"sample", base64_of_zeros(kBlockBytes + 2)}}).first ==
          400);
}

TEST_CASE_METHOD(Planner, "in a batch a wrong item gets its error and harms no other") {
    const auto [status, answer] =
        post("/v1/compression/batch", json{{"requests",
                                            {{{"data_type", "text"}, {"size_bytes", 100'000U}},
                                             {{"data_type", "x"}, {"size_bytes", 1U}},
                                             {{"data_type", "binary"}, {"size_bytes", 10U}}}}});
    CHECK(status == 200);
    CHECK(answer["total"] == 3);
    CHECK(answer["predictions"][0]["algorithm"].is_string());
    CHECK(answer["predictions"][1]["error"]["code"] == "invalid_argument");
    CHECK(answer["predictions"][2]["reason"] == "tiny");
    CHECK(post("/v1/compression/batch", json{{"requests", json::array()}}).second["total"] == 0);
    CHECK(post("/v1/compression/batch", json{{"requests", json::array_t(65)}}).first == 400);
    CHECK(post("/v1/compression/batch", json{{"requests", 7}}).first == 400);
}

TEST_CASE_METHOD(Planner, "the codecs and what decides about them are told") {
    const auto algorithms = get("/v1/compression/algorithms")["algorithms"];
    CHECK(algorithms[0]["name"] == "none");
    CHECK(algorithms.size() == compression::known_codecs().size());
    CHECK(get("/v1/compression/model")["source"] == "rules");
}

TEST_CASE_METHOD(Planner, "placements are planned with a score and a reason for each node") {
    const auto [status, answer] = post(
        "/v1/allocations", json{{"workloads",
                                 {{{"id", "w1"}, {"size_bytes", 100U}, {"replicas", 2U}},
                                  {{"id", "w2"}, {"size_bytes", 100U}, {"sites", {"east"}}},
                                  {{"id", "w3"}, {"size_bytes", 9999U}, {"without_nodes", {"site-a"}}}}}});
    CHECK(status == 200);
    const auto& list = answer["allocations"];
    CHECK(list[0]["nodes"] == json{"site-b", "site-a"});
    CHECK(list[0]["explanation"][0]["score"] == 80);
    CHECK(list[1]["nodes"] == json{"site-a"});
    CHECK(list[1]["explanation"][1]["reason"] == "is left out by the request");
    CHECK(list[2]["nodes"].empty());
    CHECK(list[2]["error"]["code"] == "resource_exhausted");
    for (const char* body :
         {"{}", R"({"workloads": [{}]})", R"({"workloads": [{"id": "a", "size_bytes": "1"}]})",
          R"({"workloads": [{"id": "a", "size_bytes": 1, "replicas": 17}]})",
          R"({"workloads": [{"id": "a", "size_bytes": 1, "sites": [1]}]})",
          R"({"workloads": [{"id": "a", "size_bytes": 1, "sites": [""]}]})"}) {
        CAPTURE(body);
        CHECK(post("/v1/allocations", std::string(body)).first == 400);
    }
    CHECK(get("/v1/allocations")["allocations"][1]["problem"] == "too many");
    CHECK(get("/v1/allocations?limit=1")["allocations"].size() == 1);
    CHECK(client->Get("/v1/allocations?limit=0")->status == 400);
}
