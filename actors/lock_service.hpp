#pragma once

#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "actors/lock_core.hpp"
#include "actors/lock_journal.hpp"
#include "gpu/stream.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Grants named locks for a time, with fencing tokens (see `lock_core`); `lock_client` is its other end.
/// Receives `acquire_lock`, `renew_lock`, `release_lock` (any actor); answers each to its sender, with `lock_granted`,
/// `lock_refused` or `lock_released`. Fails when its stream does. A journal that cannot be written refuses locks, one
/// sentence each, and is tried again with the next. Owns a stream for its journal. A new life goes on from the journal
/// and waits out what may still be held.
class lock_service {
public:
  using interface = lock_service_actor;
  static constexpr const char* actor_name = "troupe.lock_service";

  struct config {
    role_id role;
    std::shared_ptr<lock_journal> journal; ///< outlives the service; touched on `files` alone
    gpu::device files;                     ///< whose lane writes the journal
    lock_core::config core;
    std::function<void(uint64_t)> on_dropped; ///< told of old messages; may be empty
  };

  lock_service(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  void open();
  void ready_or_not(const expected<lock_state>& before);
  /// Remembers where the client is and hands the message to the core; keeps it until the journal is open.
  template <class Message>
  void admit(const Message& m, lock_core::actions (lock_core::*handle)(const Message&, time_point));
  void perform(const lock_core::actions& actions);
  void perform(const lock_core::record& a);
  void perform(const lock_core::tell& a);
  void set_alarm();
  void forget_strangers();
  time_point now() { return self_->home_system().clock().now(); }

  interface::pointer self_;
  life now_;
  config config_;
  gpu::stream files_;
  std::optional<lock_core> core_; ///< none: the journal is not open
  bool opening_ = false;
  std::vector<std::function<void(const expected<void>&)>> early_; ///< came before the journal was open
  std::map<member, caf::strong_actor_ptr> clients_;               ///< who holds, waits or has just asked
  caf::disposable alarm_;
  std::optional<time_point> alarm_at_;
};

} // namespace troupe
