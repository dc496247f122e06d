#include "learn/optimizer.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>
#include <vector>

using namespace troupe;
using learn::optimizer_kind;
using learn::optimizer_options;

namespace {

using four = std::array<float, 4>;

// Made with PyTorch 1.13.1 by, for each case,
//   p = torch.tensor(start, requires_grad=True); o = torch.optim.X([p], …)
//   for row in gradients: p.grad = torch.tensor(row); o.step()
//   print([f"{v:.9g}" for v in p.tolist()])
constexpr four start{0.5f, -0.25f, 1.5f, 0.0f};
constexpr std::array<four, 5> gradients{{{0.1f, -0.2f, 0.3f, 0.0f},
                                         {-0.4f, 0.05f, 0.25f, 1e-3f},
                                         {0.3f, 0.3f, -0.6f, -2.0f},
                                         {0.0f, -0.1f, 0.2f, 0.5f},
                                         {1.0f, 2.0f, -3.0f, 0.25f}}};

struct torch_case {
  const char* call;
  optimizer_options options;
  four result;
};

const torch_case torch_cases[] = {
  {"SGD(lr=0.1)",
   {.kind = optimizer_kind::sgd, .learning_rate = 0.1f},
   {0.400000006f, -0.455000043f, 1.78500009f, 0.124900006f}},
  {"SGD(lr=0.1, weight_decay=0.01)",
   {.kind = optimizer_kind::sgd, .learning_rate = 0.1f, .weight_decay = 0.01f},
   {0.397484988f, -0.453767419f, 1.77760983f, 0.124550506f}},
  {"SGD(lr=0.1, momentum=0.9, weight_decay=0.01)",
   {.kind = optimizer_kind::momentum, .learning_rate = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f},
   {0.408677042f, -0.444508761f, 1.69663477f, 0.420947164f}},
  {"SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)",
   {.kind = optimizer_kind::momentum, .learning_rate = 0.1f, .momentum = 0.9f, .nesterov = true, .weight_decay = 0.01f},
   {0.315232068f, -0.628951252f, 1.95504093f, 0.50251478f}},
  {"Adam(lr=0.01)",
   {.kind = optimizer_kind::adam, .learning_rate = 0.01f},
   {0.490172625f, -0.245031193f, 1.48579729f, 0.00502501335f}},
  {"Adam(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.01)",
   {.kind = optimizer_kind::adam,
    .learning_rate = 0.01f,
    .beta1 = 0.8f,
    .beta2 = 0.99f,
    .epsilon = 1e-6f,
    .weight_decay = 0.01f},
   {0.488402218f, -0.247450024f, 1.48738587f, 0.00485279644f}},
  {"AdamW(lr=0.01, weight_decay=0.1)",
   {.kind = optimizer_kind::adamw, .learning_rate = 0.01f, .weight_decay = 0.1f},
   {0.487701535f, -0.243830293f, 1.47838032f, 0.00503088674f}},
  {"RMSprop(lr=0.01, weight_decay=0.01)",
   {.kind = optimizer_kind::rmsprop, .learning_rate = 0.01f, .momentum = 0, .weight_decay = 0.01f},
   {0.346530586f, -0.326616317f, 1.48591626f, -0.0364846401f}},
  {"RMSprop(lr=0.01, alpha=0.9, momentum=0.5)",
   {.kind = optimizer_kind::rmsprop, .learning_rate = 0.01f, .momentum = 0.5f, .alpha = 0.9f},
   {0.433767349f, -0.268490136f, 1.46427572f, -0.0202475823f}},
};

using buffer = std::vector<float>;

/// A block of 16 floats that starts with `values` and is padded with zeros.
buffer padded(const four& values) {
  buffer x(16, 0.0f);
  std::copy(values.begin(), values.end(), x.begin());
  return x;
}

buffer run(const optimizer_options& options, float gradient_factor = 1, float scale = 1) {
  gpu::stream s(gpu::device::host({}), [](const std::exception_ptr&) {});
  buffer parameters = padded(start);
  std::vector<buffer> states(static_cast<size_t>(learn::state_buffers(options)), buffer(16, 0.0f));
  std::vector<float*> state;
  state.reserve(states.size());
  for (auto& x : states)
    state.push_back(x.data());
  for (uint64_t i = 0; i < gradients.size(); ++i) {
    buffer gradient = padded(gradients[i]);
    for (auto& g : gradient)
      g *= gradient_factor;
    learn::update(s, options, {.step = i + 1, .learning_rate = options.learning_rate, .scale = scale}, {.size = 16},
                  gradient.data(), parameters.data(), parameters.data(), state);
    s.synchronize();
  }
  return parameters;
}

} // namespace

TEST_CASE("five steps of every optimiser end where PyTorch's do", "[learn]") {
  for (const auto& c : torch_cases) {
    const auto result = run(c.options);
    for (size_t i = 0; i < 4; ++i) {
      INFO(c.call << ", parameter " << i);
      // Five steps of three or four roundings of values up to 3, 1.2e-7 each, some fused here and not there.
      CHECK(std::fabs(result[i] - c.result[i]) < 4e-7f);
    }
    for (size_t i = 4; i < 16; ++i)
      CHECK(result[i] == 0);
  }
}

TEST_CASE("the scale multiplies the gradient before anything else", "[learn]") {
  for (const auto& c : torch_cases) {
    INFO(c.call);
    CHECK(run(c.options, 4, 0.25f) == run(c.options));
  }
}

TEST_CASE("the update can leave the old parameters untouched", "[learn]") {
  gpu::stream s(gpu::device::host({}), [](const std::exception_ptr&) {});
  const optimizer_options options{.kind = optimizer_kind::sgd};
  const buffer parameters = padded(start);
  const buffer gradient = padded(gradients[0]);
  buffer next(16, -1.0f);
  learn::update(s, options, {.learning_rate = 0.5f}, {.size = 16}, gradient.data(), parameters.data(), next.data(), {});
  s.synchronize();
  CHECK(parameters == padded(start));
  CHECK(next[0] == 0.5f - 0.5f * 0.1f);
}

TEST_CASE("statistics follow a moving average and know no scale", "[learn]") {
  gpu::stream s(gpu::device::host({}), [](const std::exception_ptr&) {});
  const optimizer_options options{.kind = optimizer_kind::adam, .weight_decay = 1, .statistic_momentum = 0.25f};
  const buffer old(16, 8.0f);
  const buffer seen(16, 4.0f);
  buffer next(16);
  std::array<buffer, 2> states{buffer(16, 3.0f), buffer(16, 3.0f)};
  const std::array<float*, 2> state{states[0].data(), states[1].data()};
  learn::update(s, options, {.learning_rate = 1, .scale = 0.5f}, {.size = 16, .kind = learn::slice_kind::statistic},
                seen.data(), old.data(), next.data(), state);
  s.synchronize();
  CHECK(next == buffer(16, 7.0f));
  CHECK(states[0] == buffer(16, 3.0f));
}

TEST_CASE("an optimiser's state has as many buffers as it needs", "[learn]") {
  CHECK(learn::state_buffers({.kind = optimizer_kind::sgd}) == 0);
  CHECK(learn::state_buffers({.kind = optimizer_kind::momentum}) == 1);
  CHECK(learn::state_buffers({.kind = optimizer_kind::adam}) == 2);
  CHECK(learn::state_buffers({.kind = optimizer_kind::adamw}) == 2);
  CHECK(learn::state_buffers({.kind = optimizer_kind::rmsprop, .momentum = 0}) == 1);
  CHECK(learn::state_buffers({.kind = optimizer_kind::rmsprop, .momentum = 0.9f}) == 2);
}

TEST_CASE("optimisers are found by name, and an unknown name is refused", "[learn]") {
  for (const auto kind : {optimizer_kind::sgd, optimizer_kind::momentum, optimizer_kind::adam, optimizer_kind::adamw,
                          optimizer_kind::rmsprop})
    CHECK(learn::parse_optimizer(to_string(kind)) == kind);
  const auto refused = learn::parse_optimizer("Adam");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().sentence == "unknown optimizer 'Adam': choose sgd, momentum, adam, adamw or rmsprop");
}
