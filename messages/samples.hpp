#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/payload.hpp"

namespace troupe {

/// agent → the sample keeper at its side: it works in this epoch, and waits for these samples. Answered by
/// `samples_held` whenever some have come. Nobody answers, or the keeper was started again: asked again.
struct need_samples {
  role_id from;
  step at;                   ///< the step that needs them
  step applied;              ///< steps before this one need none any more
  uint64_t epoch = 0;        ///< in which the agent works
  bool of_test = false;      ///< of the test set
  std::vector<uint32_t> ids; ///< none: only the epoch is new

  template <class Inspector>
  friend bool inspect(Inspector& f, need_samples& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("applied", x.applied),
                              f.field("epoch", x.epoch), f.field("of_test", x.of_test), f.field("ids", x.ids));
  }
};

/// sample keeper → its agent: samples have come that it may wait for.
struct samples_held {
  uint64_t samples = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, samples_held& x) {
    return f.object(x).fields(f.field("samples", x.samples));
  }
};

/// sample keeper → sample source, sample keeper: these samples as they are stored. Answered by `samples`.
struct request_samples {
  role_id from;
  step at;              ///< of the agent at its side, when it asks
  bool of_test = false; ///< of the test set
  uint64_t first = 0;   ///< [first, last), if there are no ids: a piece of a shard
  uint64_t last = 0;
  std::vector<uint32_t> ids;
  bool can_wait = false; ///< a keeper that does not have the piece yet may answer when it does

  [[nodiscard]] uint64_t count() const { return ids.empty() ? last - first : ids.size(); }

  template <class Inspector>
  friend bool inspect(Inspector& f, request_samples& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("of_test", x.of_test),
                              f.field("first", x.first), f.field("last", x.last), f.field("ids", x.ids),
                              f.field("can_wait", x.can_wait));
  }
};

/// sample source, sample keeper → who asked.
struct samples {
  bool here = false;   ///< a keeper that does not hold them says so
  std::string refusal; ///< a sentence, of a source that has no such samples
  payload values;      ///< (n, bytes of a sample) u8
  payload labels;      ///< (n) i32

  template <class Inspector>
  friend bool inspect(Inspector& f, samples& x) {
    return f.object(x).fields(f.field("here", x.here), f.field("refusal", x.refusal), f.field("values", x.values),
                              f.field("labels", x.labels));
  }
};

/// sample keeper → sample source: what samples [first, last) of the training set come to, so that a file with them need
/// not be fetched again. Answered by `samples_checksum`.
struct request_checksum {
  role_id from;
  uint64_t first = 0;
  uint64_t last = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, request_checksum& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("first", x.first), f.field("last", x.last));
  }
};

/// sample source → sample keeper: CRC-32C over the samples as they are stored, then over their labels.
struct samples_checksum {
  std::string refusal; ///< a sentence; empty: the source has these samples
  uint32_t crc32c = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, samples_checksum& x) {
    return f.object(x).fields(f.field("refusal", x.refusal), f.field("crc32c", x.crc32c));
  }
};

} // namespace troupe
