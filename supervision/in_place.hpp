#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/behavior.hpp>
#include <caf/disposable.hpp>
#include <caf/scheduled_actor.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "messages/supervision.hpp"
#include "supervision/exit_cause.hpp"
#include "supervision/in_place_core.hpp"
#include "supervision/life.hpp"
#include "supervision/pulse.hpp"
#include "supervision/recent_messages.hpp"

namespace troupe {

/// Who decides when a state has failed, and under which name. `start_context::link` makes one; an empty one means that
/// nobody does, and the shell ends as any actor would.
struct in_place_link {
  caf::actor supervisor;
  std::string child; ///< its id there
  incarnation number;
  std::shared_ptr<pulse> beat;             ///< optional: for whoever looks for stuck handlers
  std::shared_ptr<recent_messages> recent; ///< optional: for whoever reports the actor's end
};

/// Keeps an actor's handle and mailbox while its state object fails and is replaced (T3): all of the shell that does
/// not depend on the state's type. Lives and works in the shell's context.
///
/// A state fails when an exception leaves one of its handlers or callbacks, or by `life::fail`. It is destroyed at
/// once, so that whoever waits for a promise of its gets an error; a request that was being handled gets one too. The
/// supervisor is told and decides, as about any child: it answers with the next incarnation's number, or ends the
/// shell. Until then messages wait in the mailbox in their order.
class in_place : public std::enable_shared_from_this<in_place> {
public:
  /// `open` makes a state and returns its behaviour, `close` destroys the state.
  struct parts {
    std::function<caf::behavior(const life&)> open;
    std::function<void()> close;
  };

  in_place(caf::scheduled_actor* shell, in_place_link link, parts p);

  /// The shell's behaviour; opens the first life.
  caf::behavior begin();
  /// The shell ends.
  void end();

  [[nodiscard]] const in_place_counts& counts() const { return core_.counts(); }

private:
  friend class life;
  friend class guarded_behavior;

  bool handle(caf::detail::invoke_result_visitor& answer, caf::message& what);
  void open();
  void failed(exit_kind kind, std::string why, in_place_core::during what, const caf::message* message);
  void failed_by_exception(in_place_core::during what, const caf::message* message);
  void replace(incarnation next);
  void retry();
  void tell(const exit_cause& cause);

  caf::scheduled_actor* shell_;
  in_place_link link_;
  parts parts_;
  in_place_core core_;
  std::shared_ptr<pulse> beat_;
  std::optional<life> life_;
  caf::behavior inner_;
  caf::message kept_;
  caf::strong_actor_ptr kept_sender_;
  std::shared_ptr<recent_messages> recent_;
  caf::disposable reminder_;
  bool over_ = false;
};

/// An actor whose state is an object that can be replaced. `State` has
///   using interface = caf::typed_actor<…>;  struct config {…};  static constexpr const char* actor_name;
///   State(pointer self, life now, const config& c);      // self: the shell, for sending, timers and promises
///   interface::behavior_type make_behavior();
/// and hands nothing out that refers to itself but through `now`. See actors/data_broker.hpp for a short one.
template <class State>
class shell final : public State::interface::base {
public:
  using super = typename State::interface::base;
  using behavior_type = typename super::behavior_type;

  shell(caf::actor_config& cfg, in_place_link link, typename State::config config)
    : super(cfg), config_(std::move(config)),
      keeper_(std::make_shared<in_place>(
        this, std::move(link),
        in_place::parts{[this](const life& now) { return open(now); }, [this] { state_.reset(); }})) {}

  const char* name() const override { return State::actor_name; }
  behavior_type make_behavior() override { return {caf::unsafe_behavior_init, keeper_->begin()}; }
  void on_exit() override {
    keeper_->end();
    super::on_exit();
  }

private:
  caf::behavior open(const life& now) {
    state_.reset();
    state_ = std::make_unique<State>(this, now, config_);
    return std::move(state_->make_behavior().unbox());
  }

  typename State::config config_;
  std::unique_ptr<State> state_;
  std::shared_ptr<in_place> keeper_;
};

/// Spawns the shell of a state: `return spawn_in_place<data_broker>(c.system, c.link(), config);` in a start function.
template <class State, caf::spawn_options Options = caf::no_spawn_options>
typename State::interface spawn_in_place(caf::actor_system& system, in_place_link link, typename State::config config) {
  return system.spawn<shell<State>, Options>(std::move(link), std::move(config));
}

} // namespace troupe
