#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "messages/caf.hpp"
#include "messages/failure.hpp"
#include "messages/ids.hpp"
#include "messages/spawning.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// What the start of a registered type is given, on the node where the actor is to live.
struct spawn_context {
  caf::actor_system& system;
  std::string id;     ///< the child's, in the tree of whoever asks: "greeter/0"
  incarnation number; ///< higher than that of every earlier start of this child
  in_place_link link; ///< for `spawn_in_place`: failures of its state go to the supervisor in that tree
};

/// A type of actors as its node knows it: a name, and how to start one with an argument that came as bytes.
struct registered_type {
  /// Null where the bytes are no such argument.
  using start = std::function<caf::strong_actor_ptr(const spawn_context&, std::span<const std::byte> argument)>;

  std::string name;
  start spawn;
};

namespace spawning {

template <class Argument>
std::string write(const Argument& what) {
  auto bytes = caf::byte_buffer{};
  auto sink = caf::binary_serializer{nullptr, bytes};
  auto copy = what; // an inspect takes no constant
  if (!sink.apply(copy))
    return {};
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Nothing where the bytes are another type's, or too few or many.
template <class Argument>
std::optional<Argument> read(std::span<const std::byte> bytes) {
  auto result = Argument{};
  auto source = caf::binary_deserializer{nullptr, static_cast<const void*>(bytes.data()), bytes.size()};
  if (!source.apply(result) || source.remaining() != 0)
    return std::nullopt;
  return result;
}

} // namespace spawning

/// A type of one's own that may be spawned on other hosts, registered under a name in one line, at namespace scope or
/// anywhere else:
///
///     const auto greeters = troupe::spawnable<greeter, greeting>("greeter");
///
/// `Actor`'s constructor takes (caf::actor_config&, Argument) or (caf::actor_config&, incarnation, Argument). The
/// argument is a struct with an `inspect`, or anything else that CAF's inspectors know; it is default-constructible and
/// names no actors, since handles are for messages (R2). Nodes take it from `run_as_node`, trees from `on`.
template <class Actor, class Argument>
class spawnable {
public:
  using argument = Argument;

  explicit spawnable(std::string name) : type_{std::move(name), &spawn} {}

  [[nodiscard]] const std::string& name() const { return type_.name; }
  operator registered_type() const { return type_; } // NOLINT(google-explicit-constructor): reads as a list of types

private:
  static caf::strong_actor_ptr spawn(const spawn_context& c, std::span<const std::byte> bytes) {
    auto what = spawning::read<Argument>(bytes);
    if (!what)
      return nullptr;
    if constexpr (std::is_constructible_v<Actor, caf::actor_config&, incarnation, Argument>)
      return caf::actor_cast<caf::strong_actor_ptr>(c.system.spawn<Actor>(c.number, std::move(*what)));
    else
      return caf::actor_cast<caf::strong_actor_ptr>(c.system.spawn<Actor>(std::move(*what)));
  }

  registered_type type_;
};

/// The same for a state that is replaced in place when it fails (`shell`), whose config is the argument.
template <class State>
class spawnable_in_place {
public:
  using argument = typename State::config;

  explicit spawnable_in_place(std::string name) : type_{std::move(name), &spawn} {}

  [[nodiscard]] const std::string& name() const { return type_.name; }
  operator registered_type() const { return type_; } // NOLINT(google-explicit-constructor)

private:
  static caf::strong_actor_ptr spawn(const spawn_context& c, std::span<const std::byte> bytes) {
    auto what = spawning::read<argument>(bytes);
    return what ? caf::actor_cast<caf::strong_actor_ptr>(spawn_in_place<State>(c.system, c.link, std::move(*what)))
                : nullptr;
  }

  registered_type type_;
};

} // namespace troupe
