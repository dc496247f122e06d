#include "actors/directory.hpp"

#include <algorithm>

#include "messages/caf.hpp"
#include "messages/interfaces.hpp"

namespace troupe {
namespace {

void tell(const caf::strong_actor_ptr& who, const bind_role& entry) {
  troupe::anon_send(caf::actor_cast<caf::actor>(who), role_bound{entry.role, entry.incarnation});
}

bool is_of(const role_id& role, const std::string& kind) {
  return kind.empty() || role.kind == kind;
}

} // namespace

void directory::bind(const bind_role& entry) {
  auto subscribers = std::vector<caf::strong_actor_ptr>{};
  auto listeners = std::vector<listener>{};
  {
    auto guard = std::lock_guard{mutex_};
    auto& known = roles_[entry.role];
    if (known.handle && entry.incarnation < known.incarnation)
      return;
    known = entry;
    std::erase_if(subscribers_, [](auto& x) { return !caf::actor_cast<caf::strong_actor_ptr>(x.first); });
    for (auto& [x, kind] : subscribers_)
      if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(x); strong && is_of(entry.role, kind))
        subscribers.push_back(std::move(strong));
    std::erase_if(listeners_, [](auto& x) { return !caf::actor_cast<caf::strong_actor_ptr>(x.first); });
    for (auto& [owner, f] : listeners_)
      listeners.push_back(f);
  }
  for (auto& x : subscribers)
    tell(x, entry);
  for (auto& f : listeners)
    f(entry);
}

caf::strong_actor_ptr directory::find(const role_id& role) const {
  auto guard = std::lock_guard{mutex_};
  auto i = roles_.find(role);
  return i == roles_.end() ? nullptr : i->second.handle;
}

std::optional<bind_role> directory::entry(const role_id& role) const {
  auto guard = std::lock_guard{mutex_};
  auto i = roles_.find(role);
  return i == roles_.end() ? std::nullopt : std::optional{i->second};
}

std::vector<bind_role> directory::entries() const {
  auto guard = std::lock_guard{mutex_};
  auto result = std::vector<bind_role>{};
  for (auto& [role, entry] : roles_)
    result.push_back(entry);
  return result;
}

void directory::subscribe(const caf::strong_actor_ptr& who, std::string kind) {
  auto known = std::vector<bind_role>{};
  {
    auto guard = std::lock_guard{mutex_};
    auto line = std::pair{caf::actor_cast<caf::weak_actor_ptr>(who), std::move(kind)};
    for (auto& [role, entry] : roles_)
      if (is_of(role, line.second))
        known.push_back(entry);
    if (std::find(subscribers_.begin(), subscribers_.end(), line) == subscribers_.end())
      subscribers_.push_back(std::move(line));
  }
  for (auto& entry : known)
    tell(who, entry);
}

void directory::clear() {
  auto roles = std::map<role_id, bind_role>{}; // outlives the lock: the end of an actor may look something up
  auto guard = std::lock_guard{mutex_};
  roles.swap(roles_);
  subscribers_.clear();
  listeners_.clear();
}

void directory::on_bind(caf::weak_actor_ptr owner, listener f) {
  auto guard = std::lock_guard{mutex_};
  listeners_.emplace_back(std::move(owner), std::move(f));
}

} // namespace troupe
