#include "tests/unit/actors/protocol_world.hpp"

#include <fmt/format.h>

#include "actors/groups.hpp"

namespace troupe::test {

protocol_world::protocol_world(uint64_t seed, pace how, mishaps what, uint32_t fan_in)
  : random_(seed),
    pace_(how), exchange_{how.in_order && seed % 4 == 1 ? learn::exchange_kind::rotating : learn::exchange_kind::global,
                          agents_count},
    mishaps_(what), fan_in_(fan_in), broker_(make_broker()), coordinator_(config()) {
  for (uint32_t i = 0; i < agents_count; ++i)
    start_agent(i);
  for (uint32_t i = 0; i < shards_count; ++i)
    shards_.push_back(make_shard(i));
  for (uint32_t first = 0; fan_in_ != 0 && first < agents_count; first += fan_in_)
    start_aggregator(first);
  sums_.resize(shards_count);
  everybody_joins();
}

bool protocol_world::run(int limit) {
  for (int i = 0; i < limit && !finished_; ++i) {
    // Patience outlasts what is under way, mostly.
    if (queue_.empty() || (queue_.size() < 100 && random_() % 64 == 0))
      tick();
    if (!queue_.empty())
      deliver();
    if (draw() < mishaps_.death && deaths_ < 5)
      kill();
  }
  return finished_;
}

std::string protocol_world::standing() const {
  auto text = fmt::format(
    "coordinator at step {}, running {}, testing {}, view {}, rewound {}; broker at {}; {} rewinds, {} queued",
    coordinator_.current().value, coordinator_.running(), coordinator_.testing(), log_->view.value, log_->rewound.value,
    broker_.current().value, rewinds, queue_.size());
  for (auto& s : shards_)
    text += fmt::format("; {} #{} at {} loaded {} summed {} agents {} rewound {}", to_string(s.self().role),
                        s.self().incarnation.value, s.version().value, s.loaded(), s.summed().size(), s.agents().size(),
                        s.rewound().value);
  for (auto& [i, a] : agents_)
    text += fmt::format("; agent/{} #{} at {} view {}", i, a.self().incarnation.value,
                        a.version() ? static_cast<int>(a.version()->value) : -1, a.from().view.value);
  return text;
}

coordinator_core::config protocol_world::config() const {
  auto c = coordinator_core::config{};
  c.log = log_;
  c.agents = agents_count;
  c.shards = shards_count;
  c.aggregators = fan_in_ == 0 ? 0 : aggregators_of(agents_count, fan_in_);
  c.blocks = size_t{shards_count} * 2;
  c.sizes = sizes;
  c.pace = pace_;
  c.epochs = 3;
  c.test_samples = 9;
  c.evaluation_grain = 2;
  return c;
}

void protocol_world::send(role_id to, message m) {
  if (draw() < mishaps_.loss)
    return;
  if (draw() < mishaps_.twice)
    queue_.emplace_back(to, m);
  queue_.emplace_back(std::move(to), std::move(m));
}

void protocol_world::deliver() {
  auto i = random_() % queue_.size();
  std::swap(queue_[i], queue_.back());
  auto [to, m] = std::move(queue_.back());
  queue_.pop_back();
  if (to.kind == "agent")
    agent_gets(to.index, m);
  else if (to.kind == "aggregator")
    aggregator_gets(to.index, m);
  else if (to.kind == "shard_holder")
    shard_gets(to.index, m);
  else if (to.kind == "data_broker")
    broker_gets(m);
  else
    coordinator_gets(m);
}

void protocol_world::start_agent(uint32_t i) {
  auto start = incarnation{++starts_[i]};
  auto aggregator = fan_in_ == 0 ? role_id{} : aggregator_of({"agent", i}, fan_in_);
  agents_.insert_or_assign(
    i, agent_core{
         {{"agent", i}, start}, shards_count, pace_, {}, aggregator, fan_in_ == 0 && pace_ == pace::synchronous()});
  work_.erase(i);
}

shard_core protocol_world::make_shard(uint32_t k) {
  return shard_core{member{{"shard_holder", k}, {++shard_starts_[k]}}, std::vector<block_id>{{k}, {k + shards_count}},
                    pace_};
}

void protocol_world::everybody_joins() {
  for (uint32_t k = 0; k < shards_count; ++k)
    do_coordinator(coordinator_.on_join(word_of(k)));
  do_coordinator(coordinator_.on_join({{{"data_broker", 0}, {broker_starts_}}, {}, true}));
  for (auto& [first, a] : aggregators_)
    do_coordinator(coordinator_.on_join({a.core.self(), {}, false}));
  for (auto& [i, a] : agents_)
    do_agent(i, a.on_coordinator());
}

void protocol_world::kill() {
  ++deaths_;
  if (fan_in_ != 0 && random_() % 3 == 0)
    return kill_aggregator();
  switch (random_() % 5) {
  case 0: {
    coordinator_ = coordinator_core{config()};
    everybody_joins();
    return;
  }
  case 1: {
    auto old = member{{"data_broker", 0}, {broker_starts_++}};
    broker_ = make_broker();
    do_coordinator(coordinator_.on_lost(old));
    do_coordinator(coordinator_.on_join({{{"data_broker", 0}, {broker_starts_}}, {}, true}));
    return;
  }
  case 2: {
    auto k = static_cast<uint32_t>(random_() % shards_count);
    auto had = shards_[k].applied();
    auto since = shards_[k].rewound();
    auto with_commit = shards_[k].loaded() && (random_() % 2 == 0 || ++lost_ > 2);
    auto old = shards_[k].self();
    shards_[k] = make_shard(k);
    sums_[k].clear();
    if (with_commit)
      shards_[k].on_loaded(had, since);
    if (random_() % 2)
      do_coordinator(coordinator_.on_lost(old));
    do_coordinator(coordinator_.on_join(word_of(k)));
    return;
  }
  default:
    kill_agent();
  }
}

void protocol_world::kill_agent() {
  auto i = static_cast<uint32_t>(random_() % agents_count);
  auto old = agents_.at(i).self();
  start_agent(i);
  // The news of the death and the new one's join come in any order.
  if (random_() % 2)
    do_coordinator(coordinator_.on_lost(old));
  do_agent(i, agents_.at(i).on_coordinator());
  if (random_() % 2)
    do_coordinator(coordinator_.on_lost(old));
}

void protocol_world::tick() {
  for (auto& [i, a] : agents_)
    do_agent(i, a.on_tick());
  do_coordinator(coordinator_.on_tick());
}

void protocol_world::agent_gets(uint32_t i, const message& m) {
  auto& a = agents_.at(i);
  if (auto* v = std::get_if<view_changed>(&m))
    do_agent(i, a.on_view(*v));
  else if (auto* p = std::get_if<parameters>(&m))
    do_agent(i, a.on_parameters(p->from, p->applied));
  else if (auto* l = std::get_if<lease>(&m))
    do_agent(i, a.on_lease(*l));
  else if (auto* e = std::get_if<evaluate>(&m))
    do_agent(i, a.on_evaluate(*e));
  else if (auto* s = std::get_if<split_lease>(&m))
    split(i, *s);
  else if (auto* w = std::get_if<worked>(&m); w && w->from.incarnation == a.self().incarnation) {
    if (!a.is_void(w->from))
      work_[i].push_back(*w);
    push(i, *w);
    do_agent(i, a.on_computed());
  }
}

void protocol_world::do_agent(uint32_t i, const agent_core::actions& actions) {
  auto& a = agents_.at(i);
  for (auto& x : actions) {
    if (std::get_if<agent_core::announce>(&x))
      send({"coordinator", 0}, join{a.self(), {}, false});
    else if (std::get_if<agent_core::forget>(&x))
      work_[i].clear();
    else if (auto* q = std::get_if<agent_core::ask>(&x))
      send({"data_broker", 0}, request_lease{a.from(), q->at, a.applied()});
    else if (auto* o = std::get_if<agent_core::offer>(&x))
      send({"data_broker", 0}, offer_help{a.from(), o->at, 0});
    else if (auto* c = std::get_if<agent_core::compute>(&x))
      compute(i, *c);
    else if (std::get_if<agent_core::push_again>(&x)) {
      for (auto& w : work_[i])
        if (!a.applied().contains(w.what.at))
          push(i, w);
    } else if (auto* p = std::get_if<agent_core::pull>(&x))
      send({"shard_holder", p->shard}, pull_parameters{a.from(), !a.version(), a.version().value_or(step{})});
    else if (auto* e = std::get_if<agent_core::measure>(&x)) {
      if (a.version() != e->what.version)
        violations.push_back("evaluated with other parameters than asked");
      send({"coordinator", 0}, evaluation{a.from(), e->what.version, e->what.first, e->what.last, 1, 1});
      a.on_measured(e->what.version, e->what.first);
    }
  }
}

// Any part of what is under way may not have begun.
void protocol_world::split(uint32_t i, const split_lease& word) {
  auto& a = agents_.at(i);
  auto answer = lease_split{a.from(), word.at, 0, 0, 0};
  for (auto& [to, m] : queue_)
    if (auto* w = std::get_if<worked>(&m);
        w && w->from.role == a.self().role && w->from.incarnation == a.self().incarnation && w->what.at == word.at) {
      auto& l = w->what;
      answer = {a.from(), word.at, l.first, l.first + random_() % (l.last - l.first + 1), l.last};
      l.last = answer.kept;
      break;
    }
  a.on_split(word.at, answer.first, answer.kept, answer.last);
  send({"data_broker", 0}, answer);
}

void protocol_world::compute(uint32_t i, const agent_core::compute& c) {
  auto& a = agents_.at(i);
  if (a.version() != c.base || a.applied().contains(c.what.at) ||
      (pace_.in_order && c.base.value + pace_.ahead < c.what.at.value))
    violations.push_back("computed with parameters that are too old");
  queue_.emplace_back(a.self().role, worked{a.from(), c.what, c.base});
}

void protocol_world::push(uint32_t i, const worked& w) {
  auto& l = w.what;
  auto tree = sum_tree{l.micro_batches};
  for (auto& node : tree.cover(l.first, l.last))
    for (uint64_t b = 0; b < uint64_t{shards_count} * 2; ++b) {
      auto what = content{};
      for (auto m = tree.first(node); m < tree.last(node); ++m)
        what.push_back(m);
      send(fan_in_ == 0 ? role_id{"shard_holder", static_cast<uint32_t>(b % shards_count)}
                        : aggregator_of({"agent", i}, fan_in_),
           push_with_content{{w.from, l.at, w.base, {b}, node, l.micro_batches, {}}, what});
    }
  auto done = micro_batches_done{w.from, l.at, w.base, l.micro_batches, {}, 0};
  for (auto m = l.first; m < l.last; ++m)
    done.results.push_back({m, 1, 1, 4});
  if (!done.results.empty())
    send({"coordinator", 0}, done);
}

// -- aggregators ------------------------------------------------------------------------------------------------------

void protocol_world::start_aggregator(uint32_t first) {
  auto self = member{{"aggregator", first}, {++aggregator_starts_[first]}};
  aggregators_.insert_or_assign(first, adding_up{aggregator_core{self, fan_in_, pace_}});
}

void protocol_world::kill_aggregator() {
  auto first = static_cast<uint32_t>(random_() % agents_count) / fan_in_ * fan_in_;
  auto old = aggregators_.at(first).core.self();
  start_aggregator(first);
  if (random_() % 2)
    do_coordinator(coordinator_.on_lost(old));
  do_coordinator(coordinator_.on_join({aggregators_.at(first).core.self(), {}, false}));
}

void protocol_world::aggregator_gets(uint32_t first, const message& m) {
  auto& [core, kept, sums] = aggregators_.at(first);
  if (auto* v = std::get_if<view_changed>(&m)) {
    auto before = core.rewound();
    auto actions = core.on_view(*v);
    if (core.rewound() != before) {
      kept.clear();
      sums.clear();
    }
    do_aggregator(first, actions);
  } else if (auto* p = std::get_if<push_with_content>(&m)) {
    auto actions = aggregator_core::actions{};
    if (core.on_push(p->push, actions))
      kept[{p->push.at, p->push.block, p->push.node}] = p->what;
    do_aggregator(first, actions);
  } else if (auto* plan = std::get_if<step_plan>(&m)) {
    do_aggregator(first, core.on_plan(*plan));
  }
}

void protocol_world::do_aggregator(uint32_t first, const aggregator_core::actions& actions) {
  auto& [core, kept, sums] = aggregators_.at(first);
  for (auto& x : actions) {
    if (std::get_if<aggregator_core::announce>(&x))
      send({"coordinator", 0}, join{core.self(), {}, false});
    else if (auto* q = std::get_if<aggregator_core::ask_plan>(&x))
      send({"data_broker", 0}, request_plan{core.from(), q->at, core.crew_since()});
    else if (auto* a = std::get_if<aggregator_core::add>(&x)) {
      for (auto& gone : a->replaced)
        sums.erase({a->at, a->block, gone});
      sums[{a->at, a->block, a->node}] = kept.at({a->at, a->block, a->node});
      for (auto& each : a->merges) {
        auto left = sums.extract({a->at, a->block, each.left}).mapped();
        auto right = sums.extract({a->at, a->block, each.right}).mapped();
        left.insert(left.end(), right.begin(), right.end());
        sums[{a->at, a->block, each.into}] = left;
      }
    } else if (auto* f = std::get_if<aggregator_core::forward>(&x)) {
      auto& p = f->what;
      auto sum = sums.find({p.at, p.block, p.node});
      send({"shard_holder", static_cast<uint32_t>(p.block.value % shards_count)},
           push_with_content{p, sum != sums.end() ? sum->second : kept.at({p.at, p.block, p.node})});
    } else if (auto* s = std::get_if<aggregator_core::start_over>(&x)) {
      sums.erase(sums.lower_bound({s->at, {}, {}}), sums.lower_bound({s->at.next(), {}, {}}));
    } else if (auto* r = std::get_if<aggregator_core::release>(&x)) {
      for (auto* parts : {&kept, &sums})
        parts->erase(parts->begin(), parts->lower_bound({r->before, {}, {}}));
    }
  }
}

// -- shard holders ----------------------------------------------------------------------------------------------------

void protocol_world::shard_gets(uint32_t k, const message& m) {
  auto& s = shards_[k];
  auto& sums = sums_[k];
  if (auto* v = std::get_if<view_changed>(&m)) {
    auto before = s.rewound();
    auto fresh_ones = s.on_view(*v);
    if (s.rewound() != before)
      sums.clear();
    for (auto& fresh : fresh_ones)
      publish(k, fresh);
  } else if (auto* p = std::get_if<push_with_content>(&m)) {
    auto in = s.on_push(p->push);
    if (in.verdict != partial_sums::verdict::accepted)
      return;
    auto b = p->push.block;
    auto at = p->push.at;
    for (auto& gone : in.replaced)
      sums.erase({at, b, gone});
    sums[{at, b, p->push.node}] = p->what;
    for (auto& x : in.merges) {
      auto joined = sums[{at, b, x.left}];
      for (auto& y : sums[{at, b, x.right}])
        joined.push_back(y);
      sums.erase({at, b, x.left});
      sums.erase({at, b, x.right});
      sums[{at, b, x.into}] = joined;
    }
    if (in.block_complete && s.on_norm(at, {b, 1, true}))
      send({"coordinator", 0}, shard_summed{s.from(), at, s.version(), s.norms(at)});
  } else if (auto* c = std::get_if<commit_step>(&m)) {
    for (auto ready = s.on_commit(*c); ready; ready = apply(k, ready->at)) {
    }
  } else if (auto* pull = std::get_if<pull_parameters>(&m)) {
    if (s.loaded() && (pull->any || pull->have < s.version()))
      publish(k, {pull->from.role, pull->from.incarnation});
    report(k);
  }
}

std::optional<commit_step> protocol_world::apply(uint32_t k, step at) {
  auto& s = shards_[k];
  auto& sums = sums_[k];
  auto expected = content{};
  for (uint64_t i = 0; i < learn::micro_batches_of_step(sizes, at.value); ++i)
    expected.push_back(i);
  auto first = sums.lower_bound({at, {}, {}});
  auto last = sums.lower_bound({at.next(), {}, {}});
  if (std::distance(first, last) != 2)
    violations.push_back("a commit with a block missing");
  for (auto i = first; i != last; ++i)
    if (i->second != expected)
      violations.push_back(fmt::format("a micro-batch missing, doubled or out of order in step {}", at.value));
  sums.erase(first, last);
  auto next = s.on_applied();
  ++commits[at.value];
  for (auto& a : s.agents())
    publish(k, a);
  report(k);
  return next;
}

void protocol_world::report(uint32_t k) {
  auto& s = shards_[k];
  for (auto at : s.summed())
    send({"coordinator", 0}, shard_summed{s.from(), at, s.version(), s.norms(at)});
}

void protocol_world::publish(uint32_t k, const member& to) {
  if (shards_[k].loaded())
    send(to.role, parameters{shards_[k].from(), shards_[k].applied(), {}});
}

broker_core protocol_world::make_broker() const {
  return broker_core{sizes, {0}, pace_, {}, broker_core::parts::by_speed, exchange_};
}

void protocol_world::broker_gets(const message& m) {
  auto grants = std::vector<broker_core::grant>{};
  if (auto* v = std::get_if<view_changed>(&m))
    grants = broker_.on_view(*v);
  else if (auto* r = std::get_if<request_lease>(&m))
    grants = broker_.on_request(*r);
  else if (auto* c = std::get_if<step_committed>(&m))
    grants = broker_.on_committed(*c);
  else if (auto* q = std::get_if<request_plan>(&m))
    if (auto plan = broker_.on_plan_request(*q))
      send(q->from.role, *plan);
  auto answers = broker_core::answers{};
  if (auto* o = std::get_if<offer_help>(&m))
    answers = broker_.on_offer(*o);
  else if (auto* s = std::get_if<lease_split>(&m))
    answers = broker_.on_split(*s);
  splits += static_cast<int>(std::holds_alternative<lease_split>(m) ? answers.grants.size() : 0);
  for (auto& question : answers.questions)
    send(question.to.role, question.what);
  for (auto& g : answers.grants)
    send(g.to.role, g.what);
  for (auto& [to, plan] : broker_.plans_waited_for())
    send(to, plan);
  for (auto& g : grants)
    send(g.to.role, g.what);
}

void protocol_world::coordinator_gets(const message& m) {
  if (auto* j = std::get_if<join>(&m))
    do_coordinator(coordinator_.on_join(*j));
  else if (auto* d = std::get_if<micro_batches_done>(&m))
    do_coordinator(coordinator_.on_results(*d));
  else if (auto* s = std::get_if<shard_summed>(&m))
    do_coordinator(coordinator_.on_summed(*s));
  else if (auto* e = std::get_if<evaluation>(&m))
    do_coordinator(coordinator_.on_evaluation(*e));
}

void protocol_world::do_coordinator(const coordinator_core::actions& actions) {
  for (auto& x : actions) {
    if (auto* p = std::get_if<coordinator_core::publish>(&x)) {
      for (auto& to : p->to) {
        if (to.role.kind == "shard_holder" && p->what.rewound > shards_[to.role.index].rewound())
          shard_gets(to.role.index, p->what); // comes before what it is loaded with
        else
          send(to.role, p->what);
      }
    } else if (auto* l = std::get_if<coordinator_core::load>(&x)) {
      shards_[l->shard].on_loaded({l->version, {}}, coordinator_.rewound());
      sums_[l->shard].clear();
      loaded_.push_back(l->shard);
    } else if (auto* c = std::get_if<coordinator_core::commit>(&x)) {
      for (uint32_t k = 0; k < shards_count; ++k)
        send({"shard_holder", k}, c->what);
    } else if (auto* b = std::get_if<coordinator_core::committed>(&x)) {
      send({"data_broker", 0}, b->what);
    } else if (auto* t = std::get_if<coordinator_core::test>(&x)) {
      send(t->to.role, t->what);
    } else if (std::get_if<coordinator_core::restore>(&x)) {
      restore_ = true;
    } else if (auto* f = std::get_if<coordinator_core::finish>(&x)) {
      finished_ = true;
      if (f->version != step{9})
        violations.push_back("the run ends at another step");
    } else if (auto* g = std::get_if<coordinator_core::give_up>(&x)) {
      violations.push_back(g->sentence);
      finished_ = true;
    }
  }
  auto loaded = std::move(loaded_);
  loaded_.clear();
  for (auto shard : loaded)
    do_coordinator(coordinator_.on_loaded(shard));
  if (std::exchange(restore_, false)) {
    ++rewinds;
    auto back_to = step{coordinator_.current().value / 3 * 3}; // a checkpoint every epoch
    commits.erase(commits.lower_bound(back_to.value), commits.end());
    do_coordinator(coordinator_.on_restored(back_to));
  }
}

} // namespace troupe::test
