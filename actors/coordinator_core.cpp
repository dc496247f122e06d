#include "actors/coordinator_core.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "messages/canary.hpp"

namespace troupe {

namespace {

// Ticks that a shard may stay short of the current step before the run goes back: what it lacks may be lost for good.
constexpr int behind_limit = 5;

} // namespace

coordinator_core::coordinator_core(config c) : config_(std::move(c)) {
  current_ = log().begun ? log().current : config_.first;
  last_step_ = config_.epochs * learn::steps_per_epoch(config_.sizes);
  if (config_.steps != 0 && (config_.epochs == 0 || config_.steps < last_step_))
    last_step_ = config_.steps;
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

std::optional<member> coordinator_core::member_of(const role_id& role) const {
  auto i = members_.find(role);
  return i == members_.end() ? std::nullopt : std::optional{i->second};
}

// -- steps ------------------------------------------------------------------------------------------------------------

coordinator_core::actions coordinator_core::on_results(const micro_batches_done& d) {
  auto out = actions{};
  if (phase_ == phase::finished) // agents work ahead until they are stopped
    return out;
  auto total = learn::micro_batches_of_step(config_.sizes, current_.value);
  auto ours = (d.at == current_ && member_now(d.from)) || planted(canary::ack_without_attempt);
  if (phase_ != phase::running || !ours || d.from.is_void(log().rewound) || d.micro_batches != total) {
    ++dropped_;
    return out;
  }
  for (auto& r : d.results)
    if (r.index < total)
      results_.try_emplace(r.index, taken{r, {d.from.role, d.from.incarnation}, d.number});
  try_commit(out);
  return out;
}

coordinator_core::actions coordinator_core::on_summed(const shard_summed& s) {
  auto out = actions{};
  if (phase_ == phase::finished)
    return out;
  if (phase_ != phase::running || !member_now(s.from) || s.from.is_void(log().rewound)) {
    ++dropped_;
    return out;
  }
  if (log().last && s.at == log().last->at) {
    behind_.erase(s.from.role.index);
    out.emplace_back(commit{*log().last}); // its commit was lost
    return out;
  }
  if (s.at != current_) {
    ++dropped_;
    return out;
  }
  behind_.erase(s.from.role.index);
  auto& summed = summed_[s.from.role.index];
  summed.clear();
  for (auto& n : s.norms) {
    norms_.insert_or_assign(n.block, n);
    summed.push_back(n.block);
  }
  try_commit(out);
  return out;
}

// Summed in block order, whichever shard owned which block.
double coordinator_core::gradient_norm() const {
  double sum = 0;
  for (auto& [block, n] : norms_)
    sum += n.squared;
  return std::sqrt(sum);
}

void coordinator_core::try_commit(actions& out) {
  auto total = learn::micro_batches_of_step(config_.sizes, current_.value);
  if (phase_ != phase::running || round_ || results_.size() < total || norms_.size() < config_.blocks)
    return;
  auto finite = std::all_of(norms_.begin(), norms_.end(), [](auto& x) { return x.second.finite; });
  if (!finite && config_.on_nonfinite == nonfinite::stop) {
    phase_ = phase::finished;
    out.emplace_back(
      give_up{fmt::format("the gradient of step {} is not finite, so it was not applied: lower the learning "
                          "rate, limit the gradient with --clip-norm, or choose --on-nan skip",
                          current_.value + 1)});
    return;
  }
  if (!finite && config_.on_nonfinite == nonfinite::rewind) {
    rewind("the gradient is not finite", out);
    return;
  }
  auto c =
    commit_step{log().view, current_,
                learn::learning_rate(config_.schedule, config_.optimizer.learning_rate, current_.value), 1, !finite};
  if (finite && config_.optimizer.clip_norm > 0) // torch.nn.utils.clip_grad_norm_
    c.scale =
      static_cast<float>(std::min(1.0, static_cast<double>(config_.optimizer.clip_norm) / (gradient_norm() + 1e-6)));
  if (!finite) {
    ++log().skipped;
    out.emplace_back(
      note{fmt::format("the gradient of step {} is not finite: the step changes nothing", current_.value + 1)});
  }
  auto done = step_done{current_, epoch_of(current_) + 1, 0, 0, 0};
  double loss = 0;
  int64_t correct = 0;
  auto booked = ledger_step{current_, log().rewound, !finite, {}};
  for (auto& [index, t] : results_) {
    auto& r = t.what;
    booked.entries.push_back({static_cast<uint32_t>(index), t.from.role.index, t.from.incarnation, t.number, r.ids});
    loss += r.loss_sum;
    correct += r.correct;
    done.samples += static_cast<uint64_t>(r.samples);
  }
  done.loss = loss / static_cast<double>(std::max<uint64_t>(done.samples, 1));
  done.accuracy = static_cast<double>(correct) / static_cast<double>(std::max<uint64_t>(done.samples, 1));
  results_.clear();
  norms_.clear();
  auto before = current_;
  current_ = current_.next();
  log().last = c; // before anybody hears of it
  log().current = current_;
  if (current_ > log().furthest) {
    log().furthest = current_;
    log().rewinds = 0;
  }
  out.emplace_back(account{std::move(booked)});
  // Evaluations go out before the commit, so that an agent has them before it has the parameters they ask for.
  auto epoch_ends = epoch_of(current_) != epoch_of(before);
  auto at_end = current_.value >= last_step_;
  if (config_.test_samples > 0 && (epoch_ends || at_end) && current_ > log().tested)
    begin_test(current_, epoch_of(before) + 1, out);
  out.emplace_back(commit{c});
  out.emplace_back(committed{{log().view, before}});
  out.emplace_back(done);
  after_commit(before, out);
}

void coordinator_core::after_commit(step before, actions& out) {
  auto epoch_ends = epoch_of(current_) != epoch_of(before);
  auto at_end = current_.value >= last_step_;
  auto due = config_.checkpoint_every == 0 ? epoch_ends : current_.value % config_.checkpoint_every == 0;
  if (config_.checkpoints && due && !at_end)
    out.emplace_back(checkpoint{current_});
  if (log().stop_asked)
    end(stop_cause::interrupted, out);
  else
    end_if_done(out);
}

void coordinator_core::end(stop_cause cause, actions& out) {
  phase_ = phase::finished;
  round_.reset();
  out.emplace_back(finish{current_, cause});
}

coordinator_core::actions coordinator_core::on_stop() {
  auto out = actions{};
  log().stop_asked = true;
  if (!log().begun && (phase_ == phase::gathering || phase_ == phase::loading)) {
    phase_ = phase::finished;
    out.emplace_back(give_up{"stopped before the first step"});
  } else if (phase_ == phase::running && round_) {
    end(stop_cause::interrupted, out); // between steps: nothing to finish
  }
  return out;
}

// -- evaluation -------------------------------------------------------------------------------------------------------

void coordinator_core::begin_test(step version, uint64_t epoch, actions& out) {
  round_.emplace();
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
  else if (current_.value >= last_step_)
    end_if_done(out);
  else if (log().stop_asked)
    end(stop_cause::interrupted, out);
  else
    try_commit(out);
  return out;
}

coordinator_core::actions coordinator_core::on_tick() {
  auto out = actions{};
  if (phase_ != phase::running)
    return out;
  if (round_)
    for (auto& [first, work] : round_->open)
      if (work.second)
        out.emplace_back(test{{log().view, round_->version, first, work.first}, *work.second});
  for (auto& [shard, ticks] : behind_)
    if (++ticks > behind_limit) {
      rewind(fmt::format("shard_holder/{} misses contributions to the step before", shard), out);
      break;
    }
  return out;
}

} // namespace troupe
