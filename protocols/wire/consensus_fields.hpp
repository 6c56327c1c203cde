// Between consensus values and their Cap'n Proto structs: write() fills a builder, read() checks and copies
// and returns what is wrong, or null. Every field is read once, as foreign_message.hpp wants it. For
// consensus.cpp alone.
#pragma once

#include "protocols/consensus/message.hpp"
#include "protocols/wire/schema/consensus.capnp.h"

#include <capnp/message.h>

namespace dwcp::wire::consensus_fields {

namespace schema = consensus_schema;

using Problem = const char*;

kj::ArrayPtr<const kj::byte> blob(ByteView bytes);
/// Nothing where it is missing.
template<std::size_t N>
kj::ArrayPtr<const kj::byte> blob_if(const std::optional<std::array<Byte, N>>& bytes) {
    return bytes ? blob(ByteView(*bytes)) : kj::ArrayPtr<const kj::byte>{};
}
/// With its length: from a std::string alone Cap'n Proto would take the text up to its first zero byte.
capnp::Text::Reader text(const std::string& from);
bool read_text(capnp::Text::Reader from, std::size_t bytes_max, std::string& out);
bool read_data(capnp::Data::Reader from, std::size_t bytes_max, std::string& out);
bool read_hash(capnp::Data::Reader from, Hash256& out);

template<std::size_t N>
bool read_exactly(capnp::Data::Reader from, std::array<Byte, N>& out) {
    if (from.size() != N) return false;
    std::copy(from.begin(), from.end(), out.begin());
    return true;
}

/// Empty is missing.
template<std::size_t N>
bool read_optional(capnp::Data::Reader from, std::optional<std::array<Byte, N>>& out) {
    out.reset();
    if (from.size() == 0) return true;
    return read_exactly(from, out.emplace());
}

void write(schema::Transaction::Builder out, const consensus::Transaction& transaction);
void write(schema::Vote::Builder out, const consensus::Vote& vote);
void write(schema::Reproposal::Builder out, const consensus::Reproposal& proposal);
void write(schema::Member::Builder out, const consensus::Member& member);
void write(schema::StatePair::Builder out, const consensus::StatePair& pair);
void write(schema::Block::Builder out, const consensus::Block& block);
void write(schema::Statement::Builder out, const consensus::Statement& statement);
void write(schema::Certificate::Builder out, const consensus::Certificate& certificate);
void write(schema::DecidedBlock::Builder out, const consensus::DecidedBlock& decided);
void write(schema::ViewChange::Builder out, const consensus::ViewChange& change);
void write(schema::NewView::Builder out, const consensus::NewView& new_view);
void write(schema::Evidence::Builder out, const consensus::Evidence& evidence);
void write(schema::Committee::Builder out, const consensus::Committee& committee);
void write(schema::Reconfigure::Builder out, const consensus::Reconfigure& change);
void write(schema::Message::Builder out, const consensus::Message& message);

Problem read(schema::Transaction::Reader from, consensus::Transaction& out);
Problem read(schema::Vote::Reader from, consensus::Vote& out);
Problem read(schema::Reproposal::Reader from, consensus::Reproposal& out);
Problem read(schema::Member::Reader from, consensus::Member& out);
Problem read(schema::StatePair::Reader from, consensus::StatePair& out);
Problem read(schema::Block::Reader from, consensus::Block& out);
Problem read(schema::Block::Reader from, consensus::BlockRef& out);
Problem read(schema::Statement::Reader from, consensus::Statement& out);
Problem read(schema::Certificate::Reader from, consensus::Certificate& out);
Problem read(schema::DecidedBlock::Reader from, consensus::DecidedBlock& out);
Problem read(schema::ViewChange::Reader from, consensus::ViewChange& out);
Problem read(schema::NewView::Reader from, consensus::NewView& out);
Problem read(schema::Evidence::Reader from, consensus::Evidence& out);
Problem read(schema::Committee::Reader from, consensus::Committee& out);
Problem read(schema::Reconfigure::Reader from, consensus::Reconfigure& out);
Problem read(schema::Message::Reader from, consensus::Message& out);

/// Within what a block may hold.
Problem read_transactions(capnp::List<schema::Transaction>::Reader from,
                          std::vector<consensus::Transaction>& out);

template<class List, class T>
void write_list(List out, const std::vector<T>& values) {
    for (unsigned i = 0; i < values.size(); ++i)
        write(out[i], values[i]);
}

/// Reads a list of at most `count_max`; grows as elements prove to be there.
template<class List, class T>
Problem read_list(const List& from, std::size_t count_max, Problem too_many, std::vector<T>& out) {
    if (from.size() > count_max) return too_many;
    for (unsigned i = 0; i < from.size(); ++i) {
        if (const Problem problem = read(from[i], out.emplace_back())) return problem;
    }
    return nullptr;
}

} // namespace dwcp::wire::consensus_fields
