// Every layer's gradient against central differences of the loss, and its loss against a plain implementation.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <vector>

#include "learn/gradient_check.hpp"
#include "learn/model_builder.hpp"

using namespace troupe;
using namespace troupe::learn;

namespace {

/// Numbers in [-1, 1), the same on every platform.
struct noise {
  uint32_t state;
  float next() { return static_cast<float>((state = state * 1664525 + 1013904223) >> 8) * 0x1p-23f - 1; }
};

struct batch {
  std::vector<float> images;
  std::vector<int32_t> labels;
  batch(sample_shape shape, int classes, int n) : images(shape.size() * static_cast<size_t>(n)) {
    noise random{7};
    for (auto& x : images)
      x = random.next();
    for (int i = 0; i < n; ++i)
      labels.push_back(i % classes);
  }
  [[nodiscard]] micro_batch_data data() const {
    return {images.data(), labels.data(), static_cast<int>(labels.size())};
  }
};

constexpr sample_shape image = {3, 6, 6};
constexpr int classes = 4;
/// Rounding and curvature stay below 1 % with these sizes; a wrong factor, sign or index is 50 % and more.
constexpr double smooth = 0.02;
/// Some ReLUs and maxima change sides within the step.
constexpr double kinked = 0.06;

using body = void (*)(model_builder&);

model_builder begin(precision arithmetic = precision::f32) {
  return model_builder({.name = "test", .input = image, .classes = classes, .arithmetic = arithmetic});
}

/// A convolution in front makes the checked layer propagate a gradient; a linear layer behind makes it receive one.
std::shared_ptr<const model> sandwich(body middle, loss_kind loss = loss_kind::cross_entropy) {
  auto b = begin();
  b.conv2d("front", {.in = 3, .out = 5, .padding = 1});
  middle(b);
  b.flatten().linear("back", {.in = static_cast<int>(b.shape().size()), .out = classes});
  auto m = b.build(loss);
  REQUIRE(m);
  return *m;
}

void check(const std::shared_ptr<const model>& m, double tolerance) {
  const batch samples(image, classes, 6);
  const auto errors = check_gradients(m, gpu::device::host({.index = 0, .threads = 1}), samples.data());
  REQUIRE(errors);
  CHECK(!errors->empty());
  for (const auto& e : *errors) {
    INFO(e.slice << " is off by " << e.relative);
    CHECK(e.relative < tolerance);
  }
}

} // namespace

TEST_CASE("The gradient of linear layers, with and without bias, matches finite differences") {
  check(sandwich([](model_builder& b) {
          b.linear("a", {.in = 180, .out = 5, .bias = false}).tanh().linear("b", {.in = 5, .out = 9});
        }),
        smooth);
}

TEST_CASE("The gradient of a ReLU folded into a linear layer or a convolution matches finite differences") {
  check(sandwich([](model_builder& b) {
          b.relu().conv2d("c", {.in = 5, .out = 4}).relu().flatten().linear("a", {.in = 64, .out = 8}).relu();
        }),
        kinked);
}

TEST_CASE(
  "The gradient of convolutions with stride, padding, 1x1 kernels and without bias matches finite differences") {
  check(sandwich([](model_builder& b) {
          b.conv2d("a", {.in = 5, .out = 16, .kernel = 3, .stride = 2, .padding = 1, .bias = false}).tanh();
          b.conv2d("b", {.in = 16, .out = 6, .kernel = 1}).tanh();
          b.conv2d("c", {.in = 6, .out = 16, .kernel = 2, .stride = 1});
          b.conv2d("d", {.in = 16, .out = 3, .kernel = 3, .padding = 1});
        }),
        smooth);
}

TEST_CASE("The gradient of convolutions that are computed with Winograd's algorithm matches finite differences") {
  check(sandwich([](model_builder& b) {
          b.tanh().conv2d("narrow", {.in = 5, .out = 32, .kernel = 1}).tanh();
          b.conv2d("tiles", {.in = 32, .out = 32, .padding = 1}).tanh(); // 6x6: a whole tile of 4x4 and parts of three
          b.conv2d("one", {.in = 32, .out = 32}).relu().global_average_pool();
        }),
        kinked);
}

TEST_CASE("The gradient of batch normalisation matches finite differences") {
  check(sandwich([](model_builder& b) { b.batch_norm2d("n").tanh(); }), smooth);
}

TEST_CASE("The gradient of batch normalisation on 16-channel blocks with a folded ReLU matches finite differences") {
  check(sandwich([](model_builder& b) {
          b.tanh().conv2d("c", {.in = 5, .out = 18, .stride = 2, .padding = 1, .bias = false}).batch_norm2d("n").relu();
          b.conv2d("d", {.in = 18, .out = 16, .kernel = 1, .bias = false}).batch_norm2d("m").relu();
          b.conv2d("e", {.in = 16, .out = 18, .kernel = 1, .bias = false}).batch_norm2d("o").tanh();
        }),
        kinked);
}

TEST_CASE("The gradient of batch normalisation after a linear layer matches finite differences") {
  check(sandwich([](model_builder& b) { b.flatten().linear("a", {.in = 180, .out = 6}).batch_norm2d("n").tanh(); }),
        smooth);
}

TEST_CASE("The gradient of layer normalisation matches finite differences") {
  check(sandwich([](model_builder& b) {
          b.layer_norm("image").tanh().flatten().linear("a", {.in = 180, .out = 6}).layer_norm("rows").tanh();
        }),
        smooth);
}

TEST_CASE("The gradients of relu, gelu and tanh match finite differences") {
  check(sandwich([](model_builder& b) { b.max_pool(2, 2).relu().gelu().tanh(); }), kinked);
}

TEST_CASE("The gradients of max, average and global pooling match finite differences") {
  check(sandwich([](model_builder& b) { b.max_pool(3, 2, 1).tanh().average_pool(2, 1, 1).tanh(); }), kinked);
  check(sandwich([](model_builder& b) { b.conv2d("wide", {.in = 5, .out = 16}).tanh().global_average_pool(); }),
        kinked);
}

TEST_CASE("The gradient of dropout matches finite differences of the same mask") {
  check(sandwich([](model_builder& b) { b.dropout(0.4f).tanh(); }), smooth);
}

TEST_CASE("The gradient of residual blocks matches finite differences, whatever the branches end in") {
  check(sandwich([](model_builder& b) { // batch normalisation takes the shortcut and the ReLU
          b.tanh()
            .residual([](model_builder& m) { m.conv2d("a", {.in = 5, .out = 5, .padding = 1}).batch_norm2d("n"); })
            .relu();
          b.residual([](model_builder& m) { m.conv2d("b", {.in = 5, .out = 5, .padding = 1}).batch_norm2d("o"); },
                     [](model_builder& s) { s.conv2d("s", {.in = 5, .out = 5, .kernel = 1}).batch_norm2d("p"); });
          b.tanh();
        }),
        kinked);
  check(sandwich([](model_builder& b) { // a sum of its own
          b.tanh().residual([](model_builder& m) { m.conv2d("a", {.in = 5, .out = 5, .padding = 1}).tanh(); });
          b.residual([](model_builder& m) { m.relu().conv2d("b", {.in = 5, .out = 5, .padding = 1}); }).tanh();
        }),
        kinked);
}

TEST_CASE("The gradient of the shortcut that pads channels matches finite differences") {
  check(sandwich([](model_builder& b) {
          b.conv2d("wide", {.in = 5, .out = 16, .padding = 1}).tanh();
          b.residual(
            [](model_builder& m) { m.conv2d("a", {.in = 16, .out = 32, .stride = 2, .padding = 1}).batch_norm2d("n"); },
            [](model_builder& s) { s.pad_channels(32, 2); });
          b.tanh();
        }),
        smooth);
}

TEST_CASE("The gradient of the squared error matches finite differences") {
  check(sandwich([](model_builder& b) { b.tanh(); }, loss_kind::squared_error), smooth);
}

TEST_CASE("A chain of layers gives the loss of a plain implementation in double precision") {
  // conv (1 channel to 2, 3x3, padding 1) + ReLU, 2x2 max pooling, linear, cross-entropy on one 4x4 image
  model_builder b({.name = "plain", .input = {1, 4, 4}, .classes = 3});
  b.conv2d("c", {.in = 1, .out = 2, .padding = 1}).relu().max_pool(2, 2).flatten().linear("l", {.in = 8, .out = 3});
  const auto m = *b.build();
  const auto& l = m->layout();
  std::vector<float> parameters(l.size());
  m->initialise(3, parameters);
  const batch one({1, 4, 4}, 3, 1);
  const auto slice_of = [&](const char* name) { return parameters.data() + l.find(name)->offset; };

  double pooled[8];
  for (int c = 0; c < 2; ++c)
    for (int py = 0; py < 2; ++py)
      for (int px = 0; px < 2; ++px) {
        double most = 0; // the ReLU's floor
        for (int y = 2 * py; y < 2 * py + 2; ++y)
          for (int x = 2 * px; x < 2 * px + 2; ++x) {
            double sum = static_cast<double>(slice_of("c.bias")[c]);
            for (int dy = -1; dy <= 1; ++dy)
              for (int dx = -1; dx <= 1; ++dx)
                if (y + dy >= 0 && y + dy < 4 && x + dx >= 0 && x + dx < 4)
                  sum += static_cast<double>(slice_of("c.weight")[c * 9 + (dy + 1) * 3 + dx + 1]) *
                         static_cast<double>(one.images[static_cast<size_t>(y + dy) * 4 + static_cast<size_t>(x + dx)]);
            most = std::max(most, sum);
          }
        pooled[c * 4 + py * 2 + px] = most;
      }
  double exponentials = 0;
  double logit_of_label = 0;
  for (int k = 0; k < 3; ++k) {
    double logit = static_cast<double>(slice_of("l.bias")[k]);
    for (int i = 0; i < 8; ++i)
      logit += static_cast<double>(slice_of("l.weight")[k * 8 + i]) * pooled[i];
    exponentials += std::exp(logit);
    logit_of_label = k == one.labels[0] ? logit : logit_of_label;
  }

  const auto where = gpu::device::host({.index = 0, .threads = 1});
  gpu::stream s(where, [](const std::exception_ptr&) {});
  const auto r = *make_replica(m, where);
  for (size_t i = 0; i < l.blocks().size(); ++i)
    r->bind(s, i, parameters.data() + l.blocks()[i].offset, nullptr);
  batch_result result;
  r->evaluate(s, one.data(), &result);
  s.synchronize();
  CHECK_THAT(result.loss_sum, Catch::Matchers::WithinRel(std::log(exponentials) - logit_of_label, 1e-6));
}

TEST_CASE("A mistake in a model is one sentence that names it") {
  CHECK(begin().linear("a", {.in = 100, .out = 4}).build().error().sentence ==
        "model test: a linear layer for 100 features cannot take 3x6x6 = 108 of them: give it in = 108");
  CHECK(begin().conv2d("a", {.in = 4, .out = 4}).build().error().sentence ==
        "model test: a convolution of 4 channels cannot take 3: give it in = 3");
  CHECK(begin().conv2d("a", {.in = 3, .out = 4, .kernel = 9}).build().error().sentence ==
        "model test: a 6x6 image is too small for a 9x9 convolution: give the model larger images");
  CHECK(begin().dropout(1).build().error().sentence ==
        "model test: dropout with rate 1 cannot be: choose 0 <= rate < 1");
  CHECK(begin().batch_norm2d("a").batch_norm2d("a").build().error().sentence ==
        "model test has two parameters named a.weight: give each layer its own name");
  CHECK(begin().global_average_pool().linear("a", {.in = 3, .out = 5}).build().error().sentence ==
        "model test ends in 5 values, but has 4 classes: end it with a linear layer that gives one value per class");
  CHECK(begin()
          .residual([](model_builder& b) { b.conv2d("a", {.in = 3, .out = 4, .padding = 1}); })
          .build()
          .error()
          .sentence == "model test: a residual branch gives 4x6x6, its shortcut 3x6x6: make them equal");
  CHECK(begin().build().error().sentence == "model test has no layers: add at least one");
}
