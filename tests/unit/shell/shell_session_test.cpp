// What the interactive shell is made of, without a terminal and a node.
#include "ops/shell/completion.hpp"
#include "ops/shell/event_stream.hpp"
#include "ops/shell/history.hpp"
#include "ops/shell/prompt.hpp"
#include "ops/shell/server_names.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

using namespace dwcp::shell;

namespace {

using Words = std::vector<std::string>;

struct FixedNames : NameSource {
    Names names(const std::string& kind, const std::string& prefix) override {
        if (kind == "NODE") return {{"site-a", "site-b"}};
        if (kind == "[NODE:]PATH") return {{"manager/0", "compression/0", "site-b:"}};
        if (kind == "CONFIG-KEY") return {{"data.streams_max", "data.streams_min"}};
        if (kind == "KEY") return folded({"a b/1", "a b/2", "größe", "größte"}, prefix, complete);
        return {};
    }
    bool complete = true;
};

struct Completer {
    Parser parser;
    FixedNames names;

    std::string insert(std::string_view line) { return complete(line, parser, names).insert; }
    Words candidates(std::string_view line) { return complete(line, parser, names).candidates; }
};

struct Folder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("shell-session-" + std::to_string(getpid()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
};

mode_t mode_of(const std::string& file) {
    struct stat status {};
    REQUIRE(stat(file.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

} // namespace

TEST_CASE("TAB completes verbs, their second words, flags and choices") {
    Completer tab;
    CHECK(tab.insert("sta") == "tus ");
    CHECK(tab.insert("act") == "or ");
    CHECK(tab.insert("actor qu") == "arantine ");
    CHECK(tab.candidates("audit ") == Words{"list", "verify"});
    CHECK(tab.insert("put a b --rep") == "licas ");
    CHECK(tab.insert("status -o nd") == "json ");
    CHECK(tab.candidates("log level ") == Words{"debug", "error", "info", "off", "trace", "warn"});
    CHECK(tab.insert("mailbox top --by b") == "usy ");
    CHECK(tab.insert("nope") == "");
    CHECK(tab.insert("qui") == "t ");
    CHECK(tab.insert("help actor qu") == "arantine ");
    CHECK(tab.insert("watch -n 5 mailb") == "ox ");
    CHECK(tab.candidates("").size() > 10);
}

TEST_CASE("TAB completes names where the grammar wants them") {
    Completer tab;
    CHECK(tab.insert("status si") == "te-");
    CHECK(tab.candidates("status site-") == Words{"site-a", "site-b"});
    CHECK(tab.insert("actor kill man") == "ager/0 ");
    CHECK(tab.insert("actor kill --reason x man") == "ager/0 ");
    CHECK(tab.insert("actor kill site-b") == ":");
    CHECK(tab.insert("watch tree site-a") == " ");
    CHECK(tab.insert("config explain data.streams_m") == "");
    CHECK(tab.insert("config explain data.streams_ma") == "x ");
    CHECK(tab.insert("audit list --on site-b") == " ");
    CHECK(tab.insert("status site-a x") == "");
}

TEST_CASE("TAB quotes what needs it and cuts no character in half") {
    Completer tab;
    CHECK(tab.insert("get a") == "\\ b/");
    CHECK(tab.insert("get 'a b") == "/");
    CHECK(tab.insert("get 'a b/1") == "' ");
    CHECK(tab.insert("get a\\ b/2") == " ");
    CHECK(tab.insert("get gr") == "öß");
    tab.names.complete = false;
    CHECK(tab.insert("get gr") == ""); // there are more: nothing is certain
    CHECK(tab.candidates("get gr").size() == 2);
}

TEST_CASE("files are completed with folders, hidden ones only on demand") {
    const Folder folder;
    std::filesystem::create_directories(folder.path / "sub");
    std::ofstream(folder.path / "file.txt") << "x";
    std::ofstream(folder.path / ".hidden") << "x";
    const std::string start = folder.path.string() + "/";
    auto found = files(start).all;
    std::ranges::sort(found);
    CHECK(found == Words{start + "file.txt", start + "sub/"});
    CHECK(files(start + ".h").all == Words{start + ".hidden"});
    CHECK(files(start + "none/").all.empty());
}

TEST_CASE("the history is private, bounded, and holds no secrets") {
    const Folder folder;
    const std::string file = folder.path / "state" / "history";
    History history(file);
    CHECK(history.load().empty());
    CHECK(history.remember("status site-b"));
    CHECK(mode_of(file) == 0600);
    CHECK(mode_of(folder.path / "state") == 0700);
    for (const char* line :
         {"", " status", "tx submit 'password=1'", "put x TOKEN", "get k --x=Bearer", "two\nlines"})
        CHECK_FALSE(history.remember(line));
    CHECK(history.remember("--token-file /x/operator.t status") == true);
    CHECK(history.load() == Words{"status site-b", "--token-file /x/operator.t status"});
    chmod(file.c_str(), 0644);
    history.load();
    CHECK(mode_of(file) == 0600);
    for (std::size_t i = 0; i < 2 * History::kLinesMax; ++i)
        CHECK(history.remember("get " + std::to_string(i)));
    CHECK(history.load().size() == History::kLinesMax);
    CHECK(history.load().back() == "get 1999");
    std::ifstream in(file);
    CHECK(std::count(std::istreambuf_iterator<char>(in), {}, '\n') == History::kLinesMax);
    CHECK(mode_of(file) == 0600);
    CHECK_FALSE(History("").remember("status"));
}

TEST_CASE("the history's file is where users expect it") {
    const auto environment = [](std::map<std::string, std::string> values) -> Environment {
        return [values](const std::string& name) {
            const auto found = values.find(name);
            return found == values.end() ? std::nullopt : std::optional(found->second);
        };
    };
    CHECK(history_file(environment({{"HOME", "/h"}})) == "/h/.local/state/dwcp/history");
    CHECK(history_file(environment({{"HOME", "/h"}, {"XDG_STATE_HOME", "/s"}})) == "/s/dwcp/history");
    CHECK(history_file(environment({{"HOME", "/h"}, {"DWCP_HISTORY", "/x"}})) == "/x");
    CHECK(history_file(environment({{"HOME", "/h"}, {"DWCP_HISTORY", ""}})).empty());
    CHECK(history_file(environment({})).empty());
}

TEST_CASE("events are cut out of a stream whatever its pieces are") {
    const std::string text = ": hello\n\nid: 7\nevent: actor_restarted\ndata: {\"a\":\r\ndata:1}\n\n"
                             "data: x\n\nid: 9\n\ndata: y\n\ndata: unfinished\n";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        EventStream stream;
        std::vector<StreamedEvent> events;
        for (std::size_t at = 0; at < text.size(); at += piece)
            CHECK(stream.take(text.substr(at, piece), [&](const auto& event) { events.push_back(event); }));
        REQUIRE(events.size() == 3);
        CHECK(events[0].id == "7");
        CHECK(events[0].name == "actor_restarted");
        CHECK(events[0].data == "{\"a\":\n1}");
        CHECK(events[1].id == "7");
        CHECK(events[1].name.empty());
        CHECK(events[2].id == "9");
    }
    EventStream endless;
    CHECK_FALSE(endless.take(std::string(EventStream::kLineBytesMax + 1, 'x'), [](const auto&) {}));
}

TEST_CASE("the prompt says where, as whom and how it is, in colours only if wanted") {
    const NodeState state{"demo", "site-a", "admin", "healthy"};
    CHECK(prompt_text(state, false) == "demo site-a admin healthy> ");
    CHECK(prompt_text({"", "127.0.0.1:1", "", "unreachable"}, false) == "127.0.0.1:1 unreachable> ");
    CHECK(prompt_text(state, true).find("\1\x1b[32m\1healthy\1\x1b[0m\1> ") != std::string::npos);
    CHECK(prompt_text({"c", "a\x1b[2J", "", "x"}, false) == "c a\\x1b[2J x> ");
}
