#include "actors/coordinator_core.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "messages/canary.hpp"

namespace troupe {

namespace {

// Ticks that a shard may stay short of the current step before the run goes back: what it lacks may be lost for good.
constexpr int behind_limit = 5;

} // namespace

coordinator_core::coordinator_core(config c) : config_(std::move(c)) {
  if (!log().begun)
    log().applied = {config_.first, {}};
  last_step_ = config_.epochs * learn::steps_per_epoch(config_.sizes);
  if (config_.steps != 0 && (config_.epochs == 0 || config_.steps < last_step_))
    last_step_ = config_.steps;
  end_ = config_.until != 0 ? std::min(config_.until, last_step_) : last_step_;
}

uint64_t coordinator_core::epoch_of(step at) const {
  return at.value / learn::steps_per_epoch(config_.sizes);
}

std::vector<member> coordinator_core::agents() const {
  auto result = std::vector<member>{};
  for (auto& [role, m] : members_)
    if (role.kind == "agent")
      result.push_back(m);
  return result;
}

bool coordinator_core::member_now(const origin& from) const {
  auto i = members_.find(from.role);
  return i != members_.end() && i->second.incarnation == from.incarnation;
}

std::vector<role_id> coordinator_core::holders() const {
  auto result = std::vector<role_id>{};
  if (has_peers()) {
    for (auto& [role, m] : members_)
      if (role.kind == holder_kind())
        result.push_back(role);
  } else {
    for (uint32_t shard = 0; shard < config_.shards; ++shard)
      result.push_back({holder_kind(), shard});
  }
  return result;
}

std::vector<std::vector<role_id>> coordinator_core::sources(bool with_state) const {
  auto result = std::vector<std::vector<role_id>>{};
  if (!has_peers()) {
    for (auto& role : holders())
      result.push_back({role});
    return result;
  }
  auto newest = std::max_element(holds_.begin(), holds_.end(), [](auto& a, auto& b) { return a.second < b.second; });
  auto& all = result.emplace_back();
  auto& rounds = config_.gossip;
  if (rounds && !(rounds->all_alike_at(current()) && (!with_state || rounds->states_alike_at(current()))))
    for (auto& [peer, version] : holds_) { // those that are short of the last commit get it again
      auto role = role_id{holder_kind(), peer};
      if (version == current() || members_.contains(role))
        all.push_back(role);
    }
  if (all.empty())
    all.push_back({holder_kind(), newest == holds_.end() ? 0 : newest->first});
  return result;
}

std::optional<member> coordinator_core::member_of(const role_id& role) const {
  auto i = members_.find(role);
  return i == members_.end() ? std::nullopt : std::optional{i->second};
}

// -- steps ------------------------------------------------------------------------------------------------------------

// Contributions to it count. Where an agent is ahead of what is known here, it is by no more than the same distance.
bool coordinator_core::open(step at) const {
  return !log().applied.contains(at) && at.value <= log().applied.floor.value + config_.pace.ahead;
}

coordinator_core::actions coordinator_core::on_results(const micro_batches_done& d) {
  auto out = actions{};
  if (phase_ == phase::finished) // agents work ahead until they are stopped
    return out;
  auto unchecked = planted(canary::ack_without_attempt);
  auto at = unchecked ? log().applied.floor : d.at;
  auto total = learn::micro_batches_of_step(config_.sizes, at.value);
  auto ours = (open(d.at) && member_now(d.from) && config_.pace.fresh(d.at, d.base)) || unchecked;
  if (phase_ != phase::running || !ours || d.from.is_void(log().rewound) || d.micro_batches != total) {
    ++dropped_;
    return out;
  }
  for (auto& r : d.results)
    if (r.index < total)
      results_[at].try_emplace(r.index, outcome{r, d.base, {d.from.role, d.from.incarnation}, d.number});
  try_commit(out);
  return out;
}

coordinator_core::actions coordinator_core::on_summed(const shard_summed& s) {
  auto out = actions{};
  if (phase_ == phase::finished && (has_peers() || !log().applied.contains(s.at))) {
    if (config_.gossip && log().applied.contains(s.at) && member_now(s.from))
      commit_again(s.version, out); // its part of the final parameters is missing
    return out;                     // agents work ahead until they are stopped
  }
  auto of_present_ring = !has_peers() || s.from.view >= log().crew_since || log().applied.contains(s.at);
  if (!has_begun() || !member_now(s.from) || s.from.is_void(log().rewound) || !of_present_ring) {
    ++dropped_;
    return out;
  }
  auto& held = holds_[s.from.role.index];
  held = std::max(held, s.version);
  if (log().applied.contains(s.at)) { // its commit was lost
    commit_again(s.version, out);
    if (out.empty())
      ++dropped_;
    caught_up(s);
    try_commit(out);
    return out;
  }
  caught_up(s);
  if (!open(s.at)) {
    ++dropped_;
    return out;
  }
  for (auto n : s.norms) {
    auto& known = norms_[s.at][n.block];
    n.finite = n.finite && (!has_peers() || known.norm.finite); // of gradients of their own, each has to be
    known = {std::move(n), s.from.role.index};
  }
  summed_.insert(s.from.role.index);
  try_commit(out);
  return out;
}

// A shard that came back without the sums of its next update has them again.
void coordinator_core::caught_up(const shard_summed& s) {
  auto i = behind_.find(s.from.role.index);
  if (i == behind_.end())
    return;
  auto& recent = log().recent;
  auto ready =
    std::any_of(recent.begin(), recent.end(), [&](auto& c) { return c.version == s.version && c.at == s.at; });
  auto reached = step{s.version.value + (ready ? 1 : 0)};
  if (reached >= current())
    behind_.erase(i);
  else if (reached > i->second.version)
    i->second = {reached, 0};
}

void coordinator_core::commit_again(step from, actions& out) const {
  for (auto& c : log().recent)
    if (c.version >= from)
      out.emplace_back(commit{c});
}

// A holder that begins anew does not have what the one before had summed up.
void coordinator_core::forget_sums(uint32_t shard) {
  for (auto& [at, norms] : norms_)
    std::erase_if(norms, [&](auto& x) { return x.second.shard == shard; });
  summed_.erase(shard);
}

// Where there are peers, each has to have the result before any applies it.
bool coordinator_core::everyone_summed(step at) const {
  auto norms = norms_.find(at);
  if (norms == norms_.end() || norms->second.size() != config_.blocks)
    return false;
  if (!has_peers())
    return true;
  auto all = holders();
  return std::all_of(all.begin(), all.end(), [&](auto& role) { return summed_.contains(role.index); });
}

// Summed in block order, whichever shard owned which block.
double coordinator_core::gradient_norm(step at) const {
  double sum = 0;
  for (auto& [block, n] : norms_.at(at))
    sum += n.norm.squared;
  return std::sqrt(sum);
}

// With Krum: between all of the parameters, block by block.
uint64_t coordinator_core::choice(step at) const {
  auto apart = std::vector<double>{};
  for (auto& [block, n] : norms_.at(at)) {
    apart.resize(std::max(apart.size(), n.norm.distances.size()));
    for (size_t i = 0; i < n.norm.distances.size(); ++i)
      apart[i] += n.norm.distances[i];
  }
  auto m = config_.combine.contributions(learn::micro_batches_of_step(config_.sizes, at.value));
  return apart.size() == m * (m - 1) / 2 ? learn::krum(m, static_cast<size_t>(config_.combine.bad), apart) : 0;
}

// -- commits ----------------------------------------------------------------------------------------------------------

// Where steps commit in another order than their own: the first step that has to wait for all before it. What follows
// an epoch, a checkpoint or a wish to stop is then made by whole numbers of steps.
step coordinator_core::barrier() const {
  auto& applied = log().applied;
  if (log().stop_asked)
    return applied.above.empty() ? applied.floor.next() : applied.above.back();
  auto per_epoch = learn::steps_per_epoch(config_.sizes);
  auto next = std::min(end_, (applied.floor.value / per_epoch + 1) * per_epoch);
  if (config_.checkpoint_every != 0)
    next = std::min(next, (applied.floor.value / config_.checkpoint_every + 1) * config_.checkpoint_every);
  return {next};
}

// The next step to commit, if one is complete.
std::optional<step> coordinator_core::complete() const {
  auto& applied = log().applied;
  auto last = config_.pace.in_order ? applied.floor.next() : barrier();
  for (auto at = applied.floor; at < last && at.value <= applied.floor.value + config_.pace.ahead; at = at.next()) {
    if (applied.contains(at))
      continue;
    auto results = results_.find(at);
    if (results != results_.end() && results->second.size() == learn::micro_batches_of_step(config_.sizes, at.value) &&
        everyone_summed(at))
      return at;
  }
  return std::nullopt;
}

void coordinator_core::try_commit(actions& out) {
  while (phase_ == phase::running && !round_) {
    auto at = complete();
    // No shard is left behind by more commits than are kept for it.
    auto held = holds_.empty() ? current() : std::min_element(holds_.begin(), holds_.end(), [](auto& a, auto& b) {
                                               return a.second < b.second;
                                             })->second;
    if (!at || current().value > held.value + config_.pace.ahead || (config_.may_commit && !config_.may_commit()) ||
        !commit_one(*at, out))
      return;
  }
}

bool coordinator_core::commit_one(step at, actions& out) {
  auto version = current();
  auto& norms = norms_[at];
  auto finite = std::all_of(norms.begin(), norms.end(), [](auto& x) { return x.second.norm.finite; });
  if (!finite && config_.on_nonfinite == nonfinite::stop) {
    phase_ = phase::finished;
    out.emplace_back(
      give_up{fmt::format("the gradient of step {} is not finite, so it was not applied: lower the learning "
                          "rate, limit the gradient with --clip-norm, or choose --on-nan skip",
                          at.value + 1)});
    return false;
  }
  if (!finite && config_.on_nonfinite == nonfinite::rewind) {
    rewind("the gradient is not finite", out);
    return false;
  }
  auto c = commit_step{.view = log().view, .at = at, .version = version};
  c.learning_rate = learn::learning_rate(config_.schedule, config_.optimizer.learning_rate, version.value);
  c.skip = !finite;
  c.crew_since = log().crew_since;
  if (config_.combine.kind == learn::combine_kind::krum)
    c.chosen = choice(at);
  if (finite && config_.optimizer.clip_norm > 0) // torch.nn.utils.clip_grad_norm_
    c.scale =
      static_cast<float>(std::min(1.0, static_cast<double>(config_.optimizer.clip_norm) / (gradient_norm(at) + 1e-6)));
  if (!finite) {
    ++log().skipped;
    out.emplace_back(
      note{fmt::format("the gradient of step {} is not finite: the step changes nothing", at.value + 1)});
  }
  auto done = step_done{at, version, epoch_of(version) + 1};
  double loss = 0;
  int64_t correct = 0;
  auto booked = ledger_step{at, log().rewound, !finite, {}};
  auto& givers = log().givers[at];
  givers.clear();
  for (auto& [index, r] : results_[at]) {
    givers.insert(r.from);
    booked.entries.push_back(
      {static_cast<uint32_t>(index), r.from.role.index, r.from.incarnation, r.number, r.result.ids});
    loss += r.result.loss_sum;
    correct += r.result.correct;
    done.samples += static_cast<uint64_t>(r.result.samples);
    ++done.staleness[version.value - std::min(r.base, version).value];
  }
  done.loss = loss / static_cast<double>(std::max<uint64_t>(done.samples, 1));
  done.accuracy = static_cast<double>(correct) / static_cast<double>(std::max<uint64_t>(done.samples, 1));
  results_.erase(at);
  norms_.erase(at);
  summed_.clear();
  log().applied.insert(at); // before anybody hears of it
  log().recent.push_back(c);
  if (log().recent.size() > config_.pace.ahead + 1) {
    log().givers.erase(log().recent.front().at);
    log().recent.erase(log().recent.begin());
  }
  if (current() > log().furthest) {
    log().furthest = current();
    log().rewinds = 0;
  }
  out.emplace_back(account{std::move(booked)});
  // Before what may fail: whoever takes over does not say it again.
  out.emplace_back(std::move(done));
  // Evaluations go out before the commit, so that an agent has them before it has the parameters they ask for.
  auto epoch_ends = epoch_of(current()) != epoch_of(version);
  if (config_.test_samples > 0 && (epoch_ends || current().value >= last_step_) && current() > log().tested)
    begin_test(current(), epoch_of(version) + 1, out);
  out.emplace_back(commit{c});
  out.emplace_back(committed{{log().view, at}});
  after_commit(out);
  return true;
}

void coordinator_core::after_commit(actions& out) {
  auto version = current();
  auto epoch_ends = epoch_of(version) != epoch_of({version.value - 1});
  auto due = config_.checkpoint_every == 0 ? epoch_ends : version.value % config_.checkpoint_every == 0;
  if (config_.checkpoints && due && version.value < end_)
    out.emplace_back(checkpoint{version});
  if (log().stop_asked && log().applied.above.empty())
    end(stop_cause::interrupted, out);
  else
    end_if_done(out);
}

void coordinator_core::end(stop_cause cause, actions& out) {
  phase_ = phase::finished;
  round_.reset();
  out.emplace_back(finish{current(), cause});
}

coordinator_core::actions coordinator_core::on_stop() {
  auto out = actions{};
  log().stop_asked = true;
  if (!log().begun && (phase_ == phase::gathering || phase_ == phase::loading)) {
    if (config_.first > step{}) // what there is already is collected when the shards have it
      return out;
    phase_ = phase::finished;
    out.emplace_back(give_up{"stopped before the first step"});
  } else if (phase_ == phase::running && round_) {
    end(stop_cause::interrupted, out); // between steps: nothing to finish
  }
  return out;
}

// -- evaluation -------------------------------------------------------------------------------------------------------

void coordinator_core::begin_test(step version, uint64_t epoch, actions& out) {
  round_ = round{};
  round_->version = version;
  round_->epoch = epoch;
  // Contiguous parts in whole grains, one per agent.
  auto grains = (config_.test_samples + config_.evaluation_grain - 1) / config_.evaluation_grain;
  auto workers = std::max<uint64_t>(agents().size(), 1);
  for (uint64_t i = 0; i < workers; ++i) {
    auto first = grains * i / workers * config_.evaluation_grain;
    auto last = std::min(grains * (i + 1) / workers * config_.evaluation_grain, config_.test_samples);
    if (first < last)
      round_->open[first] = {last, std::nullopt};
  }
  hand_out_tests(out);
}

void coordinator_core::hand_out_tests(actions& out) {
  auto workers = agents();
  if (!round_ || workers.empty())
    return;
  size_t next = 0;
  for (auto& [first, work] : round_->open)
    if (!work.second) {
      work.second = workers[next++ % workers.size()];
      out.emplace_back(test{{log().view, round_->version, first, work.first}, *work.second});
    }
}

coordinator_core::actions coordinator_core::on_evaluation(const evaluation& e) {
  auto out = actions{};
  if (!round_ || e.version != round_->version || !member_now(e.from)) {
    ++dropped_;
    return out;
  }
  auto i = round_->open.find(e.first);
  if (i == round_->open.end() || i->second.first != e.last) {
    ++dropped_;
    return out;
  }
  round_->open.erase(i);
  round_->loss_sum += e.loss_sum;
  round_->correct += e.correct;
  if (!round_->open.empty())
    return out;
  auto samples = static_cast<double>(config_.test_samples);
  auto accuracy = static_cast<double>(round_->correct) / samples;
  log().tested = round_->version;
  out.emplace_back(epoch_done{round_->epoch, round_->loss_sum / samples, accuracy});
  round_.reset();
  if (config_.target_accuracy > 0 && accuracy >= config_.target_accuracy)
    end(stop_cause::target_reached, out);
  else if (current().value >= end_)
    end_if_done(out);
  else if (log().stop_asked)
    end(stop_cause::interrupted, out);
  else
    try_commit(out);
  return out;
}

coordinator_core::actions coordinator_core::on_lead() {
  auto out = actions{};
  try_commit(out);
  return out;
}

coordinator_core::actions coordinator_core::on_tick() {
  auto out = actions{};
  if (std::exchange(patient_, false) && phase_ == phase::gathering)
    begin_if_gathered(out);
  if (!has_begun())
    return out;
  lonely_ticks_ = agents().empty() ? lonely_ticks_ + 1 : 0;
  end_if_deserted(out);
  stop_if_nobody_works(out);
  if (round_)
    for (auto& [first, work] : round_->open)
      if (work.second)
        out.emplace_back(test{{log().view, round_->version, first, work.first}, *work.second});
  for (auto& [shard, late] : behind_)
    if (!(has_peers() && somebody_holds_current()) && ++late.ticks > behind_limit) {
      rewind(fmt::format("{}/{} misses contributions to the step before", holder_kind(), shard), out);
      break;
    }
  return out;
}

} // namespace troupe
