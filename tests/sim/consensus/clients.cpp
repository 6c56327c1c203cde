#include "tests/sim/consensus/clients.hpp"

#include "tests/sim/consensus/registers.hpp"
#include "tests/sim/consensus/world.hpp"

#include <fmt/format.h>

namespace dwcp::sim {
namespace {

using namespace dwcp::consensus;

constexpr std::size_t kKeys = 12;
/// How often a client that found no host, or was refused, tries again.
constexpr Moment kAgain = 50 * kMillisecond;

} // namespace

Clients::Clients(World& world, std::uint64_t seed) : world_(world), random_(seed) {
    for (std::size_t i = 0; i < world.plan().clients; ++i)
        clients_.push_back({.id = fmt::format("client-{}", i), .sequence = 0, .command = {}, .token = 0});
    clients_.push_back({.id = "administrator", .sequence = 0, .command = {}, .token = 0});
}

void Clients::begin() {
    for (std::size_t i = 0; i + 1 < clients_.size(); ++i)
        world_.schedule(static_cast<Moment>(random_.below(20)) * kMillisecond,
                        {.what = What::think, .body = i});
}

void Clients::think(std::size_t index) {
    auto& client = clients_[index];
    if (client.command) return;
    if (index + 1 == clients_.size()) {
        if (changes_.empty()) return;
        client.command = std::move(changes_.front());
        changes_.pop_front();
    } else {
        if (finishing_) return;
        const auto size = 1 + random_.below(world_.plan().payload_max);
        std::string value = fmt::format("{}-{}-", index, client.sequence + 1);
        value.resize(std::max(value.size(), size), 'x');
        client.command =
            Command{.id = client.id,
                    .payload = Registers::write(fmt::format("key-{}", random_.below(kKeys)), value),
                    .sequence = ++client.sequence};
    }
    world_.watch().submitted(*client.command);
    ask(index);
}

void Clients::ask(std::size_t index) {
    auto& client = clients_[index];
    client.token = ++last_token_;
    Host* host = world_.some_host(random_);
    const Moment wait = host == nullptr ? kAgain : world_.plan().patience;
    world_.schedule(world_.now() + wait, {.what = What::impatient, .body = index, .number = client.token});
    if (host == nullptr) return;
    Transaction transaction{.command = *client.command, .submitter = host_of(host->name()), .signature = {}};
    if (world_.plan().signed_transactions)
        transaction.signature =
            host->signer().sign(signing_bytes(world_.domain(), submission_of(transaction)));
    world_.trace([&] {
        return fmt::format("r{} is asked for {} {}", host->id(), client.command->id,
                           client.command->sequence);
    });
    host->submit(client.token, std::move(transaction), world_.plan().patience);
}

void Clients::impatient(std::size_t index, std::uint64_t token) {
    if (clients_[index].token == token && clients_[index].command) ask(index);
}

void Clients::answered(const Host& host, const Answer& answer) {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        auto& client = clients_[i];
        if (client.token != answer.client || !client.command) continue;
        if (!host.correct()) return; // a lie, maybe: the client asks another when it is tired of it
        if (!answer.outcome && answer.outcome.error().code == Errc::precondition_failed &&
            i + 1 == clients_.size()) { // the epoch that this change was for is over
            client.command.reset();
            world_.schedule(world_.now(), {.what = What::think, .body = i});
            return;
        }
        if (!answer.outcome) {
            client.token = ++last_token_;
            world_.schedule(world_.now() + kAgain,
                            {.what = What::impatient, .body = i, .number = client.token});
            return;
        }
        world_.watch().answered(*client.command, *answer.outcome);
        ++answers_;
        client.command.reset();
        const auto pause =
            static_cast<Moment>(random_.below(static_cast<std::uint64_t>(world_.plan().think_max)));
        world_.schedule(world_.now() + pause, {.what = What::think, .body = i});
        return;
    }
}

void Clients::submit(Command command) {
    changes_.push_back(std::move(command));
    world_.schedule(world_.now(), {.what = What::think, .body = clients_.size() - 1});
}

std::size_t Clients::waiting() const {
    std::size_t count = 0;
    for (const auto& client : clients_)
        count += client.command.has_value();
    return count + changes_.size();
}

std::string Clients::first_waiting() const {
    for (const auto& client : clients_)
        if (client.command) return fmt::format("{} {}", client.command->id, client.command->sequence);
    return {};
}

} // namespace dwcp::sim
