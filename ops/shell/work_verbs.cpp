#include "ops/shell/printers.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/verbs.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

#include <fstream>
#include <memory>

namespace dwcp::shell {
namespace {

using nlohmann::json;

/// The API refuses larger ones; this keeps a wrong file from being read whole.
constexpr std::size_t kPayloadBytesMax = 1U << 20;

struct Transaction {
    std::string payload;
    std::string file;
    std::string id;
};

Outcome<std::string> read_file(Terminal& terminal, const std::string& name) {
    std::ifstream file;
    if (name != "-") file.open(name, std::ios::binary);
    std::istream& in = name == "-" ? terminal.in : file;
    std::string text(kPayloadBytesMax, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.empty()) return give_up(Exit::failed, fmt::format("{} is empty or cannot be read", name));
    if (text.size() == kPayloadBytesMax)
        return give_up(Exit::usage, fmt::format("{} is too large for a transaction", name),
                       "put it as an object, and submit its key");
    return text;
}

Outcome<std::string> payload_of(Terminal& terminal, const Transaction& transaction) {
    if (transaction.file.empty() == transaction.payload.empty())
        return give_up(Exit::usage, "a transaction is a TEXT or a --file", "dwcp-shell help tx submit");
    return transaction.file.empty() ? transaction.payload : read_file(terminal, transaction.file);
}

Outcome<void> submit(Context& context, const Transaction& transaction) {
    const auto payload = payload_of(context.terminal, transaction);
    if (!payload) return std::unexpected(payload.error());
    Headers headers;
    if (!transaction.id.empty()) headers["X-DWCP-Transaction-Id"] = transaction.id;
    const auto answer = context.client.post_raw("/v1/transactions", *payload, headers);
    if (!answer) return std::unexpected(answer.error());
    show(context.terminal, context.settings.format, *answer, "", [&](std::ostream& out) {
        out << fmt::format("{} {} as {}, {} lane, index {}\n", printable(text_at(*answer, "id")),
                           flag_at(*answer, "duplicate") ? "was committed before" : "is committed",
                           human_bytes(payload->size()), printable(text_at(*answer, "lane")),
                           number_at(*answer, "index"));
    });
    return {};
}

void add_transactions(CLI::App& app, std::vector<Verb>& verbs) {
    const auto transaction = std::make_shared<Transaction>();
    CLI::App* submitted = add_parser(app, "tx submit", "Commit a transaction, exactly once by its id.");
    submitted->add_option("TEXT", transaction->payload, "What it says");
    submitted->add_option("--file", transaction->file, "Its content from a file; - reads the standard input")
        ->type_name("FILE");
    submitted->add_option("--id", transaction->id, "Its id, to repeat it safely; without, one is made")
        ->type_name("ID");
    verbs.push_back({"tx submit", submitted->get_description(), "tx submit 'pay 5 to Ann' --id pay-1",
                     submitted, [transaction](Context& context) { return submit(context, *transaction); },
                     true, "`id`, `lane`, `index`, `time_ms`, `duplicate`."});
    const auto id = std::make_shared<std::string>();
    CLI::App* status = add_parser(app, "tx status", "Show a committed transaction.");
    status->add_option("ID", *id, "Which")->required();
    verbs.push_back({"tx status", status->get_description(), "tx status pay-1", status,
                     [id](Context& context) {
                         return show_answer(context, "/v1/transactions/" + http::percent_encode_path(*id), "",
                                            [&](std::ostream& out, const json& answer) {
                                                print_answer(out, answer, "", {context.terminal.now_ms()});
                                            });
                     },
                     false, "The transaction as `GET /v1/transactions/ID` gives it."});
}

void add_workloads(CLI::App& app, std::vector<Verb>& verbs) {
    const auto id = std::make_shared<std::string>();
    CLI::App* workloads =
        add_parser(app, "workloads", "Show what is under way, done, failed and why, on this node.");
    workloads->add_option("ID", *id, "Only this one");
    verbs.push_back(
        {"workloads", workloads->get_description(), "workloads -o ndjson", workloads,
         [id](Context& context) {
             const std::string path =
                 id->empty() ? "/v1/workloads" : "/v1/workloads/" + http::percent_encode_path(*id);
             return show_answer(
                 context, path, id->empty() ? "workloads" : "", [&](std::ostream& out, const json& answer) {
                     print_answer(out, answer, "id key state size_bytes updated_ms manager reason",
                                  {context.terminal.now_ms()});
                 });
         },
         false, "`workloads`, or one of them, as `GET /v1/workloads` gives them."});
}

} // namespace

void add_work_verbs(CLI::App& app, std::vector<Verb>& verbs) {
    add_transactions(app, verbs);
    add_workloads(app, verbs);
}

} // namespace dwcp::shell
