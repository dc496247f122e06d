#include <fmt/format.h>

#include "learn/model_builder.hpp"
#include "learn/models/models.hpp"

namespace troupe::learn::models {

namespace {

void basic_block(model_builder& b, const std::string& name, int out, int stride) {
  const int in = b.shape().channels;
  const auto main = [&](model_builder& m) {
    m.conv2d(name + ".c1", {.in = in, .out = out, .stride = stride, .padding = 1, .bias = false})
      .batch_norm2d(name + ".b1")
      .relu();
    m.conv2d(name + ".c2", {.in = out, .out = out, .padding = 1, .bias = false}).batch_norm2d(name + ".b2");
  };
  if (stride == 1 && in == out)
    b.residual(main).relu();
  else
    b.residual(main, [&](model_builder& s) { s.pad_channels(out, stride); }).relu();
}

} // namespace

expected<std::shared_ptr<const model>> resnet20(const model_options& options) {
  model_builder b(options);
  b.conv2d("0", {.in = options.input.channels, .out = 16, .padding = 1, .bias = false}).batch_norm2d("1").relu();
  for (int block = 0; block < 9; ++block) {
    const int stage = block / 3;
    basic_block(b, fmt::format("{}", 3 + block), 16 << stage, stage > 0 && block % 3 == 0 ? 2 : 1);
  }
  b.global_average_pool().flatten();
  b.linear("14", {.in = 64, .out = options.classes});
  return b.build();
}

} // namespace troupe::learn::models
