#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "learn/order.hpp"
#include "messages/failure.hpp"
#include "messages/ids.hpp"

namespace troupe {

/// Whose result of a micro-batch a step was committed with.
struct ledger_entry {
  uint32_t index = 0; ///< of the micro-batch in its step
  uint32_t agent = 0; ///< index of the agent's role
  troupe::incarnation incarnation;
  attempt number;   ///< of the lease
  uint32_t ids = 0; ///< CRC-32C over the ids of the samples that the agent gathered

  bool operator==(const ledger_entry&) const = default;
};

/// A step took effect.
struct ledger_step {
  step at;
  view rewound;         ///< the view in which the run last went back
  bool skipped = false; ///< its gradient was not finite: it counts and changes nothing
  std::vector<ledger_entry> entries;

  bool operator==(const ledger_step&) const = default;
};

/// The run went back: steps from `to` on, as far as they are recorded, took no effect.
struct ledger_rewind {
  step to;
  view rewound;

  bool operator==(const ledger_rewind&) const = default;
};

/// Begins a file of the ledger: what the order of samples depends on, and the first step of the file. Steps from there
/// on in earlier files took no effect.
struct ledger_head {
  learn::order_kind order = learn::order_kind::shuffled;
  uint64_t seed = 0;
  learn::batch_sizes sizes;
  learn::exchange_options exchange;
  step first;
};

using ledger_record = std::variant<ledger_head, ledger_step, ledger_rewind>;

/// Appends the record as a CRC-32C frame.
void append_frame(std::vector<std::byte>& to, const ledger_record& r);
/// From a frame's payload. Fails on one of another version.
expected<ledger_record> ledger_record_from(std::span<const std::byte> payload);

} // namespace troupe
