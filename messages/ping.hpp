#pragma once

#include <cstdint>
#include <string>

#include "messages/payload.hpp"

namespace troupe {

/// Bytes of the load of a `ping` or `pong`, at most.
inline constexpr uint64_t most_ping_bytes = uint64_t{64} << 20;

/// Whoever measures a connection → node: how long does an answer take, and how fast does a load come through? Answered
/// by `pong`.
struct ping {
  uint64_t number = 0;
  payload load;              ///< to the node; empty: a small message
  uint64_t answer_bytes = 0; ///< of the load of the answer; at most `most_ping_bytes`

  template <class Inspector>
  friend bool inspect(Inspector& f, ping& x) {
    return f.object(x).fields(f.field("number", x.number), f.field("load", x.load),
                              f.field("answer_bytes", x.answer_bytes));
  }
};

/// node → whoever measures.
struct pong {
  uint64_t number = 0; ///< of the ping
  payload load;

  template <class Inspector>
  friend bool inspect(Inspector& f, pong& x) {
    return f.object(x).fields(f.field("number", x.number), f.field("load", x.load));
  }
};

/// What a connection is like: how long the answer to a small message takes, and how fast tensors pass.
struct link_figures {
  uint64_t shortest_ns = 0;
  uint64_t median_ns = 0;
  uint64_t p99_ns = 0;
  double bytes_to = 0;   ///< a second, towards the other side
  double bytes_from = 0; ///< a second, from there

  bool operator==(const link_figures&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, link_figures& x) {
    return f.object(x).fields(f.field("shortest_ns", x.shortest_ns), f.field("median_ns", x.median_ns),
                              f.field("p99_ns", x.p99_ns), f.field("bytes_to", x.bytes_to),
                              f.field("bytes_from", x.bytes_from));
  }
};

/// `troupe ping` → node: what is your connection to that node like? Answered by `link_measured`.
struct measure_link {
  std::string address;      ///< HOST:PORT of the other node
  uint32_t round_trips = 0; ///< of small messages
  uint32_t loads = 0;       ///< each way
  uint64_t load_bytes = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, measure_link& x) {
    return f.object(x).fields(f.field("address", x.address), f.field("round_trips", x.round_trips),
                              f.field("loads", x.loads), f.field("load_bytes", x.load_bytes));
  }
};

/// node → `troupe ping`.
struct link_measured {
  link_figures figures;
  std::string refusal; ///< a sentence; empty: the figures are there

  template <class Inspector>
  friend bool inspect(Inspector& f, link_measured& x) {
    return f.object(x).fields(f.field("figures", x.figures), f.field("refusal", x.refusal));
  }
};

} // namespace troupe
