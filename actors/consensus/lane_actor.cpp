#include "actors/consensus/lane_actor.hpp"

#include "actors/consensus/lane_store.hpp"
#include "protocols/consensus/majority_write.hpp"
#include "runtime/base/events.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/trace/ring.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <shared_mutex>

namespace dwcp::consensus {
namespace {

/// For a submitter that names no deadline.
constexpr Duration kDefaultDeadline = std::chrono::seconds(5);
/// Before a life ends whose disk is full: the next one would find it full as well.
constexpr Duration kFullDiskPause = std::chrono::seconds(5);
/// A full worker pool is tried again after this.
constexpr Duration kPoolRetry = milliseconds(5);
/// A subscriber that takes longer is taken for dead; it subscribes again.
constexpr Duration kSubscriberDeadline = std::chrono::seconds(30);
constexpr std::size_t kSubscriberBytesMax = 1U << 20;

struct Probe {
    explicit Probe(const std::string& lane)
        : committed(metrics::counter("dwcp_lane_committed_entries_total",
                                     "Entries seen committed on this node.", {{"lane", lane}})),
          submit_seconds(metrics::histogram("dwcp_lane_submit_duration_seconds",
                                            "From a command's arrival to its answer.",
                                            metrics::duration_bounds(), {{"lane", lane}})),
          failed(metrics::counter("dwcp_lane_submit_failures_total",
                                  "Commands that were not committed in time, or could not be.",
                                  {{"lane", lane}})),
          log_index(
              metrics::gauge("dwcp_lane_log_index", "Highest entry on this node's disk.", {{"lane", lane}})),
          committed_index(metrics::gauge("dwcp_lane_committed_index",
                                         "Highest entry known as committed on this node.", {{"lane", lane}})),
          applied_index(metrics::gauge("dwcp_lane_applied_index", "Highest entry applied on this node.",
                                       {{"lane", lane}})),
          batch_entries(metrics::histogram("dwcp_lane_batch_entries", "Entries written to disk together.",
                                           {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}, {{"lane", lane}})),
          resends(metrics::counter("dwcp_lane_resends_total", "Messages sent again because no answer came.",
                                   {{"lane", lane}})),
          malformed(metrics::counter("dwcp_lane_malformed_messages_total",
                                     "Peers' messages that do not decode.", {{"lane", lane}})) {}

    metrics::Counter committed;
    metrics::Histogram submit_seconds;
    metrics::Counter failed;
    metrics::Gauge log_index;
    metrics::Gauge committed_index;
    metrics::Gauge applied_index;
    metrics::Histogram batch_entries;
    metrics::Counter resends;
    metrics::Counter malformed;
};

/// Closed when a life ends: no job of it begins after that, and closing waits for those that have begun.
class Gate {
  public:
    /// Runs `job` unless closed.
    template<class Job>
    void pass(Job&& job) {
        const std::shared_lock lock(mutex_);
        if (!closed_) job();
    }
    void close() {
        const std::unique_lock lock(mutex_);
        closed_ = true;
    }

  private:
    std::shared_mutex mutex_;
    bool closed_ = false;
};

class LaneActor : public actor::Actor {
  public:
    LaneActor(caf::actor_config& config, actor::ActorContext context, LaneOptions options,
              store::Store& store, WorkerPool& pool, links::ControlLinks& links, StateMachine& machine)
        : Actor(config, std::move(context)), options_(std::move(options)), service_("lane/" + options_.name),
          pool_(pool), links_(links), machine_(machine), probe_(options_.name),
          store_(std::make_shared<LaneStore>(store, options_.name)), steps_(options_.self, path()) {}

    ~LaneActor() override { gate_->close(); }

  protected:
    caf::behavior handlers() override;
    void ended() override { gate_->close(); }

  private:
    struct Waiter {
        SubmitCommand request;
        TimePoint since;
    };
    struct Subscriber {
        LogIndex after = 0;
        std::uint64_t subscription = 0; ///< Tells a renewed one from answers to the one before.
        bool busy = false;
    };
    /// What a job found, as a task for the actor.
    using Continuation = std::function<void()>;

    void recover();
    void begin(Recovered recovered);
    MajorityWriteOptions engine_options() const;

    void submit(const SubmitCommand& request, actor::Ticket ticket);
    void pass_on(actor::Ticket ticket, Waiter waiter);
    void serve_peer(const links::PeerRequest& request, actor::Ticket ticket);
    Status status() const;

    void step(Event event);
    void carry_out(Effects effects);
    void send(Send send);
    void on_reply(const NodeName& from, std::optional<std::uint64_t> round, const Result<Bytes>& reply);
    void persist(Persist persist);
    void trace_append(const std::vector<RecordRef>& records, const trace::Mark& begin,
                      const Result<void>& written) const;
    void apply(std::vector<RecordRef> records);
    void load(Load load);
    void answer(const Answer& answer);
    void look_up(actor::Ticket ticket, Committed committed);
    void settle_committed(actor::Ticket ticket, Committed committed, const wire::LaneOutcome& outcome);
    void arm(TimePoint wake);
    void measure();

    Result<Subscribed> subscribe(const Subscribe& request);
    void feed(const std::string& path);
    void deliver_entries(const std::string& path, std::uint64_t subscription, std::vector<RecordRef> records);
    Subscriber* find_subscriber(const std::string& path, std::uint64_t subscription);

    void run(std::function<Continuation()> job);
    void enqueue_job(std::function<void()> job);
    void fail_stop(const Error& error);

    const LaneOptions options_;
    const std::string service_;
    WorkerPool& pool_;
    links::ControlLinks& links_;
    StateMachine& machine_;
    const Probe probe_;
    std::shared_ptr<LaneStore> store_; ///< Shared with jobs.
    const trace::Recorder steps_;
    std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();

    std::optional<MajorityWrite> engine_; ///< Empty until the store was read.
    std::map<actor::Ticket, Waiter> early_;
    std::map<actor::Ticket, TimePoint> waiting_; ///< Since when.
    std::map<LogIndex, wire::LaneOutcome>
        fresh_; ///< Of the batch applied last, while its submitters are answered.
    std::map<std::string, Subscriber> subscribers_;
    std::uint64_t last_subscription_ = 0;
    std::optional<TimePoint> armed_;
    LogIndex counted_ = 0;  ///< Committed entries in the counter.
    bool stopping_ = false; ///< The store failed.
};

caf::behavior LaneActor::handlers() {
    links_.serve(service_, path());
    not_ready_yet();
    recover();
    return {
        on_later<SubmitCommand>([this](const SubmitCommand& r, actor::Ticket ticket) { submit(r, ticket); }),
        on_later<links::PeerRequest>(
            [this](const links::PeerRequest& r, actor::Ticket ticket) { serve_peer(r, ticket); }),
        on<QueryLane>([this](const QueryLane&) -> Result<LaneStatus> { return LaneStatus{status()}; }),
        on<Subscribe>([this](const Subscribe& r) { return subscribe(r); }),
        on<PeerChanged>([this](const PeerChanged& r) -> Result<Subscribed> {
            if (engine_) step(PeerLink{r.peer.name, r.peer.up});
            return Subscribed{};
        }),
    };
}

// --- beginning a life

void LaneActor::recover() {
    run([this, store = store_, with_ids = options_.self == options_.sequencer]() -> Continuation {
        auto recovered = store->recover(with_ids);
        return [this, recovered = std::move(recovered)]() mutable {
            if (recovered)
                begin(std::move(*recovered));
            else
                fail_stop(recovered.error());
        };
    });
}

MajorityWriteOptions LaneActor::engine_options() const {
    MajorityWriteOptions options;
    options.lane = options_.name;
    options.self = options_.self;
    options.sequencer = options_.sequencer;
    options.members = options_.members;
    return options;
}

void LaneActor::begin(Recovered recovered) {
    log::info("lane_started",
              {{"lane", options_.name},
               {"last_index", recovered.hard.last},
               {"applied", recovered.applied},
               {"sequencer", options_.sequencer}},
              {.actor = path()});
    counted_ = recovered.applied;
    engine_.emplace(engine_options(), std::move(recovered));
    carry_out(engine_->start({std::chrono::steady_clock::now(), static_cast<std::uint64_t>(unix_now_ms())}));
    for (const auto& peer : links_.peers()) {
        if (peer.up) step(PeerLink{peer.name, true});
    }
    for (auto& [ticket, waiter] : std::exchange(early_, {}))
        pass_on(ticket, std::move(waiter));
    for (const auto& [subscriber, state] : subscribers_)
        feed(subscriber);
    now_ready();
}

// --- what it is asked

void LaneActor::submit(const SubmitCommand& request, actor::Ticket ticket) {
    if (auto sound = machine_.check(request.command); !sound) return refuse(ticket, sound.error());
    Waiter waiter{request, std::chrono::steady_clock::now()};
    if (engine_) return pass_on(ticket, std::move(waiter));
    if (early_.size() >= kPendingEntriesMax) {
        return refuse(ticket, {Errc::resource_exhausted,
                               "lane " + options_.name + " is starting and has too much to do",
                               "slow down and try again"});
    }
    early_.emplace(ticket, std::move(waiter));
}

void LaneActor::pass_on(actor::Ticket ticket, Waiter waiter) {
    waiting_.emplace(ticket, waiter.since);
    const Duration deadline =
        waiter.request.deadline > Duration::zero() ? waiter.request.deadline : kDefaultDeadline;
    step(Submit{ticket, std::move(waiter.request.command), waiter.since + deadline});
}

void LaneActor::serve_peer(const links::PeerRequest& request, actor::Ticket ticket) {
    if (!engine_) {
        return refuse(ticket, {Errc::unavailable, "lane " + options_.name + " is starting", "try again"});
    }
    auto message = wire::decode_lane_message(request.body);
    if (!message) {
        probe_.malformed.add();
        log::warn("lane_message_dropped", {{"peer", request.from}, {"why", message.error().message}},
                  {.actor = path(), .trace = request.trace});
        return refuse(ticket, message.error());
    }
    step(Received{request.from, std::move(*message), ticket});
}

Status LaneActor::status() const {
    if (engine_) return engine_->status(std::chrono::steady_clock::now());
    Status status;
    status.lane = options_.name;
    status.engine = kMajorityWriteName;
    status.sequencer = options_.sequencer;
    status.members = options_.members;
    status.note = "is starting: reads its log";
    return status;
}

// --- running the engine

void LaneActor::step(Event event) {
    carry_out(engine_->step(std::move(event),
                            {std::chrono::steady_clock::now(), static_cast<std::uint64_t>(unix_now_ms())}));
}

void LaneActor::carry_out(Effects effects) {
    if (effects.persist) persist(std::move(*effects.persist));
    for (auto& message : effects.sends)
        send(std::move(message));
    if (!effects.apply.empty()) apply(std::move(effects.apply));
    for (auto& wanted : effects.loads)
        load(std::move(wanted));
    for (const auto& done : effects.answers)
        answer(done);
    if (effects.wake) arm(*effects.wake);
    if (effects.resends > 0) probe_.resends.add(effects.resends);
    measure();
}

void LaneActor::measure() {
    const LogIndex committed = engine_->committed();
    if (committed > counted_) probe_.committed.add(static_cast<double>(committed - counted_));
    counted_ = committed;
    probe_.log_index.set(static_cast<double>(engine_->durable()));
    probe_.committed_index.set(static_cast<double>(committed));
    probe_.applied_index.set(static_cast<double>(engine_->applied()));
}

void LaneActor::send(Send send) {
    if (send.in_reply_to != 0) {
        links::PeerResponse response;
        if (send.message) response.body = wire::encode(*send.message);
        return settle<links::PeerResponse>(send.in_reply_to, std::move(response));
    }
    const auto& body = send.message->body;
    std::optional<std::uint64_t> round;
    WorkloadId trace;
    if (const auto* append = std::get_if<wire::LaneAppend>(&body)) round = append->round;
    if (const auto* propose = std::get_if<wire::LanePropose>(&body)) trace = propose->command.id;
    const auto done = [this, post = poster(), to = send.to, round](Result<Bytes> reply) {
        post([this, to, round, reply = std::move(reply)] { on_reply(to, round, reply); });
    };
    // A late answer to an append counts; one to a proposal is not needed, since the entry itself comes back.
    const auto options = engine_options();
    links_.request(send.to, service_, wire::encode(*send.message),
                   round ? options.resend_max : options.resend, trace, done);
}

void LaneActor::on_reply(const NodeName& from, std::optional<std::uint64_t> round,
                         const Result<Bytes>& reply) {
    if (!reply) {
        if (round) step(Undelivered{from, *round});
        return;
    }
    if (reply->empty()) return;
    auto message = wire::decode_lane_message(*reply);
    if (message) return step(Received{from, std::move(*message), 0});
    probe_.malformed.add();
    log::warn("lane_message_dropped", {{"peer", from}, {"why", message.error().message}}, {.actor = path()});
}

void LaneActor::persist(Persist persist) {
    if (!persist.records.empty()) probe_.batch_entries.observe(static_cast<double>(persist.records.size()));
    run([this, store = store_, persist = std::move(persist), begin = trace::mark()]() -> Continuation {
        auto written = store->persist(persist);
        trace_append(persist.records, begin, written);
        return [this, written = std::move(written), ticket = persist.ticket] {
            if (written)
                step(Persisted{ticket});
            else
                fail_stop(written.error());
        };
    });
}

/// A command's id is its workload's, and its "commit" a step of the member that took it in.
void LaneActor::trace_append(const std::vector<RecordRef>& records, const trace::Mark& begin,
                             const Result<void>& written) const {
    for (const auto& record : records) {
        const auto& entry = record->entry;
        steps_.record({.workload = entry.command.id,
                       .name = "append",
                       .detail = options_.name,
                       .parent = trace::span_id(entry.command.id, "commit", entry.proposer),
                       .error = written ? std::string() : written.error().message,
                       .texts = {{"lane", options_.name}, {"index", std::to_string(entry.index)}}},
                      begin);
    }
}

void LaneActor::apply(std::vector<RecordRef> records) {
    run([this, store = store_, &machine = machine_, records = std::move(records)]() -> Continuation {
        auto outcomes = store->apply(records, machine);
        return [this, outcomes = std::move(outcomes), records]() mutable {
            if (!outcomes) return fail_stop(outcomes.error());
            for (std::size_t i = 0; i < records.size(); ++i) {
                fresh_.emplace(records[i]->entry.index, std::move((*outcomes)[i]));
            }
            step(Applied{records.back()->entry.index});
            fresh_.clear();
            for (const auto& [subscriber, state] : subscribers_)
                feed(subscriber);
        };
    });
}

void LaneActor::load(Load load) {
    run([this, store = store_, load = std::move(load), upto = engine_->durable()]() -> Continuation {
        auto records = store->load(load.from, upto, load.bytes_max);
        return [this, reader = load.reader, records = std::move(records)]() mutable {
            Loaded loaded{reader, {}, {}};
            if (records)
                loaded.records = std::move(*records);
            else
                loaded.problem = records.error().message;
            step(std::move(loaded));
        };
    });
}

void LaneActor::answer(const Answer& answer) {
    if (!answer.outcome) {
        waiting_.erase(answer.client);
        const Errc code = answer.outcome.error().code;
        if (code == Errc::unavailable || code == Errc::deadline_exceeded) probe_.failed.add();
        return refuse(answer.client, answer.outcome.error());
    }
    const auto found = fresh_.find(answer.outcome->index);
    if (found != fresh_.end())
        settle_committed(answer.client, *answer.outcome, found->second);
    else
        look_up(answer.client, *answer.outcome);
}

/// A command that was committed before: its answer is in the store.
void LaneActor::look_up(actor::Ticket ticket, Committed committed) {
    run([this, store = store_, ticket, committed]() -> Continuation {
        auto outcome = store->outcome(committed.index);
        return [this, ticket, committed, outcome = std::move(outcome)] {
            if (outcome && *outcome) return settle_committed(ticket, committed, **outcome);
            waiting_.erase(ticket);
            refuse(ticket, outcome ? Error{Errc::unavailable,
                                           "the command was committed too long ago to know its answer",
                                           "read the state it should have changed"}
                                   : outcome.error());
        };
    });
}

void LaneActor::settle_committed(actor::Ticket ticket, Committed committed,
                                 const wire::LaneOutcome& outcome) {
    if (const auto waiter = waiting_.extract(ticket); !waiter.empty()) {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - waiter.mapped();
        probe_.submit_seconds.observe(took.count());
    }
    settle<CommandCommitted>(
        ticket, CommandCommitted{committed.index, outcome.time_ms, committed.duplicate, outcome.result});
}

void LaneActor::arm(TimePoint wake) {
    if (armed_ && *armed_ <= wake) return;
    armed_ = wake;
    const Duration delay = std::max(Duration::zero(), Duration(wake - std::chrono::steady_clock::now()));
    after(delay, [this, wake] {
        if (armed_ == wake) armed_.reset();
        step(Tick{});
    });
}

// --- subscribers

Result<Subscribed> LaneActor::subscribe(const Subscribe& request) {
    if (subscribers_.size() >= kSubscribersMax && !subscribers_.contains(request.subscriber)) {
        return fail(Errc::resource_exhausted, "lane " + options_.name + " has its most subscribers",
                    "end some of them: " + std::to_string(kSubscribersMax) + " are allowed");
    }
    subscribers_[request.subscriber] = {request.after, ++last_subscription_, false};
    feed(request.subscriber);
    return Subscribed{};
}

LaneActor::Subscriber* LaneActor::find_subscriber(const std::string& path, std::uint64_t subscription) {
    const auto found = subscribers_.find(path);
    if (found == subscribers_.end() || found->second.subscription != subscription) return nullptr;
    return &found->second;
}

/// Sends a subscriber what is applied and it has not got, if it is not busy with an earlier part.
void LaneActor::feed(const std::string& path) {
    Subscriber& subscriber = subscribers_.at(path);
    if (!engine_ || subscriber.busy || subscriber.after >= engine_->applied()) return;
    subscriber.busy = true;
    run([this, store = store_, path, from = subscriber.after + 1, upto = engine_->applied(),
         subscription = subscriber.subscription]() -> Continuation {
        auto records = store->load(from, upto, kSubscriberBytesMax);
        return [this, path, subscription, records = std::move(records)]() mutable {
            if (find_subscriber(path, subscription) == nullptr) return;
            if (records) return deliver_entries(path, subscription, std::move(*records));
            log::error("lane_subscriber_dropped", {{"subscriber", path}, {"why", records.error().message}},
                       {.actor = this->path()});
            subscribers_.erase(path);
        };
    });
}

void LaneActor::deliver_entries(const std::string& path, std::uint64_t subscription,
                                std::vector<RecordRef> records) {
    EntriesCommitted news{options_.name, {}};
    for (const auto& record : records)
        news.entries.push_back(record->entry);
    ask<EntriesCommitted>(
        path, std::move(news), kSubscriberDeadline,
        [this, path, subscription, last = records.back()->entry.index](const Subscribed&) {
            Subscriber* subscriber = find_subscriber(path, subscription);
            if (subscriber == nullptr) return;
            subscriber->after = last;
            subscriber->busy = false;
            feed(path);
        },
        [this, path, subscription](const Error& error) {
            // It may have handled them or not, and only it knows: it subscribes again from where it stands.
            if (find_subscriber(path, subscription) == nullptr) return;
            log::warn("lane_subscriber_dropped", {{"subscriber", path}, {"why", error.message}},
                      {.actor = this->path()});
            subscribers_.erase(path);
        });
}

// --- work that blocks

/// Runs `job` on the pool, and what it returns in this actor. Jobs of a life that has ended do not begin.
void LaneActor::run(std::function<Continuation()> job) {
    enqueue_job([gate = gate_, post = poster(), job = std::move(job)] {
        Continuation then;
        gate->pass([&] { then = job(); });
        if (then) post(std::move(then));
    });
}

void LaneActor::enqueue_job(std::function<void()> job) {
    if (pool_.try_submit(job)) return;
    after(kPoolRetry, [this, job = std::move(job)] { enqueue_job(job); });
}

void LaneActor::fail_stop(const Error& error) {
    if (std::exchange(stopping_, true)) return;
    log::error("lane_store_failed", {{"lane", options_.name}, {"why", error.render()}}, {.actor = path()});
    // Nothing was acknowledged that is not on disk, and the engine waits for the write that failed: it does
    // no harm meanwhile. Ends that come slowly are no crash loop, so a lane outlives a disk that is full.
    if (error.code != Errc::resource_exhausted) return quit(actor::to_caf(error));
    after(kFullDiskPause, [this, error] { quit(actor::to_caf(error)); });
}

} // namespace

caf::actor spawn_lane(caf::actor_system& system, actor::ActorContext context, LaneOptions options,
                      store::Store& store, WorkerPool& pool, links::ControlLinks& links,
                      StateMachine& machine) {
    return system.spawn<LaneActor>(std::move(context), std::move(options), store, pool, links, machine);
}

} // namespace dwcp::consensus
