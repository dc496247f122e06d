#pragma once

/// A supervision tree reads as it is: indentation is the tree, reading order is start order.
///
///     startable leader{"coordinator", [=](const start_context& c) { return c.system.spawn<coordinator>(config,
///     c.number); }}; std::vector<startable> shards = …, agents = …;
///
///     auto tree = supervise("training", rest_for_one, at_most(3, 1min))
///                   .child(supervise("shards", one_for_all).child(shards))
///                   .child(supervise("agents", one_for_one, at_most(16, 1min)).child(agents))
///                   .child(leader, transient, significant);
///     fmt::print("{}", print_tree(tree));
///     auto running = run_tree(system, tree, {.on_end = [](const tree_end& end) { … }}); // supervision/run_tree.hpp
///
/// A start function runs in the supervisor's actor, once per incarnation; see supervision/start.hpp for what it is
/// given and what it may return.

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "supervision/spec.hpp"
#include "supervision/start.hpp"

namespace troupe {

/// A child's name and how to start it. For roles the name is the role id: "agent/0".
struct startable {
  /// `f(const start_context&)` or `f(incarnation)` returns what `started` can be made of: an actor handle, an
  /// `expected` of one, a `failure`, or `started::later(…)`.
  template <class F>
  requires std::invocable<F&, const start_context&> || std::invocable<F&, incarnation> startable(std::string name, F f)
    : id(std::move(name)) {
    if constexpr (std::invocable<F&, const start_context&>)
      start = [f = std::move(f)](const start_context& c) mutable -> started { return f(c); };
    else
      start = [f = std::move(f)](const start_context& c) mutable -> started { return f(c.number); };
  }

  std::string id;
  start_function start;
};

// -- how to treat a child: options of `child`, in any order, beside a restart_type -------------------

/// The child's own end ends its supervisor (S7).
struct significant_child {};
inline constexpr significant_child significant{};

/// See child_spec::shutdown.
struct shutdown_within {
  explicit shutdown_within(nanoseconds limit) : time(limit) {}
  nanoseconds time;
};

/// See child_spec::start.
struct ready_within {
  explicit ready_within(nanoseconds limit) : time(limit) {}
  nanoseconds time;
};

/// A supervisor and, below it, its children. A value: nothing runs before `run_tree`, and one tree may run many times.
class supervision_tree {
public:
  struct node {
    child_spec spec;
    start_function start;                         ///< of a leaf
    std::shared_ptr<const supervision_tree> tree; ///< of an inner supervisor
  };

  supervision_tree(std::string name, restart_strategy strategy, restart_limit limit) {
    spec_.name = std::move(name);
    spec_.strategy = strategy;
    spec_.limit = limit;
  }

  /// Appends a child. Permanent unless told otherwise.
  template <class... Options>
  supervision_tree&& child(startable leaf, Options... options) && {
    append({.id = std::move(leaf.id)}, std::move(leaf.start), nullptr, options...);
    return std::move(*this);
  }
  /// Appends children in this order, all alike.
  template <class... Options>
  supervision_tree&& child(const std::vector<startable>& leaves, Options... options) && {
    for (const auto& leaf : leaves)
      append({.id = leaf.id}, leaf.start, nullptr, options...);
    return std::move(*this);
  }
  /// Appends a supervisor with everything below it.
  template <class... Options>
  supervision_tree&& child(supervision_tree inner, Options... options) && {
    auto id = inner.spec_.name;
    append({.id = std::move(id), .kind = child_kind::supervisor}, nullptr,
           std::make_shared<const supervision_tree>(std::move(inner)), options...);
    return std::move(*this);
  }
  /// The same for a tree that has a name: `tree.child(x);`.
  template <class Child, class... Options>
  supervision_tree& child(Child&& what, Options... options) & {
    static_cast<void>(std::move(*this).child(std::forward<Child>(what), options...)); // appends in place
    return *this;
  }

  /// T1. Without it a child is started again at once.
  supervision_tree&& backoff(restart_backoff wait) && {
    spec_.backoff = wait;
    return std::move(*this);
  }
  supervision_tree& backoff(restart_backoff wait) & {
    spec_.backoff = wait;
    return *this;
  }
  /// Whether the first or the last significant child to end ends this supervisor. The first, unless told otherwise
  /// (S7).
  supervision_tree&& ends_on(auto_shutdown rule) && {
    spec_.on_significant = rule;
    return std::move(*this);
  }

  /// Without children; those are in `nodes`.
  [[nodiscard]] const supervisor_spec& spec() const { return spec_; }
  [[nodiscard]] const std::vector<node>& nodes() const { return nodes_; }

private:
  static void apply(child_spec& spec, restart_type type) { spec.restart = type; }
  static void apply(child_spec& spec, significant_child) { spec.significant = true; }
  static void apply(child_spec& spec, shutdown_within limit) { spec.shutdown = limit.time; }
  static void apply(child_spec& spec, ready_within limit) { spec.start = limit.time; }

  template <class... Options>
  void append(child_spec spec, start_function start, std::shared_ptr<const supervision_tree> tree, Options... options) {
    (apply(spec, options), ...);
    nodes_.push_back({std::move(spec), std::move(start), std::move(tree)});
  }

  supervisor_spec spec_;
  std::vector<node> nodes_;
};

/// Begins a tree, or a branch to be passed to `child`.
inline supervision_tree supervise(std::string name, restart_strategy strategy = one_for_one, restart_limit limit = {}) {
  return {std::move(name), strategy, limit};
}

/// Refuses a tree that breaks a rule anywhere, with one sentence; a supervisor is named by its path (S8).
expected<void> validate(const supervision_tree& tree);

/// The tree as `--print-tree` shows it, one line a supervisor or child.
std::string print_tree(const supervision_tree& tree);

} // namespace troupe
