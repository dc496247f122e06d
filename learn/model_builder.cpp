#include "learn/model_builder.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "learn/layers/add.hpp"
#include "learn/layers/dropout.hpp"
#include "learn/layers/elementwise.hpp"
#include "learn/layers/flatten.hpp"
#include "learn/layers/layer_norm.hpp"
#include "learn/layers/pad_channels.hpp"

namespace troupe::learn {

model_builder::model_builder(model_options options) : options_(std::move(options)) {
  if (std::min({options_.input.channels, options_.input.height, options_.input.width}) < 1 || options_.classes < 1)
    failure_ = {fmt::format("model {}: input {}x{}x{} and {} classes cannot be: choose at least 1 of each",
                            options_.name, options_.input.channels, options_.input.height, options_.input.width,
                            options_.classes)};
}

sample_shape model_builder::shape() const {
  return value_ == 0 ? options_.input : nodes_[value_ - 1].shape;
}

std::vector<size_t> model_builder::name_parameters(const std::string& name, const layer& what) {
  std::vector<size_t> indices;
  for (auto& p : what.parameters()) {
    auto full = fmt::format("{}.{}", name, p.name);
    if (!failure_ &&
        std::any_of(parameters_.begin(), parameters_.end(), [&](const auto& known) { return known.name == full; }))
      failure_ = {
        fmt::format("model {} has two parameters named {}: give each layer its own name", options_.name, full)};
    indices.push_back(parameters_.size());
    parameters_.push_back({std::move(full), std::move(p)});
  }
  return indices;
}

model_builder& model_builder::append(const std::string& name, std::shared_ptr<const layer> what) {
  if (failure_)
    return *this;
  const auto shape_behind = what->output(shape());
  if (!shape_behind) {
    failure_ = {fmt::format("model {}: {}", options_.name, shape_behind.error().sentence)};
    return *this;
  }
  auto parameters = name_parameters(name, *what);
  // A ReLU that only this layer would read may change places with it.
  const bool swaps = may_fold_ && nodes_.back().relu && what->commutes_with_relu() && what->absorbs_relu();
  if (swaps)
    nodes_.back().relu = false;
  nodes_.push_back({.what = std::move(what),
                    .inputs = {value_},
                    .parameters = std::move(parameters),
                    .shape = *shape_behind,
                    .relu = swaps});
  value_ = nodes_.size();
  may_fold_ = true;
  return *this;
}

model_builder& model_builder::linear(const std::string& name, linear::options o) {
  return append(name, std::make_shared<learn::linear>(o));
}

model_builder& model_builder::conv2d(const std::string& name, conv2d::options o) {
  return append(name, std::make_shared<learn::conv2d>(o));
}

model_builder& model_builder::batch_norm2d(const std::string& name) {
  return append(name, std::make_shared<learn::batch_norm2d>(shape().channels));
}

model_builder& model_builder::layer_norm(const std::string& name) {
  return append(name, std::make_shared<learn::layer_norm>(shape()));
}

model_builder& model_builder::relu() {
  if (may_fold_ && !failure_ && nodes_.back().what->absorbs_relu() && !nodes_.back().relu) {
    nodes_.back().relu = true;
    return *this;
  }
  return append("relu", std::make_shared<elementwise>(dnn::elementwise_kind::relu));
}

model_builder& model_builder::tanh() {
  return append("tanh", std::make_shared<elementwise>(dnn::elementwise_kind::tanh));
}

model_builder& model_builder::gelu() {
  return append("gelu", std::make_shared<elementwise>(dnn::elementwise_kind::gelu));
}

model_builder& model_builder::max_pool(int kernel, int stride, int padding) {
  return append("max_pool", std::make_shared<max_pool2d>(max_pool2d::options{kernel, stride, padding}));
}

model_builder& model_builder::average_pool(int kernel, int stride, int padding) {
  return append("average_pool", std::make_shared<average_pool2d>(average_pool2d::options{kernel, stride, padding}));
}

model_builder& model_builder::global_average_pool() {
  return append("global_average_pool", std::make_shared<learn::global_average_pool>());
}

model_builder& model_builder::flatten() {
  return append("flatten", std::make_shared<learn::flatten>());
}

model_builder& model_builder::dropout(float rate) {
  return append("dropout", std::make_shared<learn::dropout>(rate, static_cast<uint32_t>(nodes_.size())));
}

model_builder& model_builder::pad_channels(int channels, int stride) {
  return append("pad_channels", std::make_shared<learn::pad_channels>(channels, stride));
}

model_builder& model_builder::residual(const branch& main, const branch& shortcut) {
  if (failure_)
    return *this;
  const auto input = value_;
  may_fold_ = false; // the shortcut reads the value before it, too
  main(*this);
  const auto main_value = value_;
  // The last layer of the main branch takes the shortcut as a second input where it can, and so has to come behind it.
  std::optional<node> last;
  if (!failure_ && main_value != input && nodes_.back().what->absorbs_addition() && !nodes_.back().relu &&
      nodes_.back().inputs.size() == 1) {
    last = std::move(nodes_.back());
    nodes_.pop_back();
  }
  value_ = input;
  may_fold_ = false;
  if (shortcut)
    shortcut(*this);
  if (failure_)
    return *this;
  const auto main_shape = last ? last->shape : main_value == 0 ? options_.input : nodes_[main_value - 1].shape;
  if (main_shape != shape()) {
    failure_ = {fmt::format("model {}: a residual branch gives {}x{}x{}, its shortcut {}x{}x{}: make them equal",
                            options_.name, main_shape.channels, main_shape.height, main_shape.width, shape().channels,
                            shape().height, shape().width)};
    return *this;
  }
  if (last) {
    last->inputs.push_back(value_);
    nodes_.push_back(std::move(*last));
  } else {
    nodes_.push_back(
      {.what = std::make_shared<add>(), .inputs = {main_value, value_}, .parameters = {}, .shape = main_shape});
  }
  value_ = nodes_.size();
  may_fold_ = true;
  return *this;
}

expected<std::shared_ptr<const model>> model_builder::build(loss_kind loss) {
  if (!failure_ && nodes_.empty())
    failure_ = {fmt::format("model {} has no layers: add at least one", options_.name)};
  if (!failure_ && shape().size() != static_cast<size_t>(options_.classes))
    failure_ = {fmt::format(
      "model {} ends in {} values, but has {} classes: end it with a linear layer that gives one value per class",
      options_.name, shape().size(), options_.classes)};
  if (!failure_ && parameters_.empty())
    failure_ = {fmt::format("model {} has no parameters: add a layer that learns", options_.name)};
  if (failure_)
    return tl::unexpected(*failure_);
  return std::make_shared<network>(options_, std::move(nodes_), std::move(parameters_), loss);
}

} // namespace troupe::learn
