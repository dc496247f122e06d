#pragma once

#include <caf/actor_control_block.hpp>

#include <memory>
#include <utility>

#include "messages/caf.hpp"
#include "messages/failure.hpp"
#include "messages/ids.hpp"

namespace troupe {

class in_place;

/// One life of a state object in its shell (T3): from its construction until it fails or the shell ends. What a life
/// has set in motion — a timer, a request, work on a stream — comes back through its `post` or `guard`, which drop and
/// count it once the life is over; an exception from there ends the life as one from a handler does. Copyable; cheap.
class life {
public:
  life(caf::weak_actor_ptr shell, std::weak_ptr<in_place> keeper, incarnation number)
    : shell_(std::move(shell)), now_(std::make_shared<token>(token{std::move(keeper), number})) {}

  /// The incarnation of this life.
  [[nodiscard]] incarnation number() const { return now_->number; }

  /// Runs `f()` as a message of the shell; from any thread.
  template <class F>
  void post(F f) const {
    run_in(shell_, [t = now_, f = std::move(f)]() mutable { run(*t, f); });
  }

  /// `f` for `run_after`, `monitor` and `.then`: takes the same arguments, has no result.
  template <class F>
  auto guard(F f) const {
    return guarded(std::move(f), &F::operator());
  }

  /// Ends this life as an exception from a handler would; from any thread.
  void fail(failure why) const;

  /// For the shell, in its context: drop what comes back from now on.
  void end() const { now_->over = true; }

private:
  struct token {
    std::weak_ptr<in_place> keeper;
    incarnation number;
    bool over = false; ///< only touched in the shell's context
  };

  template <class F, class C, class... Xs>
  auto guarded(F f, void (C::*)(Xs...) const) const {
    return [t = now_, f = std::move(f)](Xs... xs) {
      auto call = [&] { f(std::forward<Xs>(xs)...); };
      run(*t, call);
    };
  }
  template <class F, class C, class... Xs>
  auto guarded(F f, void (C::*)(Xs...)) const {
    return [t = now_, f = std::move(f)](Xs... xs) mutable {
      auto call = [&] { f(std::forward<Xs>(xs)...); };
      run(*t, call);
    };
  }

  template <class F>
  static void run(token& t, F& f) {
    run(
      t, [](void* call) { (*static_cast<F*>(call))(); }, &f);
  }
  static void run(token& t, void (*call)(void*), void* what);

  caf::weak_actor_ptr shell_;
  std::shared_ptr<token> now_;
};

} // namespace troupe
