#pragma once

#include <caf/actor_control_block.hpp>
#include <utility>

#include "messages/caf.hpp"

namespace troupe {

/// Runs `f` as a message of the actor behind `whom`, if it still lives: how the completion of work on a stream comes back to
/// the stream's owner (R9). Any thread.
template <class F>
void post(const caf::weak_actor_ptr& whom, F f) {
  auto strong = caf::actor_cast<caf::strong_actor_ptr>(whom);
  if (!strong)
    return;
  auto content = caf::make_message(caf::make_action(std::move(f)));
#if CAF_MAJOR_VERSION >= 1
  strong->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), std::move(content)), nullptr);
#else
  strong->enqueue(nullptr, caf::make_message_id(), std::move(content), nullptr);
#endif
}

} // namespace troupe
