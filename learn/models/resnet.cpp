#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "learn/model_builder.hpp"
#include "learn/models/models.hpp"

namespace troupe::learn::models {

namespace {

/// One residual block of torchvision's ResNet: where its parameters' names start, its width and stride.
struct block {
  std::string name;
  int width;
  int stride;
};

void shortcut(model_builder& s, const block& k, int out) {
  s.conv2d(k.name + ".downsample.0",
           {.in = s.shape().channels, .out = out, .kernel = 1, .stride = k.stride, .bias = false});
  s.batch_norm2d(k.name + ".downsample.1");
}

void close(model_builder& b, const block& k, int out, const model_builder::branch& main) {
  if (k.stride == 1 && b.shape().channels == out)
    b.residual(main).relu();
  else
    b.residual(main, [&](model_builder& s) { shortcut(s, k, out); }).relu();
}

void basic_block(model_builder& b, const block& k) {
  const int in = b.shape().channels;
  close(b, k, k.width, [&](model_builder& m) {
    m.conv2d(k.name + ".conv1", {.in = in, .out = k.width, .stride = k.stride, .padding = 1, .bias = false});
    m.batch_norm2d(k.name + ".bn1").relu();
    m.conv2d(k.name + ".conv2", {.in = k.width, .out = k.width, .padding = 1, .bias = false});
    m.batch_norm2d(k.name + ".bn2");
  });
}

/// torchvision puts the stride into the 3x3 convolution ("ResNet v1.5").
void bottleneck(model_builder& b, const block& k) {
  const int in = b.shape().channels;
  const int out = 4 * k.width;
  close(b, k, out, [&](model_builder& m) {
    m.conv2d(k.name + ".conv1", {.in = in, .out = k.width, .kernel = 1, .bias = false});
    m.batch_norm2d(k.name + ".bn1").relu();
    m.conv2d(k.name + ".conv2", {.in = k.width, .out = k.width, .stride = k.stride, .padding = 1, .bias = false});
    m.batch_norm2d(k.name + ".bn2").relu();
    m.conv2d(k.name + ".conv3", {.in = k.width, .out = out, .kernel = 1, .bias = false});
    m.batch_norm2d(k.name + ".bn3");
  });
}

void image_stem(model_builder& b, int channels) {
  b.conv2d("conv1", {.in = channels, .out = 64, .kernel = 7, .stride = 2, .padding = 3, .bias = false});
  b.batch_norm2d("bn1").relu().max_pool(3, 2, 1);
}

void small_image_stem(model_builder& b, int channels) {
  b.conv2d("conv1", {.in = channels, .out = 64, .padding = 1, .bias = false}).batch_norm2d("bn1").relu();
}

expected<std::shared_ptr<const model>> finish(model_builder& b, std::array<int, 4> blocks,
                                              void (*append)(model_builder&, const block&), int classes) {
  for (int stage = 0; stage < 4; ++stage)
    for (int i = 0; i < blocks[static_cast<size_t>(stage)]; ++i)
      append(b, {fmt::format("layer{}.{}", stage + 1, i), 64 << stage, stage > 0 && i == 0 ? 2 : 1});
  b.global_average_pool().flatten();
  b.linear("fc", {.in = b.shape().channels, .out = classes});
  return b.build();
}

} // namespace

expected<std::shared_ptr<const model>> resnet18(const model_options& options) {
  model_builder b(options);
  const bool small = std::max(options.input.height, options.input.width) <= 32;
  (small ? small_image_stem : image_stem)(b, options.input.channels);
  return finish(b, {2, 2, 2, 2}, basic_block, options.classes);
}

expected<std::shared_ptr<const model>> resnet50(const model_options& options) {
  model_builder b(options);
  image_stem(b, options.input.channels);
  return finish(b, {3, 4, 6, 3}, bottleneck, options.classes);
}

} // namespace troupe::learn::models
