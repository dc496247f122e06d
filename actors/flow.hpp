#pragma once

#include <caf/event_based_actor.hpp>
#include <chrono>
#include <functional>
#include <optional>

#include "actors/flow_core.hpp"

namespace troupe {

/// Sends a flow of payloads to one receiver, wherever that is, and never more of them than it has room for:
///
///     sys.spawn<flow_outlet>(flow_outlet::config{.to = [=] { return sink; },
///                                                .produce = [=](uint64_t n) { return frame(n); }});
///
/// Each item arrives once and in order, also where connections are lost on the way, as long as the receiver lives; one
/// that was started again says where it goes on. Receives `flow_credit`; sends `flow_open` and `flow_item`. Ends
/// normally when the receiver has taken everything: monitor it. It waits for a receiver that is away or stands still,
/// and for as long as that lasts it produces nothing: whether to wait is its supervisor's to decide.
class flow_outlet final : public caf::event_based_actor {
public:
  struct config {
    uint64_t flow = 0; ///< which, where the receiver has several
    /// The receiver as it is reached now; null: nobody is there, ask again at the next tick. Must not block.
    std::function<caf::strong_actor_ptr()> to;
    /// Item `number`: the same one each time, since what was lost on the way is asked for again; none: the flow ends
    /// before it. Must not block.
    std::function<std::optional<payload>(uint64_t number)> produce;
    std::chrono::milliseconds pace{1000}; ///< of ticks; what was lost is noticed after two of them
  };

  flow_outlet(caf::actor_config& cfg, config c)
    : caf::event_based_actor(cfg), config_(std::move(c)), core_(config_.flow) {}
  const char* name() const override { return "troupe.flow_outlet"; }

protected:
  caf::behavior make_behavior() override;
  void on_exit() override;

private:
  void find();
  void send_what_may_go();
  void tick();

  config config_;
  flow_sender_core core_;
  caf::strong_actor_ptr to_;
  uint64_t number_ = 0;          // of the item that waits
  std::optional<payload> waits_; // for credit
};

/// The other end of a flow, in the actor that takes it: hand it `flow_open` and `flow_item`, and `take` what has come
/// when there is time for it. What is not taken is not acknowledged, and bounds what the sender may send.
class flow_inlet {
public:
  /// `self`: the actor it is part of. `window`: bytes that may wait to be taken, larger than an item if the next one is
  /// to be on its way meanwhile. `from`: the first item that is wanted.
  flow_inlet(caf::local_actor* self, uint64_t window, uint64_t from = 0) : self_(self), core_(window, from) {}

  // From within a handler of `self`, for what it handles.
  void on(const flow_open& o);
  void on(const flow_item& item);

  /// The next item; none: nothing waits.
  std::optional<payload> take();
  /// All has been taken, and nothing comes any more.
  [[nodiscard]] bool ended() const { return core_.ended(); }
  [[nodiscard]] uint64_t taken() const { return core_.taken(); } ///< items before this number
  /// Items that were not wanted: they came before, or against the rules (I13).
  [[nodiscard]] uint64_t dropped() const { return core_.dropped(); }

private:
  void tell();

  caf::local_actor* self_;
  caf::strong_actor_ptr from_;
  flow_receiver_core core_;
};

} // namespace troupe
