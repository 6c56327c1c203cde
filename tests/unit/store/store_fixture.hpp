// What the store's tests share: a directory that goes away, an open store, files to damage.
#pragma once

#include "tests/unit/store/sample_blocks.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace dwcp::store::test {

class TempDir {
  public:
    TempDir() {
        std::string pattern = (std::filesystem::temp_directory_path() / "dwcp-store-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    std::string store() const { return *this / "store"; }

  private:
    std::filesystem::path path_;
};

inline std::unique_ptr<Store> open_store(const std::string& directory) {
    auto store = Store::open({.directory = directory, .memory_budget_bytes = kTestBudgetBytes});
    if (!store) FAIL(store.error().render());
    return std::move(*store);
}

template<class T>
void require_ok(const Result<T>& result) {
    if (!result) FAIL(result.error().render());
    SUCCEED();
}

inline void require_same(const Result<EncodedBlock>& got, const EncodedBlock& expected) {
    require_ok(got);
    CHECK(got->hash == expected.hash);
    CHECK(got->codec == expected.codec);
    CHECK(got->raw_bytes == expected.raw_bytes);
    REQUIRE(*got->bytes == *expected.bytes);
}

/// Total size of the files in a directory whose names end with `suffix`.
inline std::uint64_t size_of_files(const std::string& directory, std::string_view suffix) {
    std::uint64_t total = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        if (entry.path().string().ends_with(suffix)) total += entry.file_size();
    return total;
}

/// Flips one bit where `pattern` lies in a file of the directory; false if no file holds it.
inline bool flip_bit_on_disk(const std::string& directory, std::string_view suffix, ByteView pattern) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (!entry.path().string().ends_with(suffix)) continue;
        std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
        std::string content((std::istreambuf_iterator<char>(file)), {});
        const auto at = content.find(as_text(pattern));
        if (at == std::string::npos) continue;
        file.clear();
        file.seekp(static_cast<std::streamoff>(at));
        file.put(static_cast<char>(content[at] ^ 1));
        return file.good();
    }
    return false;
}

} // namespace dwcp::store::test
