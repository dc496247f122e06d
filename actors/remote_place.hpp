#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/directory.hpp"
#include "actors/spawnable.hpp"
#include "supervision/supervise.hpp"

namespace troupe {

/// Where children of a tree live that do not live in this process: on one of these nodes, each of which runs a program
/// that has registered their types (`run_as_node`). A child of index i begins on the i-th node, around; each time one
/// cannot be reached, refuses it or is lost, it goes on to the next. The runtime has to have a network.
class remote_place {
public:
  /// `nodes`: HOST:PORT each. `roles`, if given, learns the handle of each incarnation of a child (R2).
  explicit remote_place(std::vector<std::string> nodes, std::shared_ptr<directory> roles = nullptr);

  /// A child as `supervise` takes it; `on` is the typed form.
  [[nodiscard]] startable child(const role_id& role, std::string type, std::string argument) const;

private:
  std::vector<std::string> nodes_;
  std::shared_ptr<directory> roles_;
};

/// A child that lives elsewhere: its supervisor here starts it there, hears of its end and of the connection's, and
/// starts it again; it ends when its supervisor does, however that comes about.
///
///     .child(on(place, {"greeter", 0}, greeters, {"Good morning"}))
template <class Type>
startable on(const remote_place& place, const role_id& role, const Type& type,
             const typename Type::argument& argument) {
  return place.child(role, type.name(), spawning::write(argument));
}

} // namespace troupe
