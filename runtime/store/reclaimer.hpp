// Gives the disk space of erased blocks back, in the background.
//
// RocksDB drops an erased block's entries when a compaction meets them, and a blob file when all in it is
// garbage. Since blocks are spread by hash, and files hold what came in together, erasing an object mostly
// frees whole files. What is left is files that are part garbage; they are copied once their share is worth
// it. Owned by the store; one thread, which ends in the destructor. Thread-safe.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/store/rocks_database.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace dwcp::store {

class Reclaimer {
  public:
    /// Reads every block, so that damage is recorded with its key, until told to stop.
    using FindDamage = std::function<void(const std::atomic<bool>& stop)>;

    /// `database` must outlive this. `find_damage` is called when damage stops a pass, which does not say in
    /// which block.
    Reclaimer(Database& database, std::string directory, FindDamage find_damage);
    ~Reclaimer();

    /// Notes that blocks of so many bytes were erased; enough of them wake the thread.
    void add_erased(std::uint64_t bytes);
    /// One pass on the calling thread. Not while the thread is at it: passes exclude each other.
    Result<void> run_now();

  private:
    void loop();
    rocksdb::Status pass();
    /// Drops what was erased; with a share also copies live blobs out of that part of the files, oldest
    /// first.
    rocksdb::Status compact(std::optional<double> copied_share);

    Database& database_;
    const std::string directory_;
    const FindDamage find_damage_;
    std::mutex pass_mutex_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::uint64_t erased_bytes_ = 0;
    bool stopping_ = false;
    std::atomic<bool> cancel_ = false;
    std::thread thread_;
};

} // namespace dwcp::store
