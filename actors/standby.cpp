#include "actors/standby.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

#include "actors/job_order.hpp"
#include "actors/node_link.hpp"
#include "actors/version.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

/// One sentence where the values are none of this model's.
expected<learn::flat> taken(const payload& values, size_t size) {
  if (values.type() != dtype::f32 || values.elements() != size)
    return fail(fmt::format("it has {} values, and the model {}", values.elements(), size));
  auto from = values.as_floats();
  if (!std::ranges::all_of(from, [](float x) { return std::isfinite(x); }))
    return fail("not all of its values are finite");
  auto result = learn::flat{size};
  std::memcpy(result.data(), from.data(), from.size_bytes());
  return result;
}

} // namespace

standby_actor::behavior_type standby::make_behavior() {
  go_on();
  return {
    [](const hello& h) {
      return hello{"troupe", protocol_version, troupe_version, h.job_id, "it is a standby: name it with --standby", 0};
    },
    [this](const claim_lead& c) { return vote(c); },
    [this](const release_lead& r) { lease_.on_release(r); },
    [this](const follow_job& order) {
      auto taken_on = follow(order);
      return following{taken_on ? std::string{} : taken_on.error().sentence};
    },
    [this](const keep_state& what) {
      auto kept = keep(what);
      return state_kept{kept ? std::string{} : kept.error().sentence};
    },
    [this](const job_ended& e) {
      if (!now_ || now_->order.job != e.job || now_->won)
        return;
      config_.on_job_ended(e.how);
      now_.reset();
      quit();
    },
    [this](const leave_run&) {
      now_.reset();
      quit();
    },
  };
}

lead_answer standby::vote(const claim_lead& c) {
  auto now = home_system().clock().now();
  if (now_ && c.job == now_->order.job && c.term == now_->order.term)
    now_->heard = now; // granted or not: a standby that has just begun grants nothing
  return lease_.on_claim(c, now);
}

expected<void> standby::follow(const follow_job& order) {
  if (now_ && now_->order.job != order.job)
    return fail(fmt::format("it is the standby of job {}; start another one", now_->order.job));
  if (lease_.is_over(order.job, order.term) || (now_ && now_->won))
    return fail("it leads this job by now");
  if (now_) { // its leader has lost the connection, and is back
    now_->heard = home_system().clock().now();
    return {};
  }
  auto opened = hosted_job::open(order.what, std::make_shared<directory>());
  if (!opened)
    return tl::unexpected(opened.error());
  auto options = options_of(order, **opened);
  if (!options)
    return tl::unexpected(options.error());
  auto nodes = options->nodes;
  auto voters = voters_among(nodes.size());
  auto claim =
    std::make_shared<lead>(leadership::options{order.job, order.term.next(), voters, nodes.size() + 1 - voters, true});
  auto links = std::make_unique<voter_links>(home_system(), claim);
  for (auto& node : nodes)
    links->add(node, "node");
  links->add(caf::actor_cast<caf::actor>(this));
  now_ = followed{order, std::move(*options), std::move(*opened), nullptr, {}, claim, std::move(links)};
  now_->heard = home_system().clock().now();
  config_.on_note(
    fmt::format("follows job {}: {} on {}, {} agents", order.job, order.what.model, order.what.data, order.agents));
  return {};
}

expected<void> standby::keep(const keep_state& what) {
  if (!now_ || now_->order.job != what.job)
    return fail("it does not follow this job");
  auto size = now_->job->model->layout().size();
  auto most = static_cast<size_t>(learn::state_buffers(now_->options.optimizer));
  if (what.state.size() > most)
    return fail(fmt::format("it has {} buffers of the optimiser, and there are {}", what.state.size(), most));
  auto parameters = taken(what.parameters, size);
  if (!parameters)
    return tl::unexpected(parameters.error());
  auto state = std::make_shared<model_state>(model_state{what.version, std::move(*parameters), {}});
  for (auto& each : what.state) {
    auto buffer = taken(each, size);
    if (!buffer)
      return tl::unexpected(buffer.error());
    state->state.push_back(std::move(*buffer));
  }
  now_->newest = std::move(state);
  now_->tokens = std::max(now_->tokens, what.tokens);
  return {};
}

void standby::go_on() {
  run_after(this, look, [this] { go_on(); });
  if (!now_ || !now_->newest || now_->won)
    return;
  auto now = home_system().clock().now();
  auto& claim = now_->claim;
  const auto& order = now_->order;
  auto claiming = now >= now_->heard + leader_lease::length && lease_.is_free_for(order.job, order.term.next(), now);
  claim->want(claiming, now);
  if (std::exchange(now_->claiming, claiming) != claiming)
    config_.on_note(claiming ? fmt::format("nothing was heard of the leader for {} ms: claims the lead of job {}",
                                           leader_lease::length.count(), order.job)
                             : fmt::format("the leader of job {} is back", order.job));
  if (!claim->may_commit(now))
    return;
  auto left = std::vector<std::string>{};
  for (size_t i = 0; i < order.nodes.size(); ++i)
    if (claim->granted_by(i, now))
      left.push_back(order.nodes[i]);
  if (!now_->since)
    now_->since = now;
  if (left.size() == order.nodes.size() || now >= *now_->since + patience)
    take_over(std::move(left));
}

// On the nodes that are there: agents are not looked for where nobody answers.
void standby::take_over(std::vector<std::string> nodes) {
  now_->won = true;
  auto lost = now_->order.nodes.size() - nodes.size();
  if (lost != 0)
    config_.on_note(fmt::format("{} of {} nodes do not answer, and are left out", lost, now_->order.nodes.size()));
  now_->options.nodes = std::move(nodes);
  const auto& order = now_->order;
  config_.on_won(
    {now_->options,
     {now_->newest, now_->job->model, now_->job->data, job_id_of(order.job, order.term.next()), now_->tokens},
     now_->claim});
}

} // namespace troupe
