// Proofs as JSON, and `dwcp-shell verify`, which has no node.
#include "actors/gateway/proof_json.hpp"
#include "ops/shell/shell.hpp"
#include "tests/unit/consensus/proof_rig.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

using namespace dwcp;
using consensus::EngineKind;
using dwcp::test::ProofRig;
using nlohmann::json;

namespace {

struct Offline {
    std::filesystem::path directory =
        std::filesystem::temp_directory_path() / ("verify-verb-" + std::to_string(getpid()));
    std::string out, err;

    Offline() { std::filesystem::create_directories(directory); }
    ~Offline() { std::filesystem::remove_all(directory); }

    std::string file(const std::string& content) {
        std::ofstream(directory / "proof.json", std::ios::binary) << content;
        return directory / "proof.json";
    }
    int run(const std::vector<std::string>& arguments) {
        std::istringstream in;
        std::ostringstream out_stream, err_stream;
        shell::Terminal terminal{in,
                                 out_stream,
                                 err_stream,
                                 false,
                                 false,
                                 [](const std::string&) { return std::nullopt; },
                                 [] { return 0; }};
        const int code = shell::run_shell(arguments, terminal);
        out = out_stream.str();
        err = err_stream.str();
        return code;
    }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Across two changes of membership, from PBFT to ProBFT and back.
consensus::Proof far_proof(ProofRig& rig) {
    rig.decide("a", 1);
    rig.reconfigure(EngineKind::probft, 4);
    rig.decide("b", 2);
    rig.reconfigure(EngineKind::pbft, 4);
    return rig.prove(rig.decide("pay-", 3), 1);
}

bool accepted(ProofRig& rig, const json& value) {
    const auto proof = gateway::parse_proof(value.dump(), "it");
    return proof && consensus::verify(*proof, rig.checker(), nullptr).has_value();
}

json changed(const json& value) {
    if (value.is_number()) return value.get<std::uint64_t>() + 1;
    std::string text = value.get<std::string>();
    if (text.empty()) return "x";
    char& last = text.back();
    last = last == '0' ? '1' : '0';
    return text;
}

} // namespace

TEST_CASE("a proof comes back from its JSON as it was") {
    for (const auto engine : {EngineKind::pbft, EngineKind::probft}) {
        ProofRig rig(engine, 4);
        const json value = gateway::to_json(far_proof(rig));
        const auto proof = gateway::parse_proof(value.dump(2), "it");
        if (!proof) FAIL(proof.error().render());
        CHECK(gateway::to_json(*proof) == value);
        CHECK(accepted(rig, value));
    }
}

TEST_CASE("a proof with any of its values changed or missing is refused") {
    ProofRig rig(EngineKind::pbft, 3);
    const json good = gateway::to_json(far_proof(rig));
    REQUIRE(accepted(rig, good));
    const json flat = good.flatten();
    CHECK(flat.size() > 80);
    for (const auto& [path, value] : flat.items()) {
        if (value.is_null() || value.is_array()) continue; // an empty list
        if (path.ends_with("/recipient")) continue;        // with four members another one proves the same
        const json::json_pointer at(path);
        json bad = good;
        bad[at] = changed(value);
        CAPTURE(path);
        CHECK(!accepted(rig, bad));
        bad = good;
        bad[at] = nullptr;
        CHECK(!accepted(rig, bad));
        bad = good;
        if (json& parent = bad[at.parent_pointer()]; parent.is_object()) {
            parent.erase(at.back());
            CHECK(!accepted(rig, bad));
            parent["surplus"] = 1;
            CHECK(!accepted(rig, bad));
        }
    }
}

TEST_CASE("a proof that was cut short is no proof, wherever it was cut") {
    ProofRig rig(EngineKind::pbft, 4);
    const std::string good = gateway::to_json(rig.prove(rig.decide("x", 2), 0)).dump();
    for (std::size_t length = 0; length < good.size(); length += 11) {
        const auto cut = gateway::parse_proof(std::string_view(good).substr(0, length), "it");
        REQUIRE(!cut);
        CHECK(cut.error().code == Errc::invalid_argument);
        CHECK(!cut.error().remedy.empty());
    }
    for (const auto* text : {"[]", "null", "7", "{}", "\"x\"", R"({"format": "dwcp-proof-2"})"})
        CHECK(!gateway::parse_proof(text, "it"));
    CHECK(!gateway::parse_proof(std::string(100'000, '['), "it"));
}

TEST_CASE("verify says offline what was proven and what was not") {
    Offline shell;
    ProofRig rig(EngineKind::pbft, 3);
    const auto proof = far_proof(rig);
    const std::string path = shell.file(gateway::to_json(proof).dump());

    CHECK(shell.run({"verify", path}) == 0);
    CHECK(
        has(shell.out, "PROVEN: transaction 'pay-1' is number 1 of block 5 of lane control in cluster lab."));
    CHECK(has(shell.out, "2026-09-21"));
    CHECK(has(shell.out, "n = 4, survives f = 1 Byzantine, quorum 3"));
    CHECK(has(shell.out, "site-a/0, site-a/1, site-a/2"));
    CHECK(has(shell.out, "taken from the file"));

    CHECK(shell.run({"consensus", "verify", path, "--genesis", rig.domain().genesis.hex()}) == 0);
    CHECK(has(shell.out, "the one that you trust"));
    CHECK(!has(shell.out, "taken from the file"));

    CHECK(shell.run({"verify", path, "-o", "json"}) == 0);
    const json answer = json::parse(shell.out);
    CHECK(answer["proven"] == true);
    CHECK(answer["genesis_known"] == false);
    CHECK(answer["height"] == 5);
    CHECK(answer["n"] == 4);
    CHECK(answer["signers"].size() == 3);
}

TEST_CASE("verify ends with 1 for what does not hold and with 2 for what is no proof") {
    Offline shell;
    ProofRig rig(EngineKind::pbft, 1);
    json value = gateway::to_json(rig.prove(rig.decide("x", 3), 0));
    CHECK(shell.run({"verify", shell.file(value.dump())}) == 0);
    CHECK(has(shell.out, "a single dishonest signer"));

    CHECK(shell.run({"verify", shell.file(value.dump()), "--genesis", std::string(64, '7')}) == 1);
    CHECK(has(shell.err, "NOT PROVEN"));
    CHECK(shell.run({"verify", shell.file(value.dump()), "--genesis", "7"}) == 2);
    value["lane"] = "metadata";
    CHECK(shell.run({"verify", shell.file(value.dump())}) == 1);
    CHECK(shell.out.empty());
    CHECK(has(shell.err, "try: do not rely on it"));
    CHECK(shell.run({"verify", shell.file(value.dump().substr(0, 900))}) == 2);
    CHECK(shell.run({"verify", shell.directory / "missing"}) == 2);
    CHECK(shell.run({"verify"}) == 2);
}
