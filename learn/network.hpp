#pragma once

#include <memory>
#include <string>
#include <vector>

#include "learn/layer.hpp"
#include "learn/layers/loss.hpp"
#include "learn/model.hpp"

namespace troupe::learn {

/// One use of a layer in a network.
struct node {
  std::shared_ptr<const layer> what;
  std::vector<size_t> inputs;     ///< values: 0 is the images, i + 1 the output of node i
  std::vector<size_t> parameters; ///< indices into the network's parameters
  sample_shape shape;             ///< of the output
  bool relu = false;              ///< a ReLU was folded in
};

/// A model as a graph of layers in the order of computation. Made by `model_builder`.
class network : public model {
public:
  struct named_parameter {
    std::string name;
    parameter what;
  };
  network(model_options options, std::vector<node> nodes, std::vector<named_parameter> parameters, loss_kind loss);

  [[nodiscard]] const model_options& options() const override { return options_; }
  [[nodiscard]] const learn::layout& layout() const override { return layout_; }
  void initialise(uint64_t seed, std::span<float> parameters) const override;

  /// The operations of one pass over micro-batches of `samples`. Call it on the lane thread.
  [[nodiscard]] plan make_plan(int samples, bool training, prepared_weights& weights) const;

private:
  struct values;
  void emit_forward(plan_builder& p, values& v) const;
  void emit_backward(plan_builder& p, values& v) const;

  model_options options_;
  std::vector<node> nodes_;
  std::vector<named_parameter> parameters_;
  learn::layout layout_;
  std::vector<std::vector<size_t>> slices_; ///< by node: the layout's indices of its parameters
  std::vector<bool> learns_;                ///< by value: depends on a trainable parameter
  loss_kind loss_;
};

} // namespace troupe::learn
