// What Prometheus users expect of every process, under the names that its client libraries share:
// process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes, process_open_fds,
// process_max_fds, process_threads, process_start_time_seconds.
//
// Life cycle: one a process, made by the node, as long as these shall be exposed.
#pragma once

#include "runtime/metrics/metrics.hpp"

namespace dwcp::metrics {

class ProcessMetrics {
  public:
    ProcessMetrics();

  private:
    void sample();

    Counter cpu_ = counter("process_cpu_seconds_total", "Processor time of this process, user and system.");
    Gauge resident_ = gauge("process_resident_memory_bytes", "Memory of this process that is in RAM.");
    Gauge virtual_ = gauge("process_virtual_memory_bytes", "Address space of this process.");
    Gauge open_fds_ = gauge("process_open_fds", "Open file descriptors.");
    Gauge max_fds_ = gauge("process_max_fds", "File descriptors that this process may open.");
    Gauge threads_ = gauge("process_threads", "Threads of this process.");
    Gauge start_time_ = gauge("process_start_time_seconds", "When this process began, since the Unix epoch.");
    ExposeHook hook_; ///< Last: it must go before what it samples into.
};

} // namespace dwcp::metrics
