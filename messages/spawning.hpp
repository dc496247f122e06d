#pragma once

#include <cstdint>
#include <string>

#include <caf/actor_control_block.hpp>

#include "messages/ids.hpp"

namespace troupe {

/// Bytes of the argument of a `spawn_actor`, at most.
inline constexpr size_t most_argument_bytes = size_t{1} << 20;

/// near end of a child → node: start an actor of a type that the node's program has registered. The type is a name, the
/// argument the type's own, written as CAF writes messages. Answered by `actor_spawned`.
struct spawn_actor {
  std::string type;
  std::string child; ///< its id in the supervision tree: "greeter/0"
  troupe::incarnation incarnation;
  caf::strong_actor_ptr supervisor; ///< the actor ends when it is gone
  uint64_t messages = 0;            ///< `message_types::fingerprint` of whoever asks
  std::string argument;             ///< at most `most_argument_bytes`

  template <class Inspector>
  friend bool inspect(Inspector& f, spawn_actor& x) {
    return f.object(x).fields(f.field("type", x.type), f.field("child", x.child), f.field("incarnation", x.incarnation),
                              f.field("supervisor", x.supervisor), f.field("messages", x.messages),
                              f.field("argument", x.argument));
  }
};

/// node → near end of a child.
struct actor_spawned {
  caf::strong_actor_ptr handle; ///< null: see refusal
  std::string refusal;          ///< a sentence

  template <class Inspector>
  friend bool inspect(Inspector& f, actor_spawned& x) {
    return f.object(x).fields(f.field("handle", x.handle), f.field("refusal", x.refusal));
  }
};

} // namespace troupe
