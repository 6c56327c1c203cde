// store_crash_child DIR ROUND: writes to the store until it is killed, and reports on stdout, one line each,
// what the store has promised to keep: "value N", "bulk N", "logged N". A line is one write(2) below
// PIPE_BUF, so lines stay whole.
#include "tests/unit/store/crash_workload.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

namespace {

void report(const char* kind, std::uint64_t number) {
    const std::string line = std::string(kind) + " " + std::to_string(number) + "\n";
    if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(2);
}

void require(const Result<void>& result) {
    if (result) return;
    std::fprintf(stderr, "%s\n", result.error().render().c_str());
    std::_Exit(1);
}

void write_values(Store& store, std::uint64_t first) {
    for (std::uint64_t number = first;; ++number) {
        Batch batch;
        batch.put(Family::journal, value_key(number), as_bytes(value_text(number)));
        require(store.write(batch, Sync::yes));
        report("value", number);
    }
}

void write_bulk(Store& store, std::uint64_t first) {
    for (std::uint64_t number = first;; number += 3) {
        for (std::uint64_t i = number; i < number + 3; ++i)
            require(store.put_block(make_block(i, mixed_size(i)), BlockWrite::bulk));
        require(store.make_blocks_durable());
        for (std::uint64_t i = number; i < number + 3; ++i)
            report("bulk", i);
    }
}

void write_logged(Store& store, std::uint64_t first) {
    for (std::uint64_t number = first;; ++number) {
        require(store.put_block(make_block(number, mixed_size(number)), BlockWrite::logged));
        Batch batch;
        batch.put(Family::manifests, "newest", as_bytes(value_text(number)));
        require(store.write(batch, Sync::yes));
        report("logged", number);
    }
}

void write_batches(Store& store, std::uint64_t first) {
    for (std::uint64_t number = first;; ++number) {
        Batch batch;
        for (const char* key : kBatchKeys)
            batch.put(Family::state, key, as_bytes(value_text(number)));
        require(store.write(batch, Sync::no));
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    auto store = Store::open({.directory = argv[1], .memory_budget_bytes = kTestBudgetBytes});
    if (!store) require(std::unexpected(store.error()));
    const std::uint64_t round = std::strtoull(argv[2], nullptr, 10);
    std::vector<std::thread> threads;
    threads.emplace_back([&] { write_values(**store, first_number(round, 0)); });
    threads.emplace_back([&] { write_bulk(**store, first_number(round, 1)); });
    threads.emplace_back([&] { write_logged(**store, first_number(round, 2)); });
    threads.emplace_back([&] { write_batches(**store, first_number(round, 3)); });
    for (std::thread& thread : threads)
        thread.join();
}
