// backup.now, backup.list, backup.show, backup.verify: BackupService as operator verbs.
#pragma once

#include "runtime/node/admin.hpp"
#include "runtime/node/backups.hpp"

namespace dwcp::node {

/// Both must outlive what HTTP and the control links still run.
void add_backup_verbs(Admin& admin, BackupService& backups);

} // namespace dwcp::node
