// Which handler serves a method and a path.
//
// Filled before the server starts, then only read. A pattern is an exact path, or ends in '*', which stands
// for one or more characters, slashes included; an exact pattern wins over one with '*', a longer one over a
// shorter.
#pragma once

#include "runtime/http/route.hpp"
#include "runtime/metrics/metrics.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace dwcp::http {

/// The request metrics of one route and method.
class RouteProbe {
  public:
    RouteProbe(std::string route, std::string method);
    void finished(int status, double seconds);

  private:
    const std::string route_;
    const std::string method_;
    const metrics::Histogram duration_;
    std::mutex mutex_;
    std::map<int, metrics::Counter> by_status_;
};

struct Route {
    RouteSpec spec;
    std::variant<Handler, UploadHandler> handler;
    std::unique_ptr<RouteProbe> probe;
};

class Router {
  public:
    /// A GET route also serves HEAD.
    void add(RouteSpec spec, std::variant<Handler, UploadHandler> handler);
    /// In the order of add().
    const std::vector<RouteSpec>& specs() const { return specs_; }

    struct Match {
        const Route* route = nullptr;  ///< Null: nothing serves this.
        std::string rest;              ///< What '*' stands for.
        std::set<std::string> allowed; ///< Without a route: what the path does take; empty: unknown path.
    };
    Match match(const std::string& method, const std::string& path) const;

  private:
    std::vector<Route> routes_; ///< The most specific first.
    std::vector<RouteSpec> specs_;
};

} // namespace dwcp::http
