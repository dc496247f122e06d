#include "learn/model_builder.hpp"
#include "learn/models/models.hpp"

namespace troupe::learn::models {

expected<std::shared_ptr<const model>> mlp(const model_options& options) {
  const int hidden = 1024;
  model_builder b(options);
  b.linear("0", {.in = static_cast<int>(options.input.size()), .out = hidden}).relu();
  b.linear("2", {.in = hidden, .out = hidden}).relu();
  b.linear("4", {.in = hidden, .out = options.classes});
  return b.build();
}

} // namespace troupe::learn::models
