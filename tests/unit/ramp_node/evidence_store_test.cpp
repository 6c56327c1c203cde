#include "actors/ramp/evidence_store.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <catch2/catch.hpp>

namespace dwcp::ramp {
namespace {

using store::test::open_store;
using store::test::require_ok;
using store::test::TempDir;

class Rig {
  public:
    void keep(std::uint64_t seq, const std::string& phase = "manager-10/0/stage_passed") {
        KeepEvidence evidence;
        evidence.seq = seq;
        evidence.phase = phase;
        require_ok(bundles_->keep(evidence, {}));
    }
    std::vector<std::uint64_t> list() {
        const auto numbers = bundles_->list();
        require_ok(numbers);
        return *numbers;
    }
    std::string text_of(std::uint64_t seq) {
        const auto text = bundles_->find(seq);
        require_ok(text);
        return text->value_or("");
    }
    void restart() {
        bundles_.reset();
        store_.reset();
        open();
    }
    Rig() { open(); }

  private:
    void open() {
        store_ = open_store(directory_.store());
        bundles_ = std::make_unique<EvidenceStore>(
            EvidenceStore::Sources{*store_, events_, [] { return nlohmann::json(); }, "site-a"});
    }

    TempDir directory_;
    EventRing events_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<EvidenceStore> bundles_;
};

} // namespace

TEST_CASE("the latest evidence is kept and the oldest goes, also in the next life") {
    Rig rig;
    for (std::uint64_t seq = 1; seq <= kEvidenceKept + 2; ++seq)
        rig.keep(seq);
    CHECK(rig.list().size() == kEvidenceKept);
    CHECK(rig.list().front() == 3);
    CHECK(rig.text_of(2).empty());
    rig.restart();
    CHECK(rig.list().front() == 3);
    rig.keep(kEvidenceKept + 3);
    CHECK(rig.list().size() == kEvidenceKept);
    CHECK(rig.list().front() == 4);
}

TEST_CASE("evidence that is kept again for the same record replaces its own and no other") {
    Rig rig;
    for (std::uint64_t seq = 1; seq <= kEvidenceKept; ++seq)
        rig.keep(seq);
    for (int again = 0; again < 5; ++again)
        rig.keep(kEvidenceKept, "again");
    CHECK(rig.list().size() == kEvidenceKept);
    CHECK(rig.list().front() == 1);
    CHECK(rig.text_of(kEvidenceKept).find("again") != std::string::npos);
}

} // namespace dwcp::ramp
