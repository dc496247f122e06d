#pragma once

#include <functional>
#include <optional>
#include <string>

#include "learn/layers/batch_norm2d.hpp"
#include "learn/layers/conv2d.hpp"
#include "learn/layers/linear.hpp"
#include "learn/layers/loss.hpp"
#include "learn/layers/pooling.hpp"
#include "learn/network.hpp"

namespace troupe::learn {

/// Builds a model layer by layer, each taking what the one before gives:
///
///     model_builder b({.name = "mine", .input = {1, 28, 28}, .classes = 10});
///     b.conv2d("0", {.in = 1, .out = 8, .kernel = 3, .padding = 1}).relu().max_pool(2).flatten().linear("4", {.in =
///     1568, .out = 10}); expected<std::shared_ptr<const model>> m = b.build();
///
/// Parameters are called like their layer, a dot and PyTorch's name: "0.weight". The first mistake (shapes that do not
/// fit, a name used twice) becomes the failure of `build`; calls behind it do nothing.
class model_builder {
public:
  explicit model_builder(model_options options);

  model_builder& linear(const std::string& name, linear::options o);
  model_builder& conv2d(const std::string& name, conv2d::options o);
  model_builder& batch_norm2d(const std::string& name);
  /// Normalises over all features of a sample.
  model_builder& layer_norm(const std::string& name);
  model_builder& relu();
  model_builder& tanh();
  model_builder& gelu();
  model_builder& max_pool(int kernel, int stride, int padding = 0);
  model_builder& average_pool(int kernel, int stride, int padding = 0);
  model_builder& global_average_pool();
  model_builder& flatten();
  /// Training only: zeroes a share `rate` of the values and scales the others by 1 / (1 - rate).
  model_builder& dropout(float rate);

  /// Every `stride`-th row and column, and `channels` - c new channels of zeros, half of them in front: the
  /// parameter-free shortcut ("option A") of K. He et al., "Deep residual learning for image recognition", 2015.
  model_builder& pad_channels(int channels, int stride);

  /// y = main(x) + shortcut(x); no shortcut means x itself.
  using branch = std::function<void(model_builder&)>;
  model_builder& residual(const branch& main, const branch& shortcut = {});

  /// Shape of the samples at this point.
  [[nodiscard]] sample_shape shape() const;

  /// The model; its last layer must give one value per class.
  [[nodiscard]] expected<std::shared_ptr<const model>> build(loss_kind loss = loss_kind::cross_entropy);

private:
  model_builder& append(const std::string& name, std::shared_ptr<const layer> what);
  std::vector<size_t> name_parameters(const std::string& name, const layer& what);

  model_options options_;
  std::vector<node> nodes_;
  std::vector<network::named_parameter> parameters_;
  size_t value_ = 0;      ///< where the next layer takes its input: 0 is the images, i + 1 the output of node i
  bool may_fold_ = false; ///< nobody but the next layer will read the last one's output
  std::optional<failure> failure_;
};

} // namespace troupe::learn
