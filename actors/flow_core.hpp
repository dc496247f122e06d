#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "messages/flow.hpp"

namespace troupe {

/// Which items of a flow may be sent: never more bytes than its receiver has given credit for, so that one which is
/// slow, or stands still, bounds the memory of its sender (credit-based flow control: Kung, Blackwell & Chapman 1994).
/// Items are named by their number and can be produced again, so none is kept here. The pure core of `flow_outlet`
/// (R1).
class flow_sender_core {
public:
  explicit flow_sender_core(uint64_t flow) : flow_(flow) {}

  /// The receiver is reached, or reached anew: nothing is sent before it has answered.
  flow_open on_bound();
  /// Called at a steady pace: what to say where nothing was heard since the last time, and something is due.
  std::optional<flow_open> on_tick();
  /// False: it is old, or makes no sense.
  bool on_credit(const flow_credit& c);

  /// The item to be sent next; none: the end was sent, or the receiver has yet to answer.
  [[nodiscard]] std::optional<uint64_t> next() const;
  /// Whether item `next`, of that size, may be sent now; it counts as sent then.
  bool admit(uint64_t bytes);
  /// There is no item `next`: that is said in its place.
  void end();

  /// The receiver has dealt with everything.
  [[nodiscard]] bool done() const { return end_ && taken_ > *end_; }
  [[nodiscard]] uint64_t taken() const { return taken_; } ///< items that it has dealt with

private:
  [[nodiscard]] bool open() const { return attempt_ != 0 && attempt_ == answered_; }

  uint64_t flow_;
  uint64_t attempt_ = 0;
  uint64_t answered_ = 0;
  bool heard_ = false;             // since the last tick
  uint64_t received_ = 0;          // there
  uint64_t taken_ = 0;             // there
  uint64_t credit_ = 0;            // bytes, from `received_` on
  std::deque<uint64_t> under_way_; // what items from `received_` on count for
  uint64_t bytes_ = 0;             // of those
  std::optional<uint64_t> end_;
};

/// What has come of a flow and was not taken yet: at most a window of bytes (or one item, if that alone is larger), in
/// order, each once (R13). The pure core of `flow_inlet` (R1).
class flow_receiver_core {
public:
  /// `window`: bytes that may wait to be taken. `from`: the first item that is wanted; a receiver that was started
  /// again and knows what it had dealt with goes on from there.
  explicit flow_receiver_core(uint64_t window, uint64_t from = 0) : window_(window), received_(from), taken_(from) {}

  /// The first one says which flow it is. None: it is another one.
  std::optional<flow_credit> on_open(const flow_open& o);
  /// False: it is of another flow, or came before one was opened, or it came before, or something before it has not
  /// come, or it is beyond the credit that was given.
  bool on_item(const flow_item& item);
  /// The next one; none: nothing waits.
  std::optional<payload> take();
  /// What the sender is to hear after `on_item` and `take`; none: not enough has changed.
  std::optional<flow_credit> credit_due();

  /// All has been taken, and nothing comes any more.
  [[nodiscard]] bool ended() const { return end_ && taken_ > *end_; }
  [[nodiscard]] uint64_t taken() const { return taken_; } ///< items before this number
  [[nodiscard]] uint64_t bytes() const { return bytes_; } ///< that wait
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  flow_credit credit();
  void settle();

  uint64_t window_;
  uint64_t received_;
  uint64_t taken_;
  uint64_t flow_ = 0;
  uint64_t attempt_ = 0;
  std::deque<payload> waiting_;
  uint64_t bytes_ = 0; // what these count for
  uint64_t freed_ = 0; // since credit was given last
  uint64_t told_ = 0;  // `taken_`, as it was told last
  std::optional<uint64_t> end_;
  uint64_t dropped_ = 0;
};

} // namespace troupe
