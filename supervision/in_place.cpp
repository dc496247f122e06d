#include "supervision/in_place.hpp"

#include <caf/deep_to_string.hpp>
#include <caf/detail/behavior_impl.hpp>
#include <caf/detail/default_invoke_result_visitor.hpp>
#include <caf/sec.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <fmt/format.h>
#include <typeinfo>

#include "messages/caf.hpp"
#include "messages/registry.hpp"
#include "supervision/exit_reason.hpp"

namespace troupe {

namespace {

constexpr size_t longest_text = 240; // of a message in a report (R13)
constexpr auto reminder_pause = std::chrono::seconds{2};

std::string text_of(const caf::message& what) {
  auto text = caf::to_string(what);
  if (text.size() > longest_text)
    text = text.substr(0, longest_text) + "…";
  return text;
}

} // namespace

/// What the shell has for a behaviour: hands every message to its keeper.
class guarded_behavior final : public caf::detail::behavior_impl {
public:
  explicit guarded_behavior(std::shared_ptr<in_place> keeper) : keeper_(std::move(keeper)) {}

  using caf::detail::behavior_impl::invoke;
  bool invoke(caf::detail::invoke_result_visitor& answer, caf::message& what) override {
    return keeper_->handle(answer, what);
  }

private:
  std::shared_ptr<in_place> keeper_;
};

// -- a life ---------------------------------------------------------------------------------------

void life::run(token& t, void (*call)(void*), void* what) {
  auto keeper = t.keeper.lock();
  if (!keeper)
    return;
  if (t.over) {
    keeper->core_.on_stale();
    return;
  }
  keeper->beat_->begin();
  try {
    call(what);
  } catch (...) {
    keeper->failed_by_exception(in_place_core::during::callback, nullptr);
  }
  keeper->beat_->end();
}

void life::fail(failure why) const {
  run_in(shell_, [t = now_, why = std::move(why)] {
    auto keeper = t->keeper.lock();
    if (keeper && !t->over)
      keeper->failed(exit_kind::error, why.sentence, in_place_core::during::callback, nullptr);
  });
}

// -- the shell ------------------------------------------------------------------------------------

in_place::in_place(caf::scheduled_actor* shell, in_place_link link, parts p)
  : shell_(shell), link_(std::move(link)), parts_(std::move(p)), core_(link_.number),
    beat_(link_.beat ? link_.beat : std::make_shared<pulse>()),
    recent_(link_.recent ? link_.recent : std::make_shared<recent_messages>()) {}

caf::behavior in_place::begin() {
  // Without a state nothing matches, and what does not match waits in the mailbox.
  on_unmatched_message(shell_, [this](caf::scheduled_actor*, caf::message& what) -> caf::skippable_result {
    if (core_.waits())
      return caf::skip;
    return caf::make_error(caf::sec::unexpected_message, fmt::format("{} is not for it", name_of(what.types())));
  });
  open();
  return caf::behavior{caf::detail::behavior_impl_ptr{new guarded_behavior{shared_from_this()}, false}};
}

void in_place::end() {
  over_ = true;
  reminder_.dispose();
  if (life_)
    life_->end();
  inner_ = {};
  parts_.close();
  kept_.reset();
}

void in_place::open() {
  beat_->begin();
  life_.emplace(caf::weak_actor_ptr{shell_->ctrl()}, weak_from_this(), core_.number());
  try {
    inner_ = parts_.open(*life_);
  } catch (...) {
    failed_by_exception(in_place_core::during::callback, nullptr);
  }
  beat_->end();
}

bool in_place::handle(caf::detail::invoke_result_visitor& answer, caf::message& what) {
  if (core_.waits()) {
    if (auto word = caf::make_const_typed_message_view<replace_state>(what)) {
      replace(caf::get<0>(word).next);
      return true;
    }
    return false;
  }
  recent_->note(what.types());
  auto handled = false;
  beat_->begin();
  try {
    handled = inner_(answer, what);
    if (handled) {
      core_.on_received();
      core_.on_handled();
    }
  } catch (...) {
    handled = true;
    core_.on_received();
    auto* element = shell_->current_mailbox_element();
    auto request = element->mid.is_request();
    kept_sender_ = element->sender;
    failed_by_exception(request ? in_place_core::during::request : in_place_core::during::message, &what);
    if (request && !element->mid.is_answered()) { // else a promise of the state told
      auto error =
        caf::make_error(caf::sec::runtime_error, "the state of the actor failed while it handled this request");
      answer(error);
    }
  }
  beat_->end();
  if (!handled && what.match_elements<replace_state>())
    return true; // an old word
  return handled;
}

// -- failure and return ---------------------------------------------------------------------------

void in_place::failed_by_exception(in_place_core::during what, const caf::message* message) {
  try {
    throw;
  } catch (const std::exception& e) {
    failed(exit_kind::exception, e.what(), what, message);
  } catch (...) {
    failed(exit_kind::exception, "an exception of unknown type", what, message);
  }
}

void in_place::failed(exit_kind kind, std::string why, in_place_core::during what, const caf::message* message) {
  if (over_)
    return;
  auto fate = core_.on_failure(what);
  exit_cause cause{kind, {std::move(why)}};
  if (message)
    cause.chain.push_back(fmt::format("while it handled {}{}", text_of(*message),
                                      fate == in_place_core::fate::quarantine ? ", which is not tried again" : ""));
  if (auto before = recent_->text(); !before.empty())
    cause.chain.push_back(last_messages + before);
  if (fate == in_place_core::fate::keep)
    kept_ = *message;
  else if (fate == in_place_core::fate::quarantine)
    kept_.reset();
  life_->end();
  inner_ = {};
  parts_.close();
  if (!link_.supervisor) {
    shell_->quit(reason_of(cause));
    return;
  }
  tell(cause);
}

/// Says it again until there is an answer: between hosts a message may be lost (R7). Monitors tell where one of the two
/// has ended. One reminder at a time (R13).
void in_place::tell(const exit_cause& cause) {
  troupe::anon_send(link_.supervisor, state_failed{link_.child, core_.number(), reason_of(cause)});
  reminder_ = run_after(shell_, reminder_pause, [weak = weak_from_this(), cause] {
    if (auto self = weak.lock(); self && !self->over_ && self->core_.waits())
      self->tell(cause);
  });
}

void in_place::replace(incarnation next) {
  if (!core_.on_replace(next))
    return;
  reminder_.dispose();
  open();
  if (!core_.waits() && !over_)
    retry();
}

/// Handles the kept message before any other. Nobody waits for its result.
void in_place::retry() {
  if (!core_.on_retry())
    return;
  auto message = kept_;
  auto element = envelope(kept_sender_, caf::make_message_id(), message);
  auto* before = shell_->current_mailbox_element();
  shell_->current_mailbox_element(element.get());
  auto answer = caf::detail::default_invoke_result_visitor<caf::scheduled_actor>{shell_};
  beat_->begin();
  try {
    inner_(answer, message);
    core_.on_handled();
    kept_.reset();
  } catch (...) {
    failed_by_exception(in_place_core::during::message, &message);
  }
  beat_->end();
  shell_->current_mailbox_element(before);
}

} // namespace troupe
