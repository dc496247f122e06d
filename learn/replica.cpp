#include "learn/replica.hpp"

#include <cassert>
#include <fmt/format.h>
#include <map>
#include <stdexcept>
#include <utility>

#include "learn/network.hpp"
#include "messages/memory.hpp"

namespace troupe::learn {

namespace {

/// What a replica's tasks work on; they own it, so that a replica may go while its stream still runs.
class workshop {
public:
  explicit workshop(std::shared_ptr<const network> m)
    : model_(std::move(m)), parameters_(model_->layout().slices().size()), owners_(model_->layout().blocks().size()) {}

  [[nodiscard]] const network& model() const { return *model_; }
  [[nodiscard]] std::span<const bound_slice> parameters() const { return parameters_; }

  void bind(size_t index, const float* data, std::shared_ptr<const void> owner) {
    const auto& l = model_->layout();
    const auto& b = l.blocks()[index];
    ++version_;
    for (size_t i = b.first; i < b.last; ++i)
      parameters_[i] = {data + (l.slices()[i].offset - b.offset), version_};
    owners_[index] = std::move(owner);
  }

  /// The plan for micro-batches of `samples`, made when first asked for.
  const plan& plan_for(int samples, bool training) {
    check_bound();
    const std::pair key(samples, training);
    const auto known = plans_.find(key);
    if (known != plans_.end())
      return known->second;
    auto& made = plans_.emplace(key, model_->make_plan(samples, training, weights_)).first->second;
    if (made.arena_bytes() <= arena_bytes_) {
      made.place(arena_.get());
      return made;
    }
    arena_.reset();
    arena_ = acquire_memory(made.arena_bytes());
    arena_bytes_ = made.arena_bytes();
    for (auto& [_, each] : plans_)
      each.place(arena_.get());
    return made;
  }

private:
  void check_bound() const {
    for (size_t i = 0; i < parameters_.size(); ++i)
      if (!parameters_[i].data)
        throw std::logic_error(
          fmt::format("parameter {} of a replica was never bound: bind all blocks before the first pass",
                      model_->layout().slices()[i].name));
  }

  std::shared_ptr<const network> model_;
  std::vector<bound_slice> parameters_;             // by slice
  std::vector<std::shared_ptr<const void>> owners_; // by block
  uint64_t version_ = 0;
  prepared_weights weights_;
  std::map<std::pair<int, bool>, plan> plans_; // by (samples, training)
  std::shared_ptr<std::byte> arena_;           // of all plans, since one runs at a time
  size_t arena_bytes_ = 0;
};

class network_replica : public replica {
public:
  explicit network_replica(std::shared_ptr<const network> m)
    : model_(m), workshop_(std::make_shared<workshop>(std::move(m))) {}

  [[nodiscard]] const learn::model& model() const override { return *model_; }

  void bind(gpu::stream& s, size_t index, const float* data, std::shared_ptr<const void> owner) override {
    s.enqueue(
      [w = workshop_, index, data, owner = std::move(owner)]() mutable { w->bind(index, data, std::move(owner)); });
  }

  void train(gpu::stream& s, micro_batch_data in, train_options options, float* gradient, batch_result* result,
             std::function<void(size_t)> on_block) override {
    struct call {
      pass now;
      std::function<void(size_t)> on_block;
      const plan* running = nullptr;
    };
    auto c = std::make_shared<call>();
    c->now = {
      .parameters = workshop_->parameters(), .in = in, .options = options, .gradient = gradient, .result = result};
    c->on_block = std::move(on_block);
    // One task per block of the gradient, so that others who use this device get their turn within a pass.
    for (size_t i = 0; i < model_->layout().blocks().size(); ++i)
      s.enqueue([w = workshop_, c, i] {
        if (i == 0)
          c->running = &w->plan_for(c->now.in.n, true);
        c->running->run_to_block(i, c->now);
        if (c->on_block)
          c->on_block(c->running->blocks()[i]);
      });
  }

  void evaluate(gpu::stream& s, micro_batch_data in, batch_result* result) override {
    s.enqueue([w = workshop_, in, result] {
      w->plan_for(in.n, false)
        .run({.parameters = w->parameters(), .in = in, .options = {}, .gradient = nullptr, .result = result});
    });
  }

private:
  std::shared_ptr<const network> model_;
  std::shared_ptr<workshop> workshop_;
};

} // namespace

expected<std::unique_ptr<replica>> make_replica(const std::shared_ptr<const model>& m, const gpu::device& where) {
  if (m->options().arithmetic == precision::bf16 && !(where.has_bf16() && dnn::computes_bf16()))
    return fail(fmt::format("device {} does not compute bf16: choose precision f32, or a processor with AVX-512 BF16",
                            where.name()));
  if (auto custom = std::dynamic_pointer_cast<const custom_model>(m))
    return custom->make_replica(custom);
  auto described = std::dynamic_pointer_cast<const network>(m);
  if (!described)
    return fail(fmt::format("model {} has no layers that a replica could run: build it with model_builder, or "
                            "derive it from custom_model",
                            m->options().name));
  return std::make_unique<network_replica>(std::move(described));
}

} // namespace troupe::learn
