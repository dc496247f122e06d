#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "learn/exchange.hpp"
#include "messages/samples.hpp"

namespace troupe {

/// Samples that are asked for at a time, at most: about 4 MiB.
constexpr size_t samples_per_piece(size_t sample_bytes) {
  constexpr size_t piece = size_t{4} << 20;
  return sample_bytes < piece ? piece / sample_bytes : 1;
}

/// Which shards of the data set a process holds for its agent, and whom it asks for what it lacks. The pure core of the
/// sample keeper (R1).
///
/// The agent in slot r needs the shard of its epoch at once and, where shards are handed round, that of the next one in
/// the background. It asks the keeper that had a shard in the epoch before, and the source for what that does not have;
/// single samples, for the micro-batches of other slots and the test set, always the source. A shard that is not needed
/// any more is given up when the keeper that needs it next has it, or another epoch has passed.
class sample_keeper_core {
public:
  struct config {
    uint32_t slot = 0;
    learn::exchange_options exchange;
    size_t samples = 0;
    uint64_t last_epoch = 0; ///< no shard is needed for a later one
    size_t piece = 1;        ///< samples that are asked for at a time, at most
  };

  /// Pieces that are asked for at a time (R13), and of these in the background.
  static constexpr size_t most_pieces = 4;
  static constexpr size_t most_pieces_ahead = 2;

  /// Make room for a shard, or find what a life before has left of it; answered by `on_opened`.
  struct open {
    size_t shard;
  };
  /// Ask for a piece; answered by `on_arrived` or `on_failed`.
  struct ask {
    uint64_t number;
    std::optional<uint32_t> keeper; ///< none: the source
    step at;
    bool of_test = false;
    learn::id_range range = {}; ///< of a shard, if there are no ids
    std::vector<uint32_t> ids = {};
    bool can_wait = false; ///< it is not needed at once
  };
  /// All of a shard is here.
  struct keep {
    size_t shard;
  };
  /// A shard is not needed any more, here or where it goes next.
  struct drop {
    size_t shard;
  };
  /// Single samples for steps before this one are not needed any more.
  struct forget {
    step before;
  };
  /// The agent may wait for what has come.
  struct tell {};
  using action = std::variant<open, ask, keep, drop, forget, tell>;
  using actions = std::vector<action>;

  explicit sample_keeper_core(config c) : config_(c) {}

  /// What the agent has not found.
  actions on_need(const need_samples& what);
  /// There is room for the shard, and perhaps the shard itself.
  actions on_opened(size_t shard, bool complete);
  /// A piece has come and is as it should be.
  actions on_arrived(uint64_t number);
  /// Whoever was asked for a piece does not have it, is not there, or has answered nothing, or nonsense.
  actions on_failed(uint64_t number);
  /// Called at a steady pace: who did not answer is asked again.
  actions on_tick();
  /// Another keeper, or the source, has become known.
  actions on_bound();

  /// Whether what comes for a piece is still wanted.
  [[nodiscard]] bool wants(uint64_t number) const { return under_way_.contains(number); }

  enum class answer : uint8_t { here, later, elsewhere };
  /// Another keeper asks for a piece of a shard: it is here, comes soon, or has to be asked for elsewhere.
  [[nodiscard]] answer answer_to(const request_samples& what) const;
  /// A piece was handed on.
  actions on_served(const request_samples& what);

  [[nodiscard]] learn::id_range ids_of(size_t shard) const {
    return learn::ids_of_shard(config_.samples, config_.exchange.shards, shard);
  }
  [[nodiscard]] size_t shard_with(uint32_t id) const;
  /// Whether `on_opened` is waited for.
  [[nodiscard]] bool opens(size_t shard) const {
    auto t = transfers_.find(shard);
    return t != transfers_.end() && !t->second.opened;
  }
  [[nodiscard]] const std::set<size_t>& held() const { return held_; }
  /// Messages that changed nothing because they were old or doubled (I13).
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  struct transfer {
    bool ahead = false; ///< for the next epoch
    bool opened = false;
    bool paused = false;               ///< until the next tick
    std::vector<uint32_t> keepers;     ///< that may have it, in the order in which they are asked
    size_t failures = 0;               ///< ticks at which the first of them still had nothing
    size_t next = 0;                   ///< first id that was not asked for
    size_t left = 0;                   ///< samples that have not come
    std::deque<learn::id_range> again; ///< asked for in vain
  };
  struct single {
    bool of_test;
    step at;
    std::vector<uint32_t> ids;
  };
  struct piece {
    std::optional<size_t> shard;    ///< none: single samples
    std::optional<uint32_t> keeper; ///< that was asked
    learn::id_range range;
    single what;
  };

  void enter(uint64_t epoch, actions& out);
  void begin(size_t shard, uint64_t epoch, bool ahead, actions& out);
  static void ask_the_next(transfer& t);
  void finish(size_t shard, actions& out);
  void give_up_what_is_over(actions& out);
  void ask_for_more(actions& out);
  bool ask_for_single(actions& out);
  bool ask_for_piece(bool ahead, actions& out);
  [[nodiscard]] size_t needed_in(uint64_t epoch) const {
    return learn::shard_of_slot(config_.exchange, config_.slot, epoch);
  }
  [[nodiscard]] bool is_needed(size_t shard) const;
  [[nodiscard]] std::vector<uint32_t> keepers_of(size_t shard, uint64_t epoch, bool ahead) const;

  config config_;
  std::optional<uint64_t> epoch_;
  step at_;
  std::set<size_t> held_;
  std::map<size_t, size_t> handed_on_; ///< by shard that is held: samples of it that its next keeper was sent
  std::map<size_t, transfer> transfers_;
  std::deque<single> singles_;
  std::set<std::pair<bool, uint32_t>> asked_; ///< of the test set or not, and which: in `singles_`, or under way
  std::map<uint64_t, piece> under_way_;
  uint64_t numbers_ = 0;
  bool source_waits_ = false; ///< until the next tick: it has not answered
  uint64_t dropped_ = 0;
};

} // namespace troupe
