#include "actors/shard_memory.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <stdexcept>

namespace troupe {

std::optional<shard_vault::commit> shard_memory::restore() {
  auto kept = vault_->find(shard_);
  if (kept) {
    values_ = kept->values;
    state_ = kept->state;
  }
  return kept;
}

bool shard_memory::load(const step_set& applied, view since, const payload& values, const std::vector<payload>& state) {
  auto size = job_->shards.size(shard_);
  auto fits = [&](const payload& p) { return p.type() == dtype::f32 && p.elements() == size; };
  if (!fits(values) || !std::all_of(state.begin(), state.end(), fits))
    throw std::invalid_argument(fmt::format("shard {} was given parameters of another size", shard_));
  values_ = values;
  state_ = state;
  for (auto wanted = static_cast<size_t>(learn::state_buffers(how_)); state_.size() < wanted;) {
    state_.push_back(payload::floats(size));
    std::memset(state_.back().mutable_data(), 0, state_.back().bytes());
  }
  return vault_->keep(shard_, claim_, {applied, values_, state_, since});
}

std::map<step, shard_vault::sums> shard_memory::kept_sums(view since) const {
  auto all = vault_->find_sums(shard_);
  std::erase_if(all, [&](auto& x) { return x.second.since != since; });
  return all;
}

bool shard_memory::update(gpu::stream& on, const commit_step& c, const std::vector<block_id>& blocks,
                          const std::vector<payload>& sums, step_set applied, view since,
                          std::function<void(payload)> done) {
  auto update = vault_->begin(shard_, claim_);
  if (!update)
    return false;
  auto next = c.skip ? values_ : payload::floats_to_lend(values_.elements());
  auto at = learn::update_point{c.version.value + 1, c.learning_rate, c.scale};
  for (size_t i = 0; i < blocks.size() && !c.skip; ++i) {
    auto offset = job_->shards.offset(blocks[i].value);
    auto states = std::vector<float*>{};
    for (auto& s : state_)
      states.push_back(s.mutable_floats().data() + offset);
    learn::update(on, how_, at, job_->model->layout().blocks()[blocks[i].value], sums[i].as_floats().data(),
                  values_.as_floats().data() + offset, next.mutable_floats().data() + offset, states);
  }
  applied.insert(c.at);
  // The completion keeps everything that the update reads and writes until it is done.
  on.on_complete([update = std::move(update), applied = std::move(applied), since, next, old = values_, state = state_,
                  sums, done = std::move(done)]() mutable {
    update->keep({std::move(applied), next, state, since});
    update.reset();
    done(next);
  });
  return true;
}

} // namespace troupe
