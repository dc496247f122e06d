#pragma once

#include <caf/typed_event_based_actor.hpp>

#include "actors/hosted_job.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Has the whole data set, in the leader's process, for those that hold shards of it (`sample_keeper`).
/// Receives `request_samples`, `request_checksum` (sample keepers); answers with `samples` and `samples_checksum`, or a
/// refusal where the set has no such samples. Fails never by itself. Owns nothing: a new life goes on as if nothing had
/// been.
class sample_source {
public:
  using interface = sample_source_actor;
  static constexpr const char* actor_name = "troupe.sample_source";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job; ///< in which the data set is open
  };

  sample_source(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  [[nodiscard]] samples answer_to(const request_samples& what) const;
  [[nodiscard]] samples_checksum answer_to(const request_checksum& what) const;

  interface::pointer self_;
  life now_;
  config config_;
};

} // namespace troupe
