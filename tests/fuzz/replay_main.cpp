// Runs a fuzz target without libFuzzer: every file of the corpus, then seeded mutations of them. A finding is
// a crash or a sanitizer report; the printed seed repeats it.
#include "protocols/base/bytes.hpp"
#include "protocols/base/random.hpp"
#include "tests/unit/wire/seed.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using dwcp::Byte;
using dwcp::Bytes;
using dwcp::Random;

constexpr int kMutations = 4000;
/// Larger inputs only repeat the same paths more slowly.
constexpr std::size_t kInputBytesMax = 64U << 10;

std::vector<Bytes> read_corpus(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<Bytes> corpus;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return corpus;
}

void mutate_once(Bytes& input, const std::vector<Bytes>& corpus, Random& random) {
    const std::size_t at = input.empty() ? 0 : random.below(input.size());
    const auto begin = input.begin();
    switch (random.below(7)) {
    case 0: // flip a bit
        if (!input.empty()) input[at] ^= static_cast<Byte>(1U << random.below(8));
        break;
    case 1: // an extreme byte
        if (!input.empty()) input[at] = random.below(2) == 0 ? 0x00 : 0xff;
        break;
    case 2: // cut the end
        input.resize(at);
        break;
    case 3: // drop a piece
        if (!input.empty()) {
            const std::size_t end = std::min(input.size(), at + 1 + random.below(16));
            input.erase(begin + static_cast<std::ptrdiff_t>(at), begin + static_cast<std::ptrdiff_t>(end));
        }
        break;
    case 4: // insert random bytes
        for (std::uint64_t left = 1 + random.below(16); left > 0; --left) {
            input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), static_cast<Byte>(random.next()));
        }
        break;
    case 5: // append another input
    {
        const Bytes& other = corpus[random.below(corpus.size())];
        input.insert(input.end(), other.begin(), other.end());
    } break;
    default: // overwrite four bytes with a small, large or random number
        for (std::size_t i = at; i < std::min(at + 4, input.size()); ++i)
            input[i] = static_cast<Byte>(random.next());
        break;
    }
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
}

void run(const Bytes& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); }

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " CORPUS_DIRECTORY\n";
        return 2;
    }
    const std::vector<Bytes> corpus = read_corpus(argv[1]);
    if (corpus.empty()) {
        std::cerr << argv[1] << " has no files: add at least one valid input\n";
        return 1;
    }
    for (const Bytes& input : corpus)
        run(input);
    Random random(dwcp::test::seed());
    for (int round = 0; round < kMutations; ++round) {
        Bytes input = corpus[random.below(corpus.size())];
        for (std::uint64_t left = 1 + random.below(6); left > 0; --left)
            mutate_once(input, corpus, random);
        run(input);
    }
    std::cout << corpus.size() << " corpus inputs and " << kMutations << " mutations handled\n";
    return 0;
}
