#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <deque>

#include "actors/hosted_job.hpp"
#include "gpu/stream.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Has the whole data set, in the leader's process, for those that hold shards of it (`sample_keeper`).
/// Receives `request_samples`, `request_checksum` (sample keepers); answers with `samples` and `samples_checksum`, or a
/// refusal where the set has no such samples. Reads them on its stream, and fails when that does. A new life goes on as
/// if nothing had been: who waits for an answer asks again.
class sample_source {
public:
  using interface = sample_source_actor;
  static constexpr const char* actor_name = "troupe.sample_source";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job; ///< in which the data set is open
    gpu::device where;
  };

  sample_source(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  void answer(const request_samples& what, caf::typed_response_promise<samples> promise);
  void answer(const request_checksum& what, caf::typed_response_promise<samples_checksum> promise);

  interface::pointer self_;
  life now_;
  config config_;
  gpu::stream stream_;
  // Who waits for what the stream reads, in its order.
  std::deque<caf::typed_response_promise<samples>> asked_;
  std::deque<caf::typed_response_promise<samples_checksum>> asked_checksum_;
};

} // namespace troupe
