#include "actors/gateway/proof_json.hpp"
#include "ops/shell/table.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/verbs.hpp"
#include "protocols/crypto/hash.hpp"
#include "protocols/crypto/memo.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <memory>

namespace dwcp::shell {
namespace {

using consensus::Proof;
using consensus::Verdict;
using nlohmann::json;

struct VerifyOptions {
    std::string file, genesis;
};

/// Beyond it a calendar's year has five digits, and no clock gets there.
constexpr std::uint64_t kTimeMsMax = 253'402'300'799'999;

Outcome<std::string> read_proof(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const auto bytes = file ? static_cast<std::int64_t>(file.tellg()) : -1;
    if (bytes < 0) return give_up(Exit::usage, fmt::format("cannot read {}", path), "does the file exist?");
    if (static_cast<std::uint64_t>(bytes) > gateway::kProofJsonBytesMax)
        return give_up(Exit::usage,
                       fmt::format("{} has more than {} bytes", path, gateway::kProofJsonBytesMax),
                       "give what `consensus proof` answered");
    std::string text(static_cast<std::size_t>(bytes), '\0');
    file.seekg(0);
    if (!file.read(text.data(), bytes)) return give_up(Exit::usage, fmt::format("cannot read {}", path));
    return text;
}

Outcome<std::optional<Hash256>> trusted_genesis(const std::string& text) {
    if (text.empty()) return std::nullopt;
    Hash256 genesis;
    if (!from_hex(text, genesis.bytes))
        return give_up(Exit::usage, fmt::format("--genesis: '{}' is not a digest", text),
                       "give 64 hexadecimal digits; `consensus status` on a node that you trust says them");
    return genesis;
}

std::string time_text(std::uint64_t time_ms) {
    if (time_ms > kTimeMsMax) return fmt::format("{} ms after 1970", time_ms);
    return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03} UTC",
                       fmt::gmtime(static_cast<std::time_t>(time_ms / 1000)), time_ms % 1000);
}

std::vector<std::string> not_proven(const Proof& proof, const Verdict& verdict) {
    std::vector<std::string> lines;
    if (!verdict.genesis_known)
        lines.push_back(
            fmt::format("that the lane began with this committee: it is taken from the file. Give "
                        "--genesis with its digest from a source that you trust; the file's is {}",
                        verdict.domain.genesis.hex()));
    if (verdict.committee.f() == 0)
        lines.emplace_back("anything against a single dishonest signer: the committee survives none");
    lines.push_back(fmt::format(
        "the exact time: it is the clock of {}, which others found at most a minute fast", verdict.proposer));
    lines.push_back(
        fmt::format("that {} really sent it in: that is the committee's word", proof.transaction.submitter));
    return lines;
}

json answer_of(const Proof& proof, const Verdict& verdict) {
    const auto& command = proof.transaction.command;
    return {{"proven", true},
            {"cluster", verdict.domain.cluster},
            {"lane", verdict.domain.lane},
            {"genesis", verdict.domain.genesis.hex()},
            {"genesis_known", verdict.genesis_known},
            {"id", command.id},
            {"payload_bytes", command.payload.size()},
            {"payload_sha256", crypto::sha256(command.payload).hex()},
            {"height", verdict.height},
            {"index", verdict.index},
            {"time_ms", verdict.time_ms},
            {"proposer", verdict.proposer},
            {"epoch", verdict.committee.epoch},
            {"engine", to_string(verdict.committee.engine)},
            {"n", verdict.committee.n()},
            {"f", verdict.committee.f()},
            {"votes_needed", verdict.votes_needed},
            {"signers", verdict.signers},
            {"not_proven", not_proven(proof, verdict)}};
}

void print(std::ostream& out, const Proof& proof, const Verdict& verdict) {
    const auto& command = proof.transaction.command;
    out << printable(fmt::format(
               "PROVEN: transaction '{}' is number {} of block {} of lane {} in cluster {}.", command.id,
               verdict.index, verdict.height, verdict.domain.lane, verdict.domain.cluster))
        << '\n';
    Table facts({"", "", ""});
    const auto fact = [&](const char* name, const std::string& what) {
        facts.add({"", name, printable(what)});
    };
    fact("ordered at", fmt::format("{}, block of {}", time_text(verdict.time_ms), verdict.proposer));
    fact("payload", fmt::format("{}, SHA-256 {}", human_bytes(command.payload.size()),
                                crypto::sha256(command.payload).hex()));
    fact("decided by", fmt::format("the {} committee of epoch {}: {}", to_string(verdict.committee.engine),
                                   verdict.committee.epoch, verdict.committee.describe()));
    fact("signed by",
         fmt::format("{} ({} are needed)", fmt::join(verdict.signers, ", "), verdict.votes_needed));
    fact("first committee",
         fmt::format("{}, {}", verdict.domain.genesis.hex(),
                     verdict.genesis_known ? "the one that you trust" : "as the file says"));
    facts.print(out);
    out << "NOT PROVEN:\n";
    for (const auto& line : not_proven(proof, verdict))
        out << "  - " << printable(line) << '\n';
}

Outcome<void> run_verify(Context& context, const VerifyOptions& options) {
    const auto genesis = trusted_genesis(options.genesis);
    if (!genesis) return std::unexpected(genesis.error());
    const auto text = read_proof(options.file);
    if (!text) return std::unexpected(text.error());
    const auto proof = gateway::parse_proof(*text, options.file);
    if (!proof) return give_up(Exit::usage, proof.error().message, proof.error().remedy);
    crypto::initialise();
    crypto::SignatureMemo memo;
    const auto checker = consensus::make_checker(memo);
    const auto verdict = consensus::verify(*proof, *checker, *genesis ? &**genesis : nullptr);
    if (!verdict)
        return give_up(Exit::failed, "NOT PROVEN: " + verdict.error().message, verdict.error().remedy);
    show(context.terminal, context.settings.format, answer_of(*proof, *verdict), "",
         [&](std::ostream& out) { print(out, *proof, *verdict); });
    return {};
}

void add(CLI::App& app, std::vector<Verb>& verbs, const std::string& name) {
    const auto options = std::make_shared<VerifyOptions>();
    CLI::App* parser =
        add_parser(app, name,
                   "Check a proof that a transaction was decided, offline: it asks no node and "
                   "trusts none. Exit code 1: it does not hold, 2: it is no proof.");
    parser->add_option("FILE", options->file, "What `consensus proof` answered")->required();
    parser
        ->add_option("--genesis", options->genesis,
                     "Digest of the lane's first committee, from a source that you trust")
        ->type_name("HEX");
    verbs.push_back({name, parser->get_description(), name + " proof.json", parser,
                     [options](Context& context) { return run_verify(context, *options); }, false,
                     "What was proven, and `not_proven`, from the shell."});
}

} // namespace

void add_verify_verb(CLI::App& app, std::vector<Verb>& verbs) {
    add(app, verbs, "verify");
    add(app, verbs, "consensus verify");
}

} // namespace dwcp::shell
