// Alerts and runbooks say what is there: each alert has its runbook, and each runbook uses commands that
// exist.
#include "actors/gateway/operator_verbs.hpp"
#include "tests/ops/rule_files.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <sstream>

namespace dwcp::ops_files {
namespace {

namespace fs = std::filesystem;

const fs::path kOps = fs::path(DWCP_SOURCE_DIR) / "ops";
const std::string kUrlPrefix = "file:///usr/share/doc/dwcp/runbooks/";

std::vector<Alert> alerts() { return alerts_in(content_of(kOps / "prometheus/alerts.yml")); }

std::vector<fs::path> runbooks() {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(kOps / "runbooks")) {
        if (entry.path().filename() != "README.md") found.push_back(entry.path());
    }
    return found;
}

/// The others are procedures, such as restore.md, and have a form of their own.
bool is_of_an_alert(const fs::path& runbook) {
    return std::isupper(static_cast<unsigned char>(runbook.filename().string().front())) != 0;
}

/// The verbs of `dwcp-shell ... -c VERB` and `dwcp-shell ... -c 'VERB ARGUMENT ...'` in a text, words and
/// all.
std::vector<std::string> shell_commands(const std::string& text) {
    std::vector<std::string> commands;
    for (auto at = text.find("dwcp-shell"); at != std::string::npos; at = text.find("dwcp-shell", at + 1)) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto option = text.find(" -c ", at);
        if (option == std::string::npos || option > end) continue;
        const auto begin = option + 4;
        const bool quoted = text[begin] == '\'';
        const auto stop = quoted ? text.find('\'', begin + 1) : text.find_first_of(" \n`", begin);
        commands.push_back(quoted ? text.substr(begin + 1, stop - begin - 1)
                                  : text.substr(begin, stop - begin));
    }
    return commands;
}

bool is_verb(const std::string& command) {
    for (const char* object_verb : {"put", "get", "ls", "rm"}) {
        if (command == object_verb || command.starts_with(std::string(object_verb) + " ")) return true;
    }
    return std::ranges::any_of(gateway::operator_verbs(), [&](const gateway::OperatorVerb& verb) {
        std::string name = verb.name;
        std::ranges::replace(name, '.', ' ');
        return command == name || command.starts_with(name + " ");
    });
}

} // namespace

TEST_CASE("every alert says how bad it is, what is wrong, and which runbook tells what to do") {
    const auto all = alerts();
    REQUIRE(all.size() > 10); // the file was read
    for (const auto& alert : all) {
        INFO(alert.name);
        CHECK((alert.severity == "page" || alert.severity == "ticket" || alert.severity == "none"));
        CHECK_FALSE(alert.summary.empty());
        CHECK_FALSE(alert.description.empty());
        REQUIRE(alert.runbook_url.starts_with(kUrlPrefix));
        CHECK(fs::exists(kOps / "runbooks" / alert.runbook_url.substr(kUrlPrefix.size())));
    }
}

TEST_CASE("every runbook of an alert belongs to one and has its five parts") {
    const auto all = alerts();
    for (const auto& file : runbooks()) {
        if (!is_of_an_alert(file)) continue;
        INFO(file);
        const auto name = file.filename().string();
        CHECK(std::ranges::any_of(
            all, [&](const Alert& alert) { return alert.runbook_url == kUrlPrefix + name; }));
        const auto text = content_of(file);
        std::size_t at = 0;
        for (const char* part :
             {"# ", "\n## Meaning\n", "\n## Impact\n", "\n## Look\n", "\n## Do\n", "\n## Verify\n"}) {
            INFO(part);
            at = text.find(part, at);
            CHECK(at != std::string::npos);
        }
    }
}

TEST_CASE("every shell command of a runbook is a verb that there is") {
    std::size_t seen = 0;
    for (const auto& file : runbooks()) {
        for (const auto& command : shell_commands(content_of(file))) {
            INFO(file.filename() << ": " << command);
            CHECK(is_verb(command));
            ++seen;
        }
    }
    CHECK(seen > 50);
    CHECK_FALSE(is_verb("frobnicate"));
    CHECK(shell_commands("x `dwcp-shell --node A:1 -c 'mailbox top'` y\ndwcp-shell -c nodes\n") ==
          std::vector<std::string>{"mailbox top", "nodes"});
}

TEST_CASE("metrics are found in rules, and what only looks like one is not") {
    CHECK(metrics_named_in(
              "  - name: dwcp_group\n# dwcp_comment\n - record: dwcp:rate5m\n"
              "   expr: sum by (job) (rate(dwcp_a_total{x=\"y\"}[5m])) / process_b - dwcp:other:rate\n"
              "     unless dwcp_c_seconds_bucket == 0\n") ==
          std::set<std::string>{"dwcp_a_total", "process_b", "dwcp_c_seconds_bucket"});
    CHECK(metrics_exposed_in("# HELP dwcp_a x\n# TYPE dwcp_a counter\ndwcp_a{b=\"c d\"} 1\nprocess_e 2\n") ==
          std::set<std::string>{"dwcp_a", "process_e"});
}

} // namespace dwcp::ops_files
