#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/job.hpp"
#include "messages/payload.hpp"

namespace troupe {

/// How the leader of a job is followed by a standby, and who of them leads (`leader_lease`, `leadership`).

/// Of a process that leads a job, or would: 1 for the first leader, 2 for its standby. Once a term has led, no lower
/// one does ever again.
using term = strong_number<struct term_tag>;

/// The leader of a term, or the standby that would lead the next → the nodes of the job, the standby: I claim to lead,
/// said again at a steady pace. Answered by `lead_answer`.
struct claim_lead {
  std::string job;
  troupe::term term;
  uint64_t attempt = 0; ///< the how many-th; rises after each that was given up
  bool leads = false;   ///< it has had the grants of a majority: what was led before is over

  template <class Inspector>
  friend bool inspect(Inspector& f, claim_lead& x) {
    return f.object(x).fields(f.field("job", x.job), f.field("term", x.term), f.field("attempt", x.attempt),
                              f.field("leads", x.leads));
  }
};

/// Answer to `claim_lead`.
struct lead_answer {
  bool granted = false;
  bool over = false;     ///< a later term has led: this one never will again
  uint64_t lease_ms = 0; ///< from when the claim arrived; nobody else is granted the lead meanwhile

  template <class Inspector>
  friend bool inspect(Inspector& f, lead_answer& x) {
    return f.object(x).fields(f.field("granted", x.granted), f.field("over", x.over), f.field("lease_ms", x.lease_ms));
  }
};

/// Whoever has claimed a lead → nodes, standby: what was granted to that attempt is given up.
struct release_lead {
  std::string job;
  troupe::term term;
  uint64_t attempt = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, release_lead& x) {
    return f.object(x).fields(f.field("job", x.job), f.field("term", x.term), f.field("attempt", x.attempt));
  }
};

/// leader → standby: the job that it is to lead, should this leader be gone. What is not said here is in the
/// description. Names no file of the leader's. Answered by `following`.
struct follow_job {
  std::string job;      ///< as in `claim_lead`
  troupe::term term;    ///< the leader's
  job_description what; ///< its `job_id` is the leader's
  std::string sync;     ///< as in `job_options`, like the rest
  uint32_t agents = 1;
  uint32_t least_agents = 1;
  uint64_t epochs = 0;
  uint64_t steps = 0;
  float learning_rate = 0;
  float clip_norm = 0;
  uint8_t schedule = 0; ///< learn::schedule_options
  uint64_t warmup_steps = 0;
  uint64_t step_every = 0;
  float step_factor = 0;
  uint64_t total_steps = 0;
  uint8_t on_nonfinite = 0;
  uint64_t checkpoint_every = 0;
  double target_accuracy = 0;
  uint64_t log_every = 1;
  bool evaluate = true;
  std::vector<std::string> nodes; ///< HOST:PORT, as the standby can reach them, too

  template <class Inspector>
  friend bool inspect(Inspector& f, follow_job& x) {
    return f.object(x).fields(
      f.field("job", x.job), f.field("term", x.term), f.field("what", x.what), f.field("sync", x.sync),
      f.field("agents", x.agents), f.field("least_agents", x.least_agents), f.field("epochs", x.epochs),
      f.field("steps", x.steps), f.field("learning_rate", x.learning_rate), f.field("clip_norm", x.clip_norm),
      f.field("schedule", x.schedule), f.field("warmup_steps", x.warmup_steps), f.field("step_every", x.step_every),
      f.field("step_factor", x.step_factor), f.field("total_steps", x.total_steps),
      f.field("on_nonfinite", x.on_nonfinite), f.field("checkpoint_every", x.checkpoint_every),
      f.field("target_accuracy", x.target_accuracy), f.field("log_every", x.log_every), f.field("evaluate", x.evaluate),
      f.field("nodes", x.nodes));
  }
};

/// standby → leader, answer to `follow_job`.
struct following {
  std::string refusal; ///< a sentence; empty: it follows

  template <class Inspector>
  friend bool inspect(Inspector& f, following& x) {
    return f.object(x).fields(f.field("refusal", x.refusal));
  }
};

/// leader → standby: where the run stands. One is under way at a time. Answered by `state_kept`.
struct keep_state {
  std::string job;
  step version;
  fencing_token tokens; ///< no lock of this leader is ever granted with a higher one
  payload parameters;
  std::vector<payload> state; ///< of the optimiser; empty: all zero

  template <class Inspector>
  friend bool inspect(Inspector& f, keep_state& x) {
    return f.object(x).fields(f.field("job", x.job), f.field("version", x.version), f.field("tokens", x.tokens),
                              f.field("parameters", x.parameters), f.field("state", x.state));
  }
};

/// standby → leader, answer to `keep_state`.
struct state_kept {
  std::string refusal; ///< a sentence; empty: the run would go on from there

  template <class Inspector>
  friend bool inspect(Inspector& f, state_kept& x) {
    return f.object(x).fields(f.field("refusal", x.refusal));
  }
};

/// leader → standby: the run has ended, and nobody has to take over. Answered by unit.
struct job_ended {
  std::string job;
  std::string how; ///< a sentence

  template <class Inspector>
  friend bool inspect(Inspector& f, job_ended& x) {
    return f.object(x).fields(f.field("job", x.job), f.field("how", x.how));
  }
};

} // namespace troupe
