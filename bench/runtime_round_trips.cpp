#include "bench/runtime_bench.hpp"
#include "bench/transport_certificates.hpp"
#include "bench/transport_process.hpp"
#include "runtime/base/events.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/caf/system.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/tls/context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <stdexcept>
#include <thread>

namespace dwcp::bench {
namespace {

using namespace std::chrono_literals;
using actor::ControlFrame;
using links::PeerRequest;
using links::PeerResponse;

constexpr std::size_t kBodyBytes = 64;
constexpr auto kDeadline = 10s;

struct Rounds {
    int rounds = 0;
    int each = 0;
};

double now_us() {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

double percentile(std::vector<double>& values, double fraction) {
    std::sort(values.begin(), values.end());
    return values[std::min(values.size() - 1,
                           static_cast<std::size_t>(fraction * static_cast<double>(values.size())))];
}

/// Makes `count` round trips, one after the other, and appends the microseconds of each.
using Series = std::function<void(int count, std::vector<double>& us)>;

/// Ours and bare CAF take turns, so that a drift of the machine meets both.
void compare(const std::string& name, const RuntimeReport& report, Rounds rounds, const Series& ours,
             const Series& bare) {
    fmt::print(stderr, "{}\n", name);
    std::vector<double> warm_up;
    ours(rounds.each / 4, warm_up);
    bare(rounds.each / 4, warm_up);
    std::vector<double> ours_us;
    std::vector<double> bare_us;
    for (int round = 0; round < rounds.rounds; ++round) {
        if (interrupted()) throw std::runtime_error("interrupted");
        ours(rounds.each, ours_us);
        bare(rounds.each, bare_us);
    }
    for (const auto& [label, fraction] : {std::pair{"p50", 0.5}, std::pair{"p99", 0.99}}) {
        const double mine = percentile(ours_us, fraction);
        const double theirs = percentile(bare_us, fraction);
        const nlohmann::json conditions = {{"samples", ours_us.size()},
                                           {"body_bytes", kBodyBytes},
                                           {"in_flight", 1},
                                           {"bare_caf_us", theirs},
                                           {"cpus", std::thread::hardware_concurrency()}};
        report.add(name, fmt::format("latency_{}_us", label), mine, "us", conditions);
        report.add(name, fmt::format("bare_caf_latency_{}_us", label), theirs, "us", conditions);
        report.add(name, fmt::format("ratio_to_bare_caf_{}", label), mine / theirs, "ratio", conditions);
    }
}

PeerRequest make_request() { return {"bench", 1, "echo", {}, Bytes(kBodyBytes, 7)}; }

caf::behavior bare_echo(caf::event_based_actor*) {
    return {[](const ControlFrame& frame) { return frame; },
            [](const actor::Local<PeerRequest>& request) { return request; }};
}

class Echo : public actor::Actor {
  public:
    using actor::Actor::Actor;

  protected:
    caf::behavior handlers() override {
        return {on<PeerRequest>(
            [](const PeerRequest& request) -> Result<PeerResponse> { return PeerResponse{request.body}; })};
    }
};

/// Makes round trips from inside an actor, each begun by the answer of the one before.
class Asker : public actor::Actor {
  public:
    using actor::Actor::Actor;

    void start(int count, std::vector<double>& us, std::promise<void>& done) {
        if (count == 0) return done.set_value();
        const double begun = now_us();
        ask<PeerRequest>(
            "echo/0", make_request(), kDeadline,
            [this, count, begun, &us, &done](const PeerResponse&) {
                us.push_back(now_us() - begun);
                start(count - 1, us, done);
            },
            [&done](const Error& error) {
                done.set_exception(std::make_exception_ptr(std::runtime_error(error.render())));
            });
    }

  protected:
    caf::behavior handlers() override {
        return {[](caf::ok_atom) {}};
    }
};

class BareAsker : public caf::event_based_actor {
  public:
    BareAsker(caf::actor_config& config, caf::actor echo)
        : caf::event_based_actor(config), echo_(std::move(echo)) {}

    void start(int count, std::vector<double>& us, std::promise<void>& done) {
        if (count == 0) return done.set_value();
        const double begun = now_us();
        request(echo_, kDeadline, actor::Local<PeerRequest>(make_request()))
            .then(
                [this, count, begun, &us, &done](const actor::Local<PeerRequest>&) {
                    us.push_back(now_us() - begun);
                    start(count - 1, us, done);
                },
                [&done](const caf::error&) {
                    done.set_exception(
                        std::make_exception_ptr(std::runtime_error("bare CAF gave no answer")));
                });
    }

  protected:
    caf::behavior make_behavior() override {
        return {[](const actor::Local<actor::Task>& task) { task->run(); }};
    }

  private:
    caf::actor echo_;
};

/// Lets the asker make its round trips and waits for the last one.
template<class A>
Series from_inside(const caf::actor& handle) {
    return [handle](int count, std::vector<double>& us) {
        std::promise<void> done;
        auto* asker = static_cast<A*>(caf::actor_cast<caf::abstract_actor*>(handle));
        caf::anon_send(handle, actor::Local<actor::Task>(actor::Task{
                                   [asker, count, &us, &done] { asker->start(count, us, done); }}));
        done.get_future().get();
    };
}

/// The actors of one process, published as a supervisor would.
class Local {
  public:
    Local() : system_({}) {
        bare_ = system_.get().spawn(bare_echo);
        bare_asker_ = system_.get().spawn<BareAsker>(bare_);
        publish<Echo>("echo/0");
        asker_ = publish<Asker>("asker/0");
    }
    ~Local() {
        resolver_.close();
        for (const auto& handle : {bare_, bare_asker_, asker_, echo_}) {
            caf::anon_send_exit(handle, caf::exit_reason::kill);
        }
    }
    Local(const Local&) = delete;
    Local& operator=(const Local&) = delete;

    actor::System& system() { return system_; }
    actor::Resolver& resolver() { return resolver_; }
    const caf::actor& bare() const { return bare_; }

    void measure(const Wanted& wanted, const RuntimeReport& report, Rounds rounds) {
        if (wanted("actor_ask_local")) {
            compare("actor_ask_local", report, rounds, from_inside<Asker>(asker_),
                    from_inside<BareAsker>(bare_asker_));
        }
        if (wanted("thread_call_local")) compare("thread_call_local", report, rounds, calls(), bare_calls());
    }

  private:
    template<class A>
    caf::actor publish(const std::string& path) {
        actor::ActorContext context{.path = path, .resolver = &resolver_};
        const auto stats = context.stats;
        const auto handle = system_.get().spawn<A>(std::move(context));
        resolver_.publish(path, handle, stats, std::chrono::steady_clock::now());
        if (path == "echo/0") echo_ = handle;
        return handle;
    }

    Series calls() {
        return [this](int count, std::vector<double>& us) {
            for (int i = 0; i < count; ++i) {
                const double begun = now_us();
                const auto answer = actor::call(system_, resolver_, "echo/0", make_request(),
                                                std::chrono::steady_clock::now() + kDeadline);
                us.push_back(now_us() - begun);
                if (!answer) throw std::runtime_error(answer.error().render());
            }
        };
    }

    Series bare_calls() {
        return [this](int count, std::vector<double>& us) {
            for (int i = 0; i < count; ++i) {
                const double begun = now_us();
                caf::scoped_actor self{system_.get()};
                bool answered = false;
                self->request(bare_, kDeadline, actor::Local<PeerRequest>(make_request()))
                    .receive([&](const actor::Local<PeerRequest>&) { answered = true; },
                             [](const caf::error&) {});
                us.push_back(now_us() - begun);
                if (!answered) throw std::runtime_error("bare CAF gave no answer");
            }
        };
    }

    actor::Resolver resolver_;
    actor::System system_;
    caf::actor bare_;
    caf::actor bare_asker_;
    caf::actor asker_;
    caf::actor echo_;
};

/// A node's identity, trust and links beside its actors.
class NodeSide {
  public:
    NodeSide(const std::string& directory, const std::string& name, const links::ControlPeer& peer,
             const links::ControlOptions& options = {}) {
        std::filesystem::create_directories(directory + "/" + name);
        const auto identity = identity::load_or_create(directory + "/" + name, name, "bench", "bench");
        auto trust = identity::TrustStore::open(directory + "/" + name, {{peer.name, ""}});
        if (!identity || !trust) throw std::runtime_error("cannot make an identity in " + directory);
        trust_ = std::move(*trust);
        auto started = links::ControlLinks::start(options, {peer}, local.system(), local.resolver(),
                                                  *identity, *trust_, events_);
        if (!started) throw std::runtime_error(started.error().render());
        links = std::move(*started);
    }

  private:
    std::unique_ptr<identity::TrustStore> trust_;
    EventRing events_;

  public:
    Local local;
    std::unique_ptr<links::ControlLinks> links; ///< Last: it uses all the others.
};

links::ControlOptions with_tls(const std::string& directory, const std::string& name) {
    auto context = tls::Context::load(certificate_files(directory, name), "bench");
    if (!context) throw std::runtime_error(context.error().render());
    links::ControlOptions options;
    options.tls = std::move(*context);
    return options;
}

/// The other process: serves until the parent has had enough.
void serve(const std::string& directory, Channel& parent) {
    NodeSide node(directory, "bench-b", {"bench-a", "bench", "127.0.0.1", 1});
    NodeSide secured(directory, "bench-d", {"bench-c", "bench", "127.0.0.1", 1},
                     with_tls(directory, "bench-d"));
    for (NodeSide* side : {&node, &secured}) {
        side->links->serve("actor", "echo/0");
        side->links->serve_function("function",
                                    [](const PeerRequest& request) -> Result<Bytes> { return request.body; });
    }
    // CAF keeps one connection between two actor systems, and that of a control link is for the gateways
    // alone: the bare actor lives in a system of its own.
    Local bare;
    const auto port = bare.system().get().middleman().publish(bare.bare(), 0, "127.0.0.1");
    if (!port) throw std::runtime_error("cannot publish the bare actor");
    parent.send(node.links->port());
    parent.send(secured.links->port());
    parent.send(*port);
    parent.wait_for_close();
}

void wait_until_up(links::ControlLinks& links) {
    auto up = std::make_shared<std::promise<void>>();
    auto once = std::make_shared<std::atomic<bool>>(false);
    links.watch([up, once](const links::PeerState& state) {
        if (state.up && !once->exchange(true)) up->set_value();
    });
    if (up->get_future().wait_for(kDeadline) != std::future_status::ready) {
        throw std::runtime_error("the control link did not come up: " + links.peers().front().problem);
    }
}

Series requests(links::ControlLinks& links, const std::string& peer, const std::string& service) {
    return [&links, peer, service](int count, std::vector<double>& us) {
        for (int i = 0; i < count; ++i) {
            std::promise<Result<Bytes>> answer;
            const double begun = now_us();
            links.request(peer, service, Bytes(kBodyBytes, 7), kDeadline, {},
                          [&](Result<Bytes> result) { answer.set_value(std::move(result)); });
            const auto result = answer.get_future().get();
            us.push_back(now_us() - begun);
            if (!result) throw std::runtime_error(result.error().render());
        }
    };
}

Series bare_requests(caf::actor_system& system, const caf::actor& remote) {
    return [&system, remote](int count, std::vector<double>& us) {
        caf::scoped_actor self{system};
        for (int i = 0; i < count; ++i) {
            const double begun = now_us();
            bool answered = false;
            self->request(remote, kDeadline, ControlFrame(Bytes(kBodyBytes, 7)))
                .receive([&](const ControlFrame&) { answered = true; }, [](const caf::error&) {});
            us.push_back(now_us() - begun);
            if (!answered) throw std::runtime_error("bare CAF gave no answer");
        }
    };
}

/// Removed at the end, also after an interrupt.
struct WorkDirectory {
    std::string path = (std::filesystem::temp_directory_path() / "dwcp-bench-runtime-XXXXXX").string();
    WorkDirectory() {
        if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("cannot make a temporary directory");
    }
    ~WorkDirectory() { std::filesystem::remove_all(path); }
};

} // namespace

void measure_round_trips(const RuntimeSettings& settings, const Wanted& wanted, const RuntimeReport& report) {
    const Rounds rounds = settings.quick ? Rounds{10, 500} : Rounds{20, 3000};
    const bool local = wanted("actor_ask_local") || wanted("thread_call_local");
    const bool remote = wanted("control_request_to_actor") || wanted("control_request_to_function") ||
                        wanted("control_request_to_function_tls");
    if (!local && !remote) return;
    const WorkDirectory directory;
    make_certificates(directory.path, {"bench-c", "bench-d"});
    // Forked before this process has threads.
    Child other([&](Channel& parent) { serve(directory.path, parent); });
    const auto port = static_cast<std::uint16_t>(other.channel().receive());
    const auto tls_port = static_cast<std::uint16_t>(other.channel().receive());
    const auto bare_port = static_cast<std::uint16_t>(other.channel().receive());
    NodeSide node(directory.path, "bench-a", {"bench-b", "bench", "127.0.0.1", port});
    node.local.measure(wanted, report, rounds);
    if (!remote) return;
    wait_until_up(*node.links);
    NodeSide secured(directory.path, "bench-c", {"bench-d", "bench", "127.0.0.1", tls_port},
                     with_tls(directory.path, "bench-c"));
    wait_until_up(*secured.links);
    Local beside;
    const auto bare = beside.system().get().middleman().remote_actor("127.0.0.1", bare_port);
    if (!bare) throw std::runtime_error("cannot reach the bare actor");
    const Series bare_series = bare_requests(beside.system(), *bare);
    const auto measure = [&](const std::string& name, const Series& ours) {
        if (wanted(name)) compare(name, report, rounds, ours, bare_series);
    };
    measure("control_request_to_actor", requests(*node.links, "bench-b", "actor"));
    measure("control_request_to_function", requests(*node.links, "bench-b", "function"));
    measure("control_request_to_function_tls", requests(*secured.links, "bench-d", "function"));
}

} // namespace dwcp::bench
