// Certificates for the benchmark's two nodes, made by the openssl command line and good for a day.
#pragma once

#include "runtime/tls/context.hpp"

#include <string>
#include <vector>

namespace dwcp::bench {

/// Makes DIRECTORY/ca.pem and for each name DIRECTORY/NAME.pem and NAME.key, of the cluster "bench". Throws
/// std::runtime_error if openssl cannot.
void make_certificates(const std::string& directory, const std::vector<std::string>& names);

/// The files of one of them.
tls::Files certificate_files(const std::string& directory, const std::string& name);

} // namespace dwcp::bench
