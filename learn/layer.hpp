#pragma once

#include <functional>
#include <string>
#include <vector>

#include "learn/layout.hpp"
#include "learn/model.hpp"
#include "learn/plan.hpp"

namespace troupe::learn {

/// How a parameter starts. `uniform` draws from U(-b, b), b = 1/sqrt(fan_in), which is what PyTorch's
/// kaiming_uniform_(a = sqrt(5)) comes to.
enum class initial_value : uint8_t { zeros, ones, uniform };

/// A parameter that a layer asks for; its slice's name is the layer's name, a dot and this name.
struct parameter {
  std::string name;
  std::vector<int64_t> dims;
  initial_value initial = initial_value::zeros;
  int64_t fan_in = 1;
  slice_kind kind = slice_kind::trainable;
};

/// Emits the backward operations of a node into the plan that its forward operations went to. Takes the gradients that
/// reached the node's output (their sum is the gradient; at least one), each described like the output; returns one per
/// input, described like that input, or an empty tensor where none is wanted.
using backward_emitter = std::function<std::vector<tensor>(std::vector<tensor> output_gradients)>;

/// What a layer finds when it is asked to emit a node.
struct emission_site {
  plan_builder& plan;
  std::vector<tensor> inputs;       ///< in f32 or, in bf16 models, any mix of f32 (images) and bf16
  std::vector<bool> wants_gradient; ///< per input
  std::span<const size_t> slices;   ///< indices of the layer's parameters in the layout, in their order
  sample_shape input_shape;         ///< of the first input
  sample_shape shape;               ///< of the output
  bool relu = false;                ///< the node ends in a ReLU that the layer agreed to absorb
  bool last = false;                ///< the output goes to the loss: always f32
};

struct emitted {
  tensor output;
  backward_emitter backward; ///< unused in plans for evaluation
};

/// The immutable description of one computation in a model; shared by all replicas.
class layer {
public:
  virtual ~layer() = default;

  [[nodiscard]] virtual std::vector<parameter> parameters() const { return {}; }

  /// Shape of one output sample, or the sentence why this layer cannot take that input.
  [[nodiscard]] virtual expected<sample_shape> output(sample_shape input) const = 0;

  /// True where `emission_site::relu` may be set.
  [[nodiscard]] virtual bool absorbs_relu() const { return false; }
  /// True where f(max(0, x)) = max(0, f(x)), and the latter is cheaper.
  [[nodiscard]] virtual bool commutes_with_relu() const { return false; }
  /// True where the node may have a second input, of the output's shape, that is added to the result (before the ReLU).
  [[nodiscard]] virtual bool absorbs_addition() const { return false; }
  /// Most output gradients that backward takes; more are summed before.
  [[nodiscard]] virtual size_t gradients_taken() const { return 1; }

  /// Appends the node's forward operations to the plan.
  [[nodiscard]] virtual emitted emit(const emission_site& site) const = 0;
};

} // namespace troupe::learn
