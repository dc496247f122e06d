#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <caf/actor_control_block.hpp>

#include "messages/ids.hpp"
#include "messages/job.hpp"
#include "messages/process_place.hpp"

namespace troupe {

/// Changes whenever a message or its type id changes: two processes talk only if they agree on it.
inline constexpr uint32_t protocol_version = 16;

/// First message between two processes, both ways; the first type of the registry, so that its id never moves and a
/// process of another version can still read it and answer with a sentence.
struct hello {
  std::string magic = "troupe";
  uint32_t protocol = protocol_version;
  std::string version; ///< of Troupe, for the sentence
  std::string job_id;  ///< empty: what is asked is of no job that hosts agents
  std::string refusal; ///< in the answer: why the node does not take part; empty: welcome
  uint32_t slots = 0;  ///< in the answer: agents that the node still takes

  template <class Inspector>
  friend bool inspect(Inspector& f, hello& x) {
    return f.object(x).fields(f.field("magic", x.magic), f.field("protocol", x.protocol), f.field("version", x.version),
                              f.field("job_id", x.job_id), f.field("refusal", x.refusal), f.field("slots", x.slots));
  }
};

/// A worker process has the rank of its agent; the leader's has none.
inline constexpr uint32_t leader_rank = UINT32_MAX;

/// A line of the directory: under which handle a role is reached. The only message that carries handles (R2).
struct bind_role {
  role_id role;
  troupe::incarnation incarnation;
  caf::strong_actor_ptr handle;
  std::string address = {};    ///< HOST:PORT of its worker process, for those that connect to it; empty: the leader's
  uint32_t rank = leader_rank; ///< of that process
  process_place place = {};    ///< of that process, for those that share memory with it

  template <class Inspector>
  friend bool inspect(Inspector& f, bind_role& x) {
    return f.object(x).fields(f.field("role", x.role), f.field("incarnation", x.incarnation),
                              f.field("handle", x.handle), f.field("address", x.address), f.field("rank", x.rank),
                              f.field("place", x.place));
  }
};

/// directory → the shells of this node: a role has (another) handle.
struct role_bound {
  role_id role;
  troupe::incarnation incarnation;

  template <class Inspector>
  friend bool inspect(Inspector& f, role_bound& x) {
    return f.object(x).fields(f.field("role", x.role), f.field("incarnation", x.incarnation));
  }
};

/// remote worker → node: a worker process for an agent, and the how many-th. Answered by `worker_opened` when the
/// process listens.
struct open_worker {
  std::string job_id;
  role_id role;
  troupe::incarnation incarnation;
  caf::strong_actor_ptr supervisor; ///< the workers of a job end with it

  template <class Inspector>
  friend bool inspect(Inspector& f, open_worker& x) {
    return f.object(x).fields(f.field("job_id", x.job_id), f.field("role", x.role),
                              f.field("incarnation", x.incarnation), f.field("supervisor", x.supervisor));
  }
};

/// node → remote worker.
struct worker_opened {
  uint16_t port = 0;   ///< on the node's host
  std::string refusal; ///< a sentence; empty: it listens

  template <class Inspector>
  friend bool inspect(Inspector& f, worker_opened& x) {
    return f.object(x).fields(f.field("port", x.port), f.field("refusal", x.refusal));
  }
};

/// remote worker → node: how did this process end? Answered by `worker_ended` once it has.
struct ask_worker_end {
  role_id role;
  troupe::incarnation incarnation;

  template <class Inspector>
  friend bool inspect(Inspector& f, ask_worker_end& x) {
    return f.object(x).fields(f.field("role", x.role), f.field("incarnation", x.incarnation));
  }
};

/// node → remote worker.
struct worker_ended {
  std::string how; ///< "its process 123 was ended by signal 9 (Killed)"; empty: the node knows no such process

  template <class Inspector>
  friend bool inspect(Inspector& f, worker_ended& x) {
    return f.object(x).fields(f.field("how", x.how));
  }
};

/// remote worker → the agent host in a worker process: start an agent of a job, or a role that lives beside it.
/// Answered by `agent_spawned`.
struct spawn_agent {
  job_description job;
  role_id role;
  troupe::incarnation incarnation;
  caf::strong_actor_ptr supervisor;
  std::vector<bind_role> directory; ///< the roles it will talk to
  uint32_t rank = 0;                ///< of the process

  template <class Inspector>
  friend bool inspect(Inspector& f, spawn_agent& x) {
    return f.object(x).fields(f.field("job", x.job), f.field("role", x.role), f.field("incarnation", x.incarnation),
                              f.field("supervisor", x.supervisor), f.field("directory", x.directory),
                              f.field("rank", x.rank));
  }
};

/// Whoever ends a host in order → node, agent host, agent, ring peer: the host goes away. An agent finishes what it has
/// begun and goes when that has taken effect; others take its place in the next step. Its ring peer goes when a step
/// has taken effect without it; a shard holder at its side stays until the run ends, and the host with it. Idempotent.
struct leave_run {
  bool in_order = true;

  template <class Inspector>
  friend bool inspect(Inspector& f, leave_run& x) {
    return f.object(x).fields(f.field("in_order", x.in_order));
  }
};

/// remote worker → agent host, at a steady pace: are you there? Answered by `alive` from its own thread, which computes
/// nothing, so silence means that the whole process is stopped, overloaded or unreachable.
struct heartbeat {
  uint64_t number = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, heartbeat& x) {
    return f.object(x).fields(f.field("number", x.number));
  }
};

/// agent host → remote worker, answer to `heartbeat`.
struct alive {
  uint64_t number = 0;            ///< of the heartbeat
  std::vector<role_id> lost = {}; ///< roles of other workers whose handles have gone stale here: bind them again
  uint64_t sent_bytes = 0;        ///< of gradients and parameters, by roles of this process so far
  uint64_t lent_bytes = 0;        ///< of tensors that the process has lent to others of its host, so far
  uint64_t not_lent = 0;          ///< tensors that it sent instead, since all that it may lend was out, so far
  uint64_t from_source = 0;       ///< bytes of samples that the process was sent by the sample source, so far
  uint64_t from_keepers = 0;      ///< bytes of samples that it was sent by keepers in other processes, so far
  uint64_t most_held = 0;         ///< bytes of samples that it held at a time, at most

  template <class Inspector>
  friend bool inspect(Inspector& f, alive& x) {
    return f.object(x).fields(f.field("number", x.number), f.field("lost", x.lost), f.field("sent_bytes", x.sent_bytes),
                              f.field("lent_bytes", x.lent_bytes), f.field("not_lent", x.not_lent),
                              f.field("from_source", x.from_source), f.field("from_keepers", x.from_keepers),
                              f.field("most_held", x.most_held));
  }
};

/// agent host → remote worker.
struct agent_spawned {
  caf::strong_actor_ptr handle; ///< null: see refusal
  std::string refusal;          ///< a sentence
  process_place place = {};     ///< of the process

  template <class Inspector>
  friend bool inspect(Inspector& f, agent_spawned& x) {
    return f.object(x).fields(f.field("handle", x.handle), f.field("refusal", x.refusal), f.field("place", x.place));
  }
};

} // namespace troupe
