#include "learn/model_builder.hpp"
#include "learn/models/models.hpp"

namespace troupe::learn::models {

expected<std::shared_ptr<const model>> lenet(const model_options& options) {
  model_builder b(options);
  b.conv2d("0", {.in = options.input.channels, .out = 6, .kernel = 5, .padding = 2}).relu().max_pool(2, 2);
  b.conv2d("3", {.in = 6, .out = 16, .kernel = 5}).relu().max_pool(2, 2);
  b.flatten();
  b.linear("7", {.in = static_cast<int>(b.shape().size()), .out = 120}).relu();
  b.linear("9", {.in = 120, .out = 84}).relu();
  b.linear("11", {.in = 84, .out = options.classes});
  return b.build();
}

} // namespace troupe::learn::models
