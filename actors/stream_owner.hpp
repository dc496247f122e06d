#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "actors/stream_core.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// owner of the work → stream_owner, within a process; answered with a `stream_outcome` when it is done, in the order
/// in which work came. Lost: cannot be, but if the state fails in place the answer is an error. Doubled: done twice.
struct stream_work {
  std::string what; ///< for sentences: "the forward pass"
  /// Enqueues it, and returns at the first failure. Runs in the actor: it must not wait. It is destroyed there, too,
  /// once the device is through with it, so what it holds stays until then.
  std::function<gpu::device_result<void>(gpu::device_stream&)> enqueue;
};

/// stream_owner → whoever sent the work: it is done, or why it is not.
struct stream_outcome {
  std::optional<gpu::device_failure> failed;
};

/// anyone in the process → stream_owner; answered with a `stream_tally`.
struct ask_stream {};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::stream_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::stream_outcome)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::ask_stream)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::stream_tally)

/// These never leave a process, so they have no place on the wire (messages/registry.hpp): their ids begin far behind
/// those, and behind an app's own, which follow them.
CAF_BEGIN_TYPE_ID_BLOCK(troupe_streams, 1000)
CAF_ADD_TYPE_ID(troupe_streams, (troupe::ask_stream))
CAF_ADD_TYPE_ID(troupe_streams, (troupe::stream_outcome))
CAF_ADD_TYPE_ID(troupe_streams, (troupe::stream_tally))
CAF_ADD_TYPE_ID(troupe_streams, (troupe::stream_work))
CAF_END_TYPE_ID_BLOCK(troupe_streams)

namespace troupe {

/// Makes the messages above known to CAF; call once per process after `register_messages`. Idempotent.
void register_stream_messages();

using stream_owner_actor = caf::typed_actor<caf::result<stream_outcome>(stream_work), //
                                            caf::result<stream_tally>(ask_stream)>;

/// Says why on standard error and ends the process at once, with `device_lost_exit_code`: destructors would wait for a
/// device that does nothing any more.
[[noreturn]] void end_process_of_lost_device(const gpu::device_failure& why);

/// Owns one stream of a device; nobody else enqueues on it (R9). A state for `spawn_in_place`: where an exception
/// leaves `stream_work::enqueue` the state is replaced, with a new stream (T3), and work in flight is answered with an
/// error each. See `stream_core` for order, credit and what counts as stuck. Receives `stream_work`, `ask_stream`. Ends
/// when stopped; work in flight then still runs, and nobody hears of it. Owns the stream, and the work that is on it.
class stream_owner {
public:
  using interface = stream_owner_actor;
  struct config {
    std::shared_ptr<gpu::driver> device;
    gpu::stream_priority priority = gpu::stream_priority::normal;
    stream_limits limits = {};
    /// What to do when the device is lost (T6). Tests that have no process to spare do something else.
    std::function<void(const gpu::device_failure&)> on_lost = end_process_of_lost_device;
  };
  static constexpr const char* actor_name = "troupe.stream_owner";

  stream_owner(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  struct piece {
    std::shared_ptr<stream_work> work;
    caf::typed_response_promise<stream_outcome> promise;
  };

  void act(const stream_actions& first);
  stream_actions carry_out(const stream_action::enqueue& a);
  stream_actions carry_out(const stream_action::answer& a);
  stream_actions carry_out(const stream_action::end_process& a);
  stream_actions carry_out(const stream_action::look_later& a);
  [[nodiscard]] time_point clock() const;

  interface::pointer self_;
  life now_;
  config config_;
  std::shared_ptr<gpu::device_stream> stream_;
  stream_core core_;
  stream_ticket next_ = 0;
  std::map<stream_ticket, piece> pieces_;
};

} // namespace troupe
