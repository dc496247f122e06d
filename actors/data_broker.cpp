#include "actors/data_broker.hpp"

#include "actors/fault_places.hpp"
#include "messages/caf.hpp"

namespace troupe {

data_broker::data_broker(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c),
    core_(config_.job->sizes(), config_.first, config_.job->pace(), config_.job->peer_kind(),
          config_.job->has_peers() || config_.job->compresses() ? broker_core::parts::equal
                                                                : broker_core::parts::by_speed,
          config_.job->exchange()) {
  // nop
}

void data_broker::hand_out(const std::vector<broker_core::grant>& grants) {
  for (auto& g : grants)
    if (auto agent = config_.job->roles->find_as<agent_actor>(g.to.role))
      troupe::anon_send(agent, g.what);
}

void data_broker::pass_on(const broker_core::answers& answers) {
  hand_out(answers.grants);
  for (auto& q : answers.questions)
    if (auto agent = config_.job->roles->find_as<agent_actor>(q.to.role))
      troupe::anon_send(agent, q.what);
}

void data_broker::send_plan(const role_id& to, const step_plan& plan) {
  if (auto handle = config_.job->roles->find(to))
    troupe::anon_send(caf::actor_cast<caf::actor>(handle), plan);
}

data_broker_actor::behavior_type data_broker::make_behavior() {
  config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_), "coordinator");
  auto counting = [this](auto&& grants, uint64_t before) {
    config_.job->dropped += core_.dropped() - before;
    hand_out(grants);
  };
  return {
    [this](const role_bound& r) {
      if (r.role.kind == "coordinator")
        if (auto coordinator = config_.job->roles->find_as<coordinator_actor>(r.role))
          troupe::anon_send(coordinator, join{{config_.role, now_.number()}, core_.current(), true});
    },
    [this, counting](const view_changed& v) {
      auto before = core_.dropped();
      counting(core_.on_view(v), before);
      for (auto& [to, plan] : core_.plans_waited_for())
        send_plan(to, plan);
    },
    [this, counting](const request_lease& r) {
      auto handle = [this, counting, r] {
        auto before = core_.dropped();
        counting(core_.on_request(r), before);
      };
      if (!struck(self_, now_, TROUPE_FAULT(places::broker_on_request, config_.role, now_.number(), r.at.value),
                  handle))
        handle();
    },
    [this](const offer_help& o) {
      auto before = core_.dropped();
      pass_on(core_.on_offer(o));
      config_.job->dropped += core_.dropped() - before;
    },
    [this](const lease_split& s) {
      auto before = core_.dropped();
      pass_on(core_.on_split(s));
      config_.job->dropped += core_.dropped() - before;
    },
    [this](const request_plan& r) {
      auto before = core_.dropped();
      if (auto plan = core_.on_plan_request(r))
        send_plan(r.from.role, *plan);
      config_.job->dropped += core_.dropped() - before;
    },
    [this, counting](const step_committed& c) {
      auto before = core_.dropped();
      counting(core_.on_committed(c), before);
    },
  };
}

} // namespace troupe
