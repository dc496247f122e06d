#include "supervision/start.hpp"

#include <memory>

#include "supervision/supervisor_actor.hpp"

namespace troupe {

namespace {

/// A child on its way to its supervisor. If nobody takes it, the supervisor having ended, it must not live on.
class arrival {
public:
  explicit arrival(caf::actor child) : child_(std::move(child)) {}
  arrival(const arrival&) = delete;
  arrival& operator=(const arrival&) = delete;
  ~arrival() {
    if (child_)
      anon_send_exit(child_, caf::error{caf::exit_reason::kill});
  }

  caf::actor take() { return std::exchange(child_, caf::actor{}); }

private:
  caf::actor child_;
};

/// Valid within the supervisor's context only.
supervisor_actor* actor_of(const caf::actor& supervisor) {
  return static_cast<supervisor_actor*>(caf::actor_cast<caf::abstract_actor*>(supervisor));
}

} // namespace

void start_notice::tell_ready(caf::actor child) const {
  auto* to = actor_of(supervisor_);
  auto box = std::make_shared<arrival>(std::move(child));
  run_in(supervisor_, [to, id = id_, number = number_, box] { to->child_ready(id, number, box->take()); });
}

void start_notice::failed(failure why) const {
  auto* to = actor_of(supervisor_);
  exit_cause cause{exit_kind::error, {std::move(why.sentence)}};
  run_in(supervisor_, [to, id = id_, number = number_, cause] { to->child_failed(id, number, cause); });
}

void start_notice::lost(exit_cause cause) const {
  auto* to = actor_of(supervisor_);
  run_in(supervisor_,
         [to, id = id_, number = number_, cause = std::move(cause)] { to->child_lost(id, number, cause); });
}

} // namespace troupe
