#pragma once

/// The one place that knows how CAF 0.18.7 and CAF 1.1.0 differ in spelling. Every room that talks to CAF says `send`,
/// `request`, `monitor`, … from here and compiles with both.
///
/// `self` is a pointer to an event-based actor (`caf::event_based_actor*`, a typed or a stateful one) or a
/// `caf::scoped_actor`; `dst` is any actor handle. CAF_VERSION is not usable to tell them apart (1.1.0's CMake
/// generates an octal literal), CAF_MAJOR_VERSION is.

#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_proxy.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/byte_span.hpp>
#include <caf/config.hpp>
#include <caf/disposable.hpp>
#include <caf/error.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <caf/action.hpp>
#if CAF_MAJOR_VERSION >= 1
#include <caf/anon_mail.hpp>
#include <caf/scheduler.hpp>
#else
#include <caf/actor_ostream.hpp>
#include <caf/execution_unit.hpp>
#include <caf/string_view.hpp>
#endif

namespace troupe {

#if CAF_MAJOR_VERSION >= 1
using caf_byte = std::byte;
using caf_string_view = std::string_view;
/// What `abstract_actor::enqueue` and `resumable::resume` take as their context.
using caf_context = caf::scheduler;
#else
using caf_byte = caf::byte;
using caf_string_view = caf::string_view;
using caf_context = caf::execution_unit;
#endif

// -- sending --------------------------------------------------------------------------------------

/// Sends without asking for an answer.
template <class Self, class Dst, class... Ts>
void send(Self&& self, const Dst& dst, Ts&&... xs) {
#if CAF_MAJOR_VERSION >= 1
  self->mail(std::forward<Ts>(xs)...).send(dst);
#else
  self->send(dst, std::forward<Ts>(xs)...);
#endif
}

/// `send` past the normal messages waiting in the receiver's mailbox.
template <class Self, class Dst, class... Ts>
void send_urgent(Self&& self, const Dst& dst, Ts&&... xs) {
#if CAF_MAJOR_VERSION >= 1
  self->mail(std::forward<Ts>(xs)...).urgent().send(dst);
#else
  self->template send<caf::message_priority::high>(dst, std::forward<Ts>(xs)...);
#endif
}

/// Sends when `delay` has passed on the actor system's clock (virtual in simulations). To cancel it, use `run_after`.
template <class Self, class Dst, class Rep, class Period, class... Ts>
void delayed_send(Self&& self, const Dst& dst, std::chrono::duration<Rep, Period> delay, Ts&&... xs) {
#if CAF_MAJOR_VERSION >= 1
  self->mail(std::forward<Ts>(xs)...).delay(delay).send(dst);
#else
  self->delayed_send(dst, delay, std::forward<Ts>(xs)...);
#endif
}

/// Sends from outside any actor. Spell it `troupe::anon_send`: CAF's own of that name is found with it otherwise.
template <class Dst, class... Ts>
void anon_send(const Dst& dst, Ts&&... xs) {
#if CAF_MAJOR_VERSION >= 1
  caf::anon_mail(std::forward<Ts>(xs)...).send(dst);
#else
  caf::anon_send(dst, std::forward<Ts>(xs)...);
#endif
}

/// Sends and hands back the answer: `.then(on_value, on_error)` for event-based actors, `.receive(…)` for scoped ones.
/// There is no overload without a deadline (R7): a request to a node that dies would else never complete.
template <class Self, class Dst, class Rep, class Period, class... Ts>
auto request(Self&& self, const Dst& dst, std::chrono::duration<Rep, Period> deadline, Ts&&... xs) {
#if CAF_MAJOR_VERSION >= 1
  return self->mail(std::forward<Ts>(xs)...).request(dst, deadline);
#else
  return self->request(dst, deadline, std::forward<Ts>(xs)...);
#endif
}

/// Lets `dst` answer the message being handled; return the result from the handler.
template <class Self, class Dst, class... Ts>
auto delegate(Self&& self, const Dst& dst, Ts&&... xs) {
#if CAF_MAJOR_VERSION >= 1
  return self->mail(std::forward<Ts>(xs)...).delegate(dst);
#else
  return self->delegate(dst, std::forward<Ts>(xs)...);
#endif
}

/// A message as it lies in a mailbox.
inline caf::mailbox_element_ptr envelope(caf::strong_actor_ptr sender, caf::message_id id, caf::message content) {
#if CAF_MAJOR_VERSION >= 1
  return caf::make_mailbox_element(std::move(sender), id, std::move(content));
#else
  return caf::make_mailbox_element(std::move(sender), id, caf::mailbox_element::forwarding_stack{}, std::move(content));
#endif
}

/// Puts a message of any content into a mailbox.
inline void anon_enqueue(const caf::strong_actor_ptr& dst, caf::message content) {
  dst->enqueue(envelope(nullptr, caf::make_message_id(), std::move(content)), nullptr);
}

/// The same on behalf of `from`, to whom an answer goes.
inline void enqueue_as(const caf::strong_actor_ptr& from, const caf::strong_actor_ptr& dst, caf::message content) {
#if CAF_MAJOR_VERSION >= 1
  dst->enqueue(caf::make_mailbox_element(from, caf::make_message_id(), std::move(content)), nullptr);
#else
  dst->enqueue(from, caf::make_message_id(), std::move(content), nullptr);
#endif
}

/// Asks `dst` to end with `reason`, from outside any actor. CAF's own spelling takes only its `exit_reason`; a reason
/// with a cause needs an error. Inside an actor use `self->send_exit(dst, reason)`, alike in both versions.
template <class Dst>
void anon_send_exit(const Dst& dst, caf::error reason) {
  if (auto ptr = caf::actor_cast<caf::strong_actor_ptr>(dst))
    anon_enqueue(ptr, caf::make_message(caf::exit_msg{ptr->address(), std::move(reason)}));
}

/// Runs `f()` as a message of the event-based actor `whom`, which must live in this process; from anywhere. Without
/// effect if it has ended. For parts of one actor that are called from other threads; between actors send messages.
template <class Handle, class F>
void run_in(const Handle& whom, F f) {
  if (auto ptr = caf::actor_cast<caf::strong_actor_ptr>(whom))
    anon_enqueue(ptr, caf::make_message(caf::make_action(std::move(f))));
}

// -- watching -------------------------------------------------------------------------------------

#if CAF_MAJOR_VERSION >= 1
/// Ends a `monitor`: after `dispose()` its callback does not run any more.
using subscription = caf::disposable;
#else
/// Ends a `monitor`: after `dispose()` its callback does not run any more.
class subscription {
public:
  subscription() = default;
  explicit subscription(std::shared_ptr<std::atomic<bool>> disposed) : disposed_(std::move(disposed)) {}

  void dispose() {
    if (disposed_)
      *disposed_ = true;
  }

private:
  std::shared_ptr<std::atomic<bool>> disposed_;
};
#endif

/// Runs `on_down(const caf::error& reason)` as a message of `self` once `whom` has ended, also if it had ended before;
/// never after `self` itself ended. The reason is default constructed (`!reason`) for a normal exit. For an actor on
/// another node it runs when the actor ends or the connection is lost (`caf::exit_reason::remote_link_unreachable`).
template <class Self, class Handle, class F>
subscription monitor(Self* self, const Handle& whom, F on_down) {
#if CAF_MAJOR_VERSION >= 1
  return self->monitor(whom, std::move(on_down));
#else
  auto disposed = std::make_shared<std::atomic<bool>>(false);
  auto callback = std::make_shared<F>(std::move(on_down));
  auto watcher = caf::weak_actor_ptr{self->ctrl()};
  caf::actor_cast<caf::abstract_actor*>(whom)->attach_functor([=](const caf::error& reason) {
    run_in(watcher, [=] {
      if (!*disposed)
        (*callback)(reason);
    });
  });
  return subscription{std::move(disposed)};
#endif
}

/// Runs `f()` as a message of `self` when `delay` has passed on the actor system's clock; `.dispose()` cancels it.
template <class Self, class Rep, class Period, class F>
caf::disposable run_after(Self* self, std::chrono::duration<Rep, Period> delay, F f) {
  return self->run_delayed(delay, std::move(f));
}

/// Has `self` answer exit messages by `f(caf::exit_msg&)` instead of ending with their reason. `kill` cannot be caught.
template <class Self, class F>
void on_exit_message(Self* self, F f) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  self->set_exit_handler(std::move(f));
#pragma GCC diagnostic pop
}

/// Has `self` handle messages that its behaviour does not match by `f(caf::scheduled_actor*, caf::message&)`.
template <class Self, class F>
void on_unmatched_message(Self* self, F f) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  self->set_default_handler(std::move(f));
#pragma GCC diagnostic pop
}

// -- the actor itself -----------------------------------------------------------------------------

/// The state object of a `caf::stateful_actor`.
template <class Self>
auto& state(Self* self) {
#if CAF_MAJOR_VERSION >= 1
  return self->state();
#else
  return self->state;
#endif
}

/// Prints a whole line to standard output, never interleaved with lines of other actors.
template <class Self>
void println(Self&& self, const std::string& line) {
#if CAF_MAJOR_VERSION >= 1
  self->println("{}", line);
#else
  caf::aout(self) << line << std::endl;
#endif
}

/// Whether an actor of this process has ended.
inline bool has_ended(const caf::strong_actor_ptr& whom) {
#if CAF_MAJOR_VERSION >= 1
  return whom->get()->getf(caf::abstract_actor::is_terminated_flag);
#else
  return whom->get()->getf(caf::abstract_actor::is_cleaned_up_flag);
#endif
}

/// What an actor that stands for one elsewhere derives from.
class proxy_base : public caf::actor_proxy {
public:
  using caf::actor_proxy::actor_proxy;

#if CAF_MAJOR_VERSION >= 1
private:
  void force_close_mailbox() override {} // it has none
#endif
};

// -- raw bytes in messages ------------------------------------------------------------------------

/// True for the inspectors that write or read CAF's binary format, the only ones that may use `write_block` and
/// `read_block`: `if constexpr (is_binary_writer<Inspector>) …`.
template <class Inspector>
inline constexpr bool is_binary_writer = std::is_same_v<Inspector, caf::binary_serializer>;
template <class Inspector>
inline constexpr bool is_binary_reader = std::is_same_v<Inspector, caf::binary_deserializer>;

/// Writes `size` bytes as one block, ten times as fast as element by element. The size itself is not written. The bytes
/// travel in host order (little-endian on every supported machine).
inline bool write_block(caf::binary_serializer& out, const void* data, size_t size) {
  return out.value(caf::const_byte_span{static_cast<const caf_byte*>(data), size});
}

/// Reads `size` bytes written by `write_block`. False, with the error set at `in`, if the message has fewer left; check
/// `in.remaining()` before allocating for a size that came from the network.
inline bool read_block(caf::binary_deserializer& in, void* data, size_t size) {
  return in.value(caf::byte_span{static_cast<caf_byte*>(data), size});
}

} // namespace troupe
