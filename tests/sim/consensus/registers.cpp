#include "tests/sim/consensus/registers.hpp"

#include <algorithm>

namespace dwcp::sim {
namespace {

Bytes element(std::string_view key, const Bytes& value) {
    Bytes bytes{static_cast<Byte>(key.size())};
    bytes.insert(bytes.end(), key.begin(), key.end());
    bytes.insert(bytes.end(), value.begin(), value.end());
    return bytes;
}

Bytes number(std::uint64_t value) {
    Bytes bytes(8);
    for (auto& byte : bytes)
        byte = static_cast<Byte>(value), value >>= 8;
    return bytes;
}

std::uint64_t number_in(const Bytes& bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

} // namespace

Bytes Registers::write(std::string_view key, std::string_view value) {
    Bytes bytes = to_bytes(key);
    bytes.push_back('=');
    bytes.insert(bytes.end(), value.begin(), value.end());
    return bytes;
}

std::size_t Registers::apply(const consensus::Block& block) {
    std::size_t effects = 0;
    for (const auto& [command, submitter, signature] : block.transactions) {
        const std::string client = "c/" + command.id;
        if (const auto found = pairs_.find(client);
            found != pairs_.end() && number_in(found->second) >= command.sequence)
            continue;
        put(client, number(command.sequence));
        ++effects;
        const auto equals = std::ranges::find(command.payload, Byte{'='});
        if (equals == command.payload.end()) continue;
        put("k/" + std::string(command.payload.begin(), equals), Bytes(equals + 1, command.payload.end()));
    }
    return effects;
}

Registers Registers::of(Pairs pairs) {
    Registers registers;
    registers.pairs_ = std::move(pairs);
    for (const auto& [key, value] : registers.pairs_)
        registers.set_.add(element(key, value));
    return registers;
}

void Registers::put(std::string key, Bytes value) {
    if (const auto found = pairs_.find(key); found != pairs_.end()) set_.remove(element(key, found->second));
    set_.add(element(key, value));
    pairs_.insert_or_assign(std::move(key), std::move(value));
}

} // namespace dwcp::sim
