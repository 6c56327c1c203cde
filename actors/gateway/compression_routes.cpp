#include "actors/compression/codec.hpp"
#include "actors/gateway/base64.hpp"
#include "actors/gateway/json_body.hpp"
#include "actors/gateway/planning_routes.hpp"
#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dwcp::gateway {
namespace {

using compression::Forecast;
using compression::Prediction;
using http::Parameter;
using identity::Role;
using nlohmann::json;

/// A sample of one block in base64, and the rest.
constexpr std::size_t kPredictBytesMax = 1536U << 10;
constexpr std::size_t kBatchBytesMax = 4U << 20;
/// Each may encode a sample of 1 MiB on a codec thread, which uploads need too.
constexpr std::size_t kBatchMax = 64;
constexpr std::size_t kSampleTextMax = (kBlockBytes + 2) / 3 * 4;
constexpr std::array<std::string_view, 5> kDataTypes{"text", "binary", "structured", "json", "protobuf"};

Result<SharedBytes> parse_sample(const std::string& text) {
    if (text.empty()) return SharedBytes();
    auto bytes = decode_base64(text);
    if (!bytes || bytes->empty() || bytes->size() > kBlockBytes)
        return fail(Errc::invalid_argument, "'sample' is not the base64 of 1 to 1048576 bytes",
                    "send the first bytes of the data, encoded as RFC 4648 says");
    return share(std::move(*bytes));
}

Result<Forecast> parse_forecast(const json& body) {
    Members members(body, "the prediction");
    Forecast forecast;
    const std::string type = members.text("data_type", "", 16);
    forecast.size_bytes = members.required_number("size_bytes", 1, std::uint64_t{1} << 50);
    forecast.latency_ms = members.real("latency_ms", 0, 0, 3'600'000);
    forecast.bandwidth_mbps = members.real("bandwidth_mbps", 0, 0, 10'000'000);
    const std::string sample = members.text("sample", "", kSampleTextMax);
    if (auto good = members.done(); !good) return std::unexpected(good.error());
    if (!type.empty()) {
        const auto known = std::ranges::find(kDataTypes, type);
        if (known == kDataTypes.end())
            return fail(Errc::invalid_argument, fmt::format("data_type '{}' is none", type),
                        fmt::format("use one of: {}", fmt::join(kDataTypes, ", ")));
        forecast.type = static_cast<compression::DataType>(known - kDataTypes.begin());
    }
    auto bytes = parse_sample(sample);
    if (!bytes) return std::unexpected(bytes.error());
    forecast.sample = std::move(*bytes);
    if (!forecast.sample && !forecast.type)
        return fail(Errc::invalid_argument, "nothing is said of the data",
                    "send data_type, a sample or both");
    return forecast;
}

json prediction_json(const Prediction& prediction) {
    json body = {{"algorithm", compression::to_string(prediction.codec)},
                 {"level", prediction.codec.level},
                 {"reason", prediction.reason},
                 {"source", compression::kModelSource},
                 {"release", prediction.release},
                 {"confidence", nullptr},
                 {"expected", nullptr}};
    if (prediction.expected)
        body["expected"] = {{"ratio", prediction.expected->ratio},
                            {"compress_ms", prediction.expected->compress_ms},
                            {"transfer_ms", prediction.expected->transfer_ms},
                            {"uncompressed_ms", prediction.expected->uncompressed_ms}};
    return body;
}

json error_json(const Error& error) { return json::parse(http::error_body(error)); }

http::Response predict_one(const http::Request& request, Backend& backend) {
    const auto body = read_json(request, kPredictBytesMax);
    if (!body) return http::error_response(body.error());
    auto forecast = parse_forecast(*body);
    if (!forecast) return http::error_response(forecast.error());
    auto predicted = backend.predict({{std::move(*forecast)}});
    if (!predicted) return http::error_response(predicted.error());
    const auto& prediction = predicted->list.at(0);
    return prediction ? json_response(prediction_json(*prediction))
                      : http::error_response(prediction.error());
}

/// An item that is wrong gets its error and harms no other.
http::Response predict_batch(const http::Request& request, Backend& backend) {
    const auto body = read_json(request, kBatchBytesMax);
    if (!body) return http::error_response(body.error());
    Members members(*body, "the body");
    const auto* items = members.list("requests", kBatchMax, true);
    if (auto good = members.done(); !good) return http::error_response(good.error());
    std::vector<json> answers(items->size());
    std::vector<std::size_t> asked; // where each forecast stands in the answers
    compression::PredictCodecs question;
    for (std::size_t i = 0; i < items->size(); ++i) {
        auto forecast = parse_forecast(items->at(i));
        if (!forecast) {
            answers[i] = error_json(forecast.error());
            continue;
        }
        question.forecasts.push_back(std::move(*forecast));
        asked.push_back(i);
    }
    if (!asked.empty()) {
        const auto predicted = backend.predict(question);
        if (!predicted) return http::error_response(predicted.error());
        for (std::size_t i = 0; i < asked.size(); ++i) {
            const auto& prediction = predicted->list.at(i);
            answers[asked[i]] = prediction ? prediction_json(*prediction) : error_json(prediction.error());
        }
    }
    return json_response({{"predictions", answers}, {"total", answers.size()}});
}

http::Response list_algorithms() {
    auto list = json::array();
    for (const auto& info : compression::known_codecs())
        list.push_back(
            {{"name", info.name}, {"level", info.choice.level}, {"description", info.description}});
    return json_response({{"algorithms", std::move(list)}});
}

http::Response describe_model() {
    return json_response(
        {{"source", compression::kModelSource},
         {"version", compression::kModelVersion},
         {"inputs",
          {"size", "order-0 entropy", "repeated sequences", "text or not", "magic bytes", "bandwidth",
           "what the stream's blocks saved so far"}},
         {"description", "Rules from measurements of codecs on mixed files. There is no learned "
                         "model in this version, so no confidence."}});
}

std::vector<Parameter> forecast_parameters() {
    using Type = Parameter::Type;
    return {{"size_bytes", "body", "Length of the data, 1 byte to 1 PiB.", true, Type::number},
            {"data_type", "body",
             "`text`, `binary`, `structured`, `json` or `protobuf`; needed without a sample."},
            {"sample", "body", "Base64 of up to 1 MiB of the data: the choice is then measured on it."},
            {"latency_ms", "body", "One way to the receiver; 0 without.", false, Type::number},
            {"bandwidth_mbps", "body", "Mbit/s to the receiver; without, `compression.link_mbps`.", false,
             Type::number}};
}

http::RouteSpec compression_route(std::string method, std::string path, std::string sentence,
                                  std::string answer) {
    std::string example = "curl http://127.0.0.1:8101" + path;
    return {.method = std::move(method),
            .pattern = std::move(path),
            .group = "Compression",
            .sentence = std::move(sentence),
            .role = Role::viewer,
            .answer = std::move(answer),
            .example = std::move(example)};
}

} // namespace

void register_compression_routes(DataRoutes& routes) {
    using http::Request;
    auto predict = compression_route(
        "POST", "/v1/compression/predict",
        "Which codec the node would choose for some data, and what it would bring.",
        "`algorithm` (a name of the list of algorithms), `level`, `reason`, `source` (who decides: `rules`), "
        "`release`, "
        "`confidence` (null: rules have none), `expected`: null without a sample, else `ratio`, "
        "`compress_ms` (on "
        "one thread), `transfer_ms` and `uncompressed_ms`, measured on the sample and scaled to size_bytes.");
    predict.parameters = forecast_parameters();
    predict.example = R"(curl -d '{"data_type": "json", "size_bytes": 5000000, "bandwidth_mbps": 100}' )"
                      "http://127.0.0.1:8101/v1/compression/predict";
    predict.body_bytes_max = kPredictBytesMax;
    predict.work = health::Work::read;
    routes.add(std::move(predict), [](Request& r, Shared& s) { return predict_one(r, s.backend); });

    auto batch = compression_route("POST", "/v1/compression/batch", "The same for many.",
                                   "`predictions`, in order: each as from predict, or an `error`; `total`.");
    batch.parameters = {
        {"requests", "body", "Up to 64 bodies of predict; 4 MiB in all.", true, Parameter::Type::list}};
    batch.example = R"(curl -d '{"requests": [{"data_type": "text", "size_bytes": 1000}]}' )"
                    "http://127.0.0.1:8101/v1/compression/batch";
    batch.body_bytes_max = kBatchBytesMax;
    batch.work = health::Work::read;
    routes.add(std::move(batch), [](Request& r, Shared& s) { return predict_batch(r, s.backend); });

    routes.add(
        compression_route("GET", "/v1/compression/algorithms", "The codecs that this version has.",
                          "`algorithms`, cheapest first: each `name` (as X-DWCP-Codec takes it), `level`, "
                          "`description`."),
        [](Request&, Shared&) { return list_algorithms(); });
    routes.add(compression_route("GET", "/v1/compression/model", "What decides about codecs.",
                                 "`source`, `version`, `inputs`, `description`."),
               [](Request&, Shared&) { return describe_model(); });
}

} // namespace dwcp::gateway
