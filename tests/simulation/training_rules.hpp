#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "learn/order.hpp"
#include "messages/registry.hpp"
#include "tests/support/simulation.hpp"

namespace troupe::testing {

/// The rules that the roles of a training job keep whatever happens, checked from outside: by the messages that they
/// handle and by what they count.
class training_rules {
public:
  struct config {
    learn::batch_sizes sizes;
    /// Messages that the roles of a host have dropped so far.
    std::function<uint64_t(host)> dropped;
    /// Shard holders live, so what they are handed they handle.
    bool holders_live = true;
  };

  training_rules(simulation& world, config c) : world_(world), config_(std::move(c)) {}

  /// Each message that is about to be handled.
  void handles(const handling& h);

private:
  void check(const view_changed& v);
  void check(const parameters& p);
  void check(const commit_step& c);
  void check(const handling& h, const push_gradients& p);
  void settle();

  using contribution = std::tuple<step, block_id, tree_node>;
  /// What a shard holder knows, as far as can be told from what it was handed.
  struct holder {
    view_changed view;
    std::set<contribution> accepted;
    std::set<std::pair<step, block_id>> doubtful; ///< something that is not finite was contributed
  };
  /// A contribution that is being handled; whether it was dropped shows when the next message is.
  struct handed {
    host where;
    std::string to;
    push_gradients what;
    uint64_t dropped_before;
  };

  simulation& world_;
  config config_;
  std::map<view, view_changed> views_;
  std::map<uint64_t, std::set<uint64_t>> reported_; ///< by step: micro-batches whose results the coordinator got
  std::map<std::string, holder> holders_;           ///< by name and incarnation
  std::optional<handed> last_;
};

} // namespace troupe::testing
