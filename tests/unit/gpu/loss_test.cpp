#include "gpu/kernels/loss.hpp"

#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "gpu/kernels/plain.hpp"
#include "tests/unit/gpu/samples.hpp"

using namespace troupe::gpu;
namespace kernels = troupe::gpu::kernels;

namespace {

struct shape {
  size_t n, classes;
};
constexpr shape shapes[] = {{0, 10}, {1, 1}, {1, 10}, {3, 2}, {17, 16}, {16, 17}, {5000, 10}, {37, 1000}, {2, 20000}};

std::vector<int32_t> random_labels(const shape& s) {
  std::vector<int32_t> labels(s.n);
  for (size_t i = 0; i < s.n; ++i)
    labels[i] = static_cast<int32_t>(philox4x32({static_cast<uint32_t>(i), 0, 0, 0}, {1, 1})[0] % s.classes);
  return labels;
}

} // namespace

TEST_CASE("softmax cross-entropy computes what its plain version computes", "[gpu]") {
  for (const auto& s : shapes) {
    INFO(s.n << " x " << s.classes);
    const auto logits = random_floats(s.n * s.classes, 1, -20, 20);
    const auto labels = random_labels(s);
    const kernels::cross_entropy_input in{s.n, s.classes, logits.data(), labels.data()};
    floats expected(logits.size());
    const auto plain = kernels::plain::softmax_cross_entropy(in, 0.25f, expected.data());
    for (const int threads : {1, 2, 5}) {
      floats gradient(logits.size());
      const auto fast =
        with_threads(threads, [&] { return kernels::softmax_cross_entropy(in, 0.25f, gradient.data()); });
      // The sum of up to 20,000 floats: 1e-7 each, partly cancelling.
      CHECK(std::fabs(fast.loss_sum - plain.loss_sum) <= 1e-6 * (static_cast<double>(s.n) + plain.loss_sum));
      CHECK(fast.correct == plain.correct);
      CHECK(distance(gradient, expected) < 1e-6);
      CHECK(fast.loss_sum == kernels::softmax_cross_entropy(in, 0.25f, nullptr).loss_sum);
      const auto one = with_threads(1, [&] { return kernels::softmax_cross_entropy(in, 0.25f, gradient.data()); });
      CHECK(fast.loss_sum == one.loss_sum);
    }
  }
}

TEST_CASE("softmax cross-entropy may overwrite the logits", "[gpu]") {
  auto x = random_floats(70, 1, -3, 3);
  const std::vector<int32_t> labels{0, 9, 3, 3, 4, 5, 6};
  floats separate(70);
  const auto a = kernels::softmax_cross_entropy({7, 10, x.data(), labels.data()}, 1, separate.data());
  const auto b = kernels::softmax_cross_entropy({7, 10, x.data(), labels.data()}, 1, x.data());
  CHECK(same_bits(x, separate));
  CHECK(a.loss_sum == b.loss_sum);
  CHECK(a.correct == b.correct);
}

TEST_CASE("of equal largest logits the first counts", "[gpu]") {
  const floats x{1, 5, 5, 0};
  for (int32_t label = 0; label < 4; ++label)
    CHECK(kernels::softmax_cross_entropy({1, 4, x.data(), &label}, 1, nullptr).correct == (label == 1 ? 1 : 0));
}

TEST_CASE("huge logits do not overflow, and a NaN reaches the loss", "[gpu]") {
  floats x{1e30f, -1e30f, 0};
  int32_t label = 0;
  floats gradient(3);
  CHECK(kernels::softmax_cross_entropy({1, 3, x.data(), &label}, 1, gradient.data()).loss_sum == 0);
  label = 1;
  CHECK(kernels::softmax_cross_entropy({1, 3, x.data(), &label}, 1, gradient.data()).loss_sum == 2.0 * 1e30f);
  for (size_t at = 0; at < 3; ++at) {
    x = {1, 2, 3};
    x[at] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(kernels::softmax_cross_entropy({1, 3, x.data(), &label}, 1, gradient.data()).loss_sum));
    CHECK(std::isnan(gradient[at]));
  }
}

TEST_CASE("mean-squared error computes what its plain version computes", "[gpu]") {
  for (const auto& s : shapes) {
    INFO(s.n << " x " << s.classes);
    const auto prediction = random_floats(s.n * s.classes, 1);
    const auto target = random_floats(s.n * s.classes, 2);
    const kernels::squared_error_input in{s.n, s.classes, prediction.data(), target.data()};
    floats expected(prediction.size());
    const auto plain = kernels::plain::mean_squared_error(in, 0.5f, expected.data());
    const auto run = [&](floats& gradient) { return kernels::mean_squared_error(in, 0.5f, gradient.data()); };
    floats gradient(prediction.size());
    const auto one = with_threads(1, [&] { return run(gradient); });
    CHECK(std::fabs(one.loss_sum - plain.loss_sum) <= 1e-12 * (1 + plain.loss_sum)); // doubles, two orders
    CHECK(distance(gradient, expected) < 2e-7);
    CHECK(with_threads(3, [&] { return run(gradient); }).loss_sum == one.loss_sum);
    CHECK(kernels::mean_squared_error(in, 1, nullptr).loss_sum == one.loss_sum);
  }
}
