#include "bench/transport_certificates.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

namespace dwcp::bench {
namespace {

void openssl_req(const std::string& arguments) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 " + arguments +
        " >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0)
        throw std::runtime_error("openssl could not make a certificate: " + command);
}

} // namespace

void make_certificates(const std::string& directory, const std::vector<std::string>& names) {
    openssl_req(fmt::format("-keyout '{0}/ca.key' -out '{0}/ca.pem' -subj /CN=bench", directory));
    for (const auto& name : names) {
        openssl_req(
            fmt::format("-CA '{0}/ca.pem' -CAkey '{0}/ca.key' -keyout '{0}/{1}.key' -out '{0}/{1}.pem' "
                        "-subj /CN={1} -addext basicConstraints=critical,CA:FALSE "
                        "-addext subjectAltName=URI:dwcp://bench/node/{1} "
                        "-addext extendedKeyUsage=serverAuth,clientAuth",
                        directory, name));
    }
}

tls::Files certificate_files(const std::string& directory, const std::string& name) {
    return {directory + "/" + name + ".pem", directory + "/" + name + ".key", directory + "/ca.pem"};
}

} // namespace dwcp::bench
