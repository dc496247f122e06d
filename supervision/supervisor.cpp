#include "supervision/supervisor.hpp"

#include <memory>

#include "supervision/supervisor_actor.hpp"

namespace troupe {

namespace {

supervisor_actor* actor_of(const caf::actor& supervisor) {
  return static_cast<supervisor_actor*>(caf::actor_cast<caf::abstract_actor*>(supervisor));
}

std::shared_ptr<pending_call> pending(std::string child, supervisor::on_done done) {
  return std::make_shared<pending_call>(std::move(child), std::move(done));
}

/// Calls `done` once: with `ask(state)` from the supervisor's context, or with nothing known where it has ended.
template <class Result, class Ask>
void query(const caf::actor& supervisor, std::function<void(const Result&)> done, Ask ask) {
  struct once {
    std::function<void(const Result&)> done;
    ~once() {
      if (done)
        done(Result{});
    }
  };
  auto pending = std::make_shared<once>();
  pending->done = std::move(done);
  auto* to = actor_of(supervisor);
  run_in(supervisor, [to, pending, ask] {
    if (auto f = std::exchange(pending->done, nullptr))
      f(ask(to->state()));
  });
}

} // namespace

void supervisor::start_child(startable child, child_spec how, on_done done) const {
  how.id = child.id;
  run_in(handle_, [to = actor_of(handle_), child = std::move(child), how, call = pending(how.id, std::move(done))] {
    to->start_child(child, how, call);
  });
}

void supervisor::start_child(caf::message argument, on_done done) const {
  run_in(handle_, [to = actor_of(handle_), argument = std::move(argument), call = pending("", std::move(done))] {
    to->start_child(argument, call);
  });
}

void supervisor::terminate_child(std::string id, on_done done) const {
  auto call = pending(id, std::move(done));
  run_in(handle_, [to = actor_of(handle_), id = std::move(id), call] { to->terminate_child(id, call); });
}

void supervisor::restart_child(std::string id, on_done done) const {
  auto call = pending(id, std::move(done));
  run_in(handle_, [to = actor_of(handle_), id = std::move(id), call] { to->restart_child(id, call); });
}

void supervisor::delete_child(std::string id, on_done done) const {
  auto call = pending(id, std::move(done));
  run_in(handle_, [to = actor_of(handle_), id = std::move(id), call] { to->delete_child(id, call); });
}

void supervisor::list_children(std::function<void(const std::vector<child_status>&)> done) const {
  query<std::vector<child_status>>(handle_, std::move(done),
                                   [](const supervisor_state& s) { return troupe::list_children(s); });
}

void supervisor::count_children(std::function<void(const child_counts&)> done) const {
  query<child_counts>(handle_, std::move(done), [](const supervisor_state& s) { return troupe::count_children(s); });
}

} // namespace troupe
