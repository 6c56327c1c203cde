#include "ops/shell/early_answer.hpp"
#include "ops/shell/failure.hpp"
#include "ops/shell/output.hpp"
#include "ops/shell/partial_file.hpp"
#include "ops/shell/progress.hpp"
#include "ops/shell/settings.hpp"
#include "ops/shell/table.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/words.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace dwcp;
using namespace dwcp::shell;

namespace {

using Words = std::vector<std::string>;

Environment environment_of(std::map<std::string, std::string> values) {
    return [values = std::move(values)](const std::string& name) {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    };
}

} // namespace

TEST_CASE("words are cut as a shell cuts them") {
    CHECK(*split_words("put a b") == Words{"put", "a", "b"});
    CHECK(*split_words("  put\t a\n") == Words{"put", "a"});
    CHECK(split_words("")->empty());
    CHECK(split_words("   ")->empty());
    CHECK(*split_words(R"(put 'a b' "c d" e\ f)") == Words{"put", "a b", "c d", "e f"});
    CHECK(*split_words(R"(a'b'"c"d)") == Words{"abcd"});
    CHECK(*split_words(R"('' "" x)") == Words{"", "", "x"});
    CHECK(*split_words(R"('a\b' "a\"b\\c\d")") == Words{R"(a\b)", R"(a"b\c\d)"});
    CHECK(*split_words("$HOME `id` $(id) *") == Words{"$HOME", "`id`", "$(id)", "*"});
    CHECK(*split_words("grüße 日本") == Words{"grüße", "日本"});
}

TEST_CASE("a quote that is not closed is an error") {
    for (const char* line : {"put 'a", "put \"a", "put a\\", R"("a\")"})
        CHECK_FALSE(split_words(line));
}

TEST_CASE("every code of the API has an exit code") {
    CHECK(exit_of("invalid_argument") == Exit::usage);
    CHECK(exit_of("unavailable") == Exit::unreachable);
    CHECK(exit_of("unauthenticated") == Exit::denied);
    CHECK(exit_of("permission_denied") == Exit::denied);
    CHECK(exit_of("precondition_failed") == Exit::precondition);
    CHECK(exit_of("already_exists") == Exit::precondition);
    CHECK(exit_of("deadline_exceeded") == Exit::timeout);
    for (const char* code :
         {"not_found", "internal", "corrupted", "too_large", "resource_exhausted", "", "of a later version"})
        CHECK(exit_of(code) == Exit::failed);
}

TEST_CASE("numbers are shown in units that people read") {
    CHECK(human_bytes(0) == "0 B");
    CHECK(human_bytes(1023) == "1023 B");
    CHECK(human_bytes(1024) == "1.0 KiB");
    CHECK(human_bytes(1'258'291) == "1.2 MiB");
    CHECK(human_bytes((1U << 20) - 1) == "1.0 MiB");
    CHECK(human_bytes(~0ULL) == "16.0 EiB");
    CHECK(human_span(999) == "999 ms");
    CHECK(human_span(119'999) == "119 s");
    CHECK(human_span(120'000) == "2 min");
    CHECK(human_span(7'200'000) == "2 h");
    CHECK(human_span(172'800'000) == "2 d");
    CHECK(human_age(1'000, 4'000) == "3 s ago");
    CHECK(human_age(4'001, 4'000) == "now");
    CHECK(printable("a\x1b[31mb\n") == "a\\x1b[31mb\\x0a");
    // DEL, C1 (CSI), writing direction, bytes that are no UTF-8, and what is harmless.
    CHECK(printable("\x7f\xc2\x9b"
                    "31m") == "\\x7f\\x9b31m");
    CHECK(printable("a\u202eb\u2066c\u200f") == "a\\u202eb\\u2066c\\u200f");
    CHECK(printable("\xff\xc3\xe2\x82") == "\\xff\\xc3\\xe2\\x82");
    CHECK(printable("\xc0\x9b\xed\xa0\x80") == "\\xc0\\x9b\\xed\\xa0\\x80");
    CHECK(printable("grüße 日本 😀") == "grüße 日本 😀");
    CHECK(printable_lines("a\nb\x1b") == "a\nb\\x1b");
    const nlohmann::json sly = {{"x", "a\u202e\x7f\u009b"}};
    CHECK(one_line(sly) == R"({"x":"a\u202e\u007f\u009b"})");
    CHECK(nlohmann::json::parse(one_line(sly)) == sly);
}

TEST_CASE("a table is aligned by characters and steers no terminal") {
    Table table({"NAME", ">SIZE", "TYPE"});
    table.add({"grüße", "1", "x"});
    table.add({"a\x1b", "12345"});
    std::ostringstream out;
    table.print(out);
    CHECK(out.str() == "NAME    SIZE  TYPE\n"
                       "grüße      1  x\n"
                       "a\\x1b  12345\n");
}

TEST_CASE("an answer is shown as it is, a line for each object, or as a table") {
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{in, out, err, false, false, environment_of({}), [] { return 0; }};
    const nlohmann::json answer = {{"list", {{{"a", 1}}, {{"a", 2}}}}, {"bad", "\xff"}};
    show(terminal, Format::ndjson, answer, "list", {});
    CHECK(out.str() == "{\"a\":1}\n{\"a\":2}\n");
    out.str("");
    show(terminal, Format::ndjson, answer, "absent", {});
    CHECK(out.str().empty());
    show(terminal, Format::json, answer, "list", {});
    CHECK(nlohmann::json::parse(out.str())["list"] == answer["list"]);
    out.str("");
    show(terminal, Format::table, answer, "list", [](std::ostream& to) { to << "table"; });
    CHECK(out.str() == "table");
    CHECK(text_at(answer, "absent").empty());
    CHECK(text_at({{"x", 1.23456}}, "x") == "1.23");
    CHECK(number_at({{"x", -1}}, "x") == 0);
    CHECK(number_at({{"x", 1e300}}, "x") == 0);
    CHECK(number_at({{"x", "1"}}, "x") == 0);
    CHECK(list_at({{"x", 1}}, "x").empty());
    CHECK(list_at(1, "x").empty());
}

TEST_CASE("a node is named by host and port in the usual ways") {
    using Address = std::pair<std::string, std::uint16_t>;
    const auto node = [](const char* text) {
        const auto parsed = parse_node(text).value();
        return Address{parsed.host, parsed.port};
    };
    CHECK(node("https://10.0.0.1:80") == Address{"10.0.0.1", 80});
    CHECK(parse_node("https://a")->tls == true);
    CHECK(parse_node("http://a")->tls == false);
    CHECK_FALSE(parse_node("a")->tls);
    CHECK(node("127.0.0.1:80") == Address{"127.0.0.1", 80});
    CHECK(node("http://localhost:8102/") == Address{"localhost", 8102});
    CHECK(node("localhost") == Address{"localhost", 8101});
    CHECK(node("[::1]:80") == Address{"::1", 80});
    CHECK(node("[::1]") == Address{"::1", 8101});
    for (const char* text :
         {"", ":80", "a:", "a:0", "a:65536", "a:x", "https://", "[::1", "[::1]80", "http://"}) {
        CAPTURE(text);
        CHECK(parse_node(text).error().exit == Exit::usage);
    }
}

TEST_CASE("options win over a configuration, that over the environment, that over the default") {
    const auto directory =
        std::filesystem::temp_directory_path() / ("shell-settings-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory);
    const std::string file = directory / "node.toml";
    std::ofstream(file)
        << "[node]\nname = \"a\"\nsite = \"a\"\ncluster_id = \"c\"\ndata_dir = \"/data/a\"\n"
           "[listen]\nhttp = \"127.0.0.1:9001\"\ncontrol = \"127.0.0.1:9002\"\ndata = \"127.0.0.1:9003\"\n"
           "[manager]\nreplicas_default = 1\n";
    const auto environment =
        environment_of({{"DWCP_NODE", "localhost:9100"}, {"DWCP_TOKEN_FILE", "/env/token"}});
    GlobalOptions options;
    auto settings = resolve_settings(options, environment_of({})).value();
    CHECK(settings.address() == "127.0.0.1:8101");
    CHECK(settings.token_file.empty());
    CHECK(settings.token.empty());
    CHECK_FALSE(settings.tls);
    settings = resolve_settings(options, environment).value();
    CHECK(settings.address() == "localhost:9100");
    CHECK(settings.token_file == "/env/token");
    options.config_file = file;
    const auto configured = resolve_settings(options, environment);
    INFO((configured ? "" : configured.error().message));
    REQUIRE(configured);
    CHECK(configured->address() == "127.0.0.1:9001");
    CHECK(configured->token_file == "/data/a/operator.token");
    GlobalOptions elsewhere = options;
    elsewhere.node = "127.0.0.1:1";
    const auto other = resolve_settings(elsewhere, environment);
    REQUIRE(other);
    CHECK(other->token_file.empty()); // it is site-a's alone
    options.node = "[::1]:9200";
    options.token_file = directory / "token";
    std::ofstream(options.token_file) << "secret\n";
    settings = resolve_settings(options, environment).value();
    CHECK(settings.address() == "[::1]:9200");
    CHECK(settings.token == "secret");
    // A token is not shown to other machines in the clear.
    options.node = "10.0.0.1:9200";
    CHECK(resolve_settings(options, environment)->token.empty());
    options.node = "https://10.0.0.1:9200";
    CHECK(resolve_settings(options, environment)->token == "secret");
    options.token_file = directory / "missing";
    CHECK(resolve_settings(options, environment).error().exit == Exit::denied);
    options.token_file.clear();
    options.certificate_file = file;
    CHECK(resolve_settings(options, environment).error().exit == Exit::usage);
    options.key_file = file;
    options.ca_file = file;
    settings = resolve_settings(options, environment).value();
    CHECK(settings.tls);
    CHECK(settings.url() == "https://10.0.0.1:9200");
    // What is kept for its owner is used without being named.
    std::filesystem::create_directories(directory / "dwcp");
    for (const char* name : {"ca.crt", "client.crt", "client.key"})
        std::ofstream(directory / "dwcp" / name) << "x";
    GlobalOptions bare;
    bare.node = "https://a";
    settings = resolve_settings(bare, environment_of({{"XDG_CONFIG_HOME", directory}})).value();
    CHECK(settings.ca_file == directory / "dwcp" / "ca.crt");
    CHECK(settings.certificate_file == directory / "dwcp" / "client.crt");
    options.config_file = directory / "missing.toml";
    CHECK(resolve_settings(options, environment).error().exit == Exit::usage);
    for (const double seconds : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()}) {
        GlobalOptions odd;
        odd.timeout_s = seconds;
        CHECK(resolve_settings(odd, environment).error().exit == Exit::usage);
    }
    std::filesystem::remove_all(directory);
}

TEST_CASE("an early answer is recognised only when it is whole") {
    const std::string whole = "HTTP/1.1 429 Too Many Requests\r\nX: y\r\ncontent-length: 2\r\n\r\n{}";
    const auto answer = parse_answer(whole);
    REQUIRE(answer);
    CHECK(answer->status == 429);
    CHECK(answer->body == "{}");
    for (std::size_t size = 0; size < whole.size(); ++size)
        CHECK_FALSE(parse_answer(whole.substr(0, size)));
    CHECK_FALSE(parse_answer("HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n"));
    CHECK_FALSE(parse_answer("HTTP/1.1 200 OK\r\n\r\nbody"));
    CHECK_FALSE(parse_answer("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"));
}

TEST_CASE("progress says how much, how fast and how long still") {
    CHECK(progress_text("k", 512U << 10, 1U << 20, std::chrono::milliseconds(1'000)) ==
          "k  50 %  512.0 KiB of 1.0 MiB  512.0 KiB/s  1 s left");
    CHECK(progress_text("k", 1U << 20, std::nullopt, std::chrono::milliseconds(500)) ==
          "k  1.0 MiB  2.0 MiB/s");
    CHECK(progress_text("k", 0, 0, std::chrono::milliseconds(0)).starts_with("k  100 %"));
    // What was there before counts, but not for the rate.
    CHECK(progress_text("k", 3U << 20, 4U << 20, std::chrono::milliseconds(1'000), 2U << 20) ==
          "k  75 %  3.0 MiB of 4.0 MiB  1.0 MiB/s  1 s left");
    std::ostringstream silent;
    { Progress(silent, false, "k", 1).add(1); }
    CHECK(silent.str().empty());
    std::ostringstream shown;
    { Progress(shown, true, "k", 1).add(1); }
    CHECK(shown.str().ends_with("\r\x1b[K"));
}

TEST_CASE("a partial file has no name of its own until it is finished") {
    const auto directory =
        std::filesystem::temp_directory_path() / ("shell-partial-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory);
    const auto names = [&] {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(directory))
            found.push_back(entry.path().filename());
        return found;
    };
    const std::string target = directory / "file";
    std::ofstream(target) << "old";
    {
        auto partial = PartialFile::create(target);
        REQUIRE(partial);
        CHECK((*partial)->write(as_bytes("new")));
        CHECK(names().size() == 2);
    }
    CHECK(names() == std::vector<std::string>{"file"});
    {
        auto partial = PartialFile::create(target);
        CHECK((*partial)->write(as_bytes("new")));
        CHECK((*partial)->finish());
    }
    CHECK(names() == std::vector<std::string>{"file"});
    std::string content;
    std::ifstream(target) >> content;
    CHECK(content == "new");
    CHECK(PartialFile::create(directory / "none" / "file").error().exit == Exit::failed);
    {
        auto onto_directory = PartialFile::create(directory.string() + "/sub");
        std::filesystem::create_directories(directory / "sub" / "x");
        CHECK_FALSE((*onto_directory)->finish());
    }
    CHECK(names().size() == 2);
    std::filesystem::remove_all(directory);
}
