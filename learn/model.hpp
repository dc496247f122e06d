#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "learn/layout.hpp"
#include "messages/failure.hpp"

namespace troupe::learn {

/// `bf16`: activations and matrix products in bfloat16 with f32 accumulation; parameters, gradients and optimiser state
/// stay f32 (master weights).
enum class precision : uint8_t { f32, bf16 };

/// (channels, height, width) of one sample.
struct sample_shape {
  int channels = 1;
  int height = 1;
  int width = 1;
  auto operator<=>(const sample_shape&) const = default;
  [[nodiscard]] size_t size() const {
    return static_cast<size_t>(channels) * static_cast<size_t>(height) * static_cast<size_t>(width);
  }
};

struct model_options {
  std::string name; ///< mlp, lenet, resnet20, resnet18, resnet50, none ("none" has one parameter and computes nothing)
  sample_shape input;
  int classes = 10;
  precision arithmetic = precision::f32;
};

/// The immutable description of a model: its layers and the layout of its parameters. Shared by all replicas of a
/// process.
class model {
public:
  virtual ~model() = default;
  [[nodiscard]] virtual const model_options& options() const = 0;
  [[nodiscard]] virtual const learn::layout& layout() const = 0;
  /// Fills a flat buffer of `layout().size()` floats with the initial parameters, a pure function of `seed` and the
  /// slice's name (PyTorch's default initialisers: Kaiming uniform, batch-norm weight 1, running variance 1, padding
  /// 0).
  virtual void initialise(uint64_t seed, std::span<float> parameters) const = 0;
};

/// Names accepted in `model_options::name`, for help texts and refusals.
std::span<const std::string_view> model_names();

/// Refuses an unknown name or an input that the model cannot take, with one sentence.
expected<std::shared_ptr<const model>> make_model(const model_options& options);

} // namespace troupe::learn
