#include "learn/model.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>

using namespace troupe;
using namespace troupe::learn;

namespace {

constexpr sample_shape cifar = {3, 32, 32};
constexpr sample_shape mnist = {1, 28, 28};

std::shared_ptr<const model> make(const char* name, sample_shape input, int classes) {
  auto m = make_model({.name = name, .input = input, .classes = classes});
  REQUIRE(m);
  return *m;
}

std::vector<std::string> names(const model& m) {
  std::vector<std::string> all;
  for (const auto& s : m.layout().slices())
    all.push_back(s.name);
  return all;
}

ptrdiff_t statistics(const model& m) {
  const auto slices = m.layout().slices();
  return std::count_if(slices.begin(), slices.end(), [](const slice& s) { return s.kind == slice_kind::statistic; });
}

std::vector<int64_t> dims(const model& m, const char* name) {
  const auto* s = m.layout().find(name);
  REQUIRE(s != nullptr);
  return s->dims;
}

using shape = std::vector<int64_t>;

} // namespace

TEST_CASE("The mlp and lenet have PyTorch's names, shapes and numbers of parameters") {
  const auto mlp = make("mlp", mnist, 10);
  CHECK(names(*mlp) == std::vector<std::string>{"0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"});
  CHECK(mlp->layout().parameters() == 1863690);
  CHECK(dims(*mlp, "0.weight") == shape{1024, 784});

  const auto lenet = make("lenet", mnist, 10);
  CHECK(names(*lenet) == std::vector<std::string>{"0.weight", "0.bias", "3.weight", "3.bias", "7.weight", "7.bias",
                                                  "9.weight", "9.bias", "11.weight", "11.bias"});
  CHECK(lenet->layout().parameters() == 61706);
  CHECK(dims(*lenet, "3.weight") == shape{16, 6, 5, 5});
  CHECK(dims(*lenet, "7.weight") == shape{120, 400});
}

TEST_CASE("The residual networks have PyTorch's names, shapes and numbers of parameters") {
  const auto r20 = make("resnet20", cifar, 10);
  CHECK(r20->layout().parameters() == 269722);
  CHECK(r20->layout().slices().size() == 59 + 38);
  CHECK(statistics(*r20) == 38);
  CHECK(dims(*r20, "6.c1.weight") == shape{32, 16, 3, 3});
  CHECK(dims(*r20, "11.b2.running_var") == shape{64});

  const auto r18 = make("resnet18", cifar, 10);
  CHECK(r18->layout().parameters() == 11173962);
  CHECK(r18->layout().slices().size() == 62 + 40);
  CHECK(dims(*r18, "conv1.weight") == shape{64, 3, 3, 3});
  CHECK(dims(*r18, "layer2.0.downsample.0.weight") == shape{128, 64, 1, 1});
  CHECK(names(*r18)[6] == "layer1.0.conv2.weight");

  const auto r50 = make("resnet50", {3, 64, 64}, 1000);
  CHECK(r50->layout().parameters() == 25557032);
  CHECK(r50->layout().slices().size() == 161 + 106);
  CHECK(dims(*r50, "conv1.weight") == shape{64, 3, 7, 7});
  CHECK(dims(*r50, "layer4.2.conv3.weight") == shape{2048, 512, 1, 1});
  CHECK(dims(*r50, "fc.weight") == shape{1000, 2048});
}

TEST_CASE("resnet18 starts with torchvision's 7x7 convolution when images are larger than 32 pixels") {
  CHECK(dims(*make("resnet18", {3, 64, 64}, 10), "conv1.weight") == shape{64, 3, 7, 7});
}

TEST_CASE("Initial parameters are a pure function of the seed and the name, within PyTorch's bounds") {
  const auto m = make("lenet", mnist, 10);
  const auto& l = m->layout();
  std::vector<float> a(l.size(), 9);
  std::vector<float> b(l.size(), 9);
  std::vector<float> other(l.size(), 9);
  m->initialise(1, a);
  m->initialise(1, b);
  m->initialise(2, other);
  CHECK(a == b);
  CHECK(a != other);

  const auto* s = l.find("7.weight");
  const std::span<const float> weights(a.data() + s->offset, s->size);
  const float bound = 1 / std::sqrt(400.0f);
  double sum = 0;
  for (const float w : weights) {
    CHECK(std::abs(w) <= bound);
    sum += static_cast<double>(w);
  }
  // The mean of 48,000 draws strays bound / sqrt(3 · 48,000); four times that is one run in 16,000.
  CHECK(std::abs(sum / static_cast<double>(s->size)) < 4 * static_cast<double>(bound) / std::sqrt(3 * 48000.0));
  CHECK(*std::max_element(weights.begin(), weights.end()) > 0.999f * bound);

  // The first two biases of 6 and 16 floats leave gaps, which are zero.
  for (size_t i = 0; i + 1 < l.slices().size(); ++i)
    for (size_t gap = l.slices()[i].offset + l.slices()[i].size; gap < l.slices()[i + 1].offset; ++gap)
      CHECK(a[gap] == 0);
}

TEST_CASE("Batch normalisation starts as the identity") {
  const auto m = make("resnet20", cifar, 10);
  std::vector<float> p(m->layout().size());
  m->initialise(1, p);
  const auto value = [&](const char* name) { return p[m->layout().find(name)->offset + 15]; };
  CHECK(value("1.weight") == 1);
  CHECK(value("1.bias") == 0);
  CHECK(value("1.running_mean") == 0);
  CHECK(value("1.running_var") == 1);
}

TEST_CASE("An unknown model or an input that a model cannot take is one sentence") {
  CHECK(make_model({.name = "resnet19", .input = cifar}).error().sentence ==
        "there is no model \"resnet19\": choose one of mlp, lenet, resnet20, resnet18, resnet50, none");
  CHECK(make_model({.name = "lenet", .input = {1, 8, 8}}).error().sentence ==
        "model lenet: a 4x4 image is too small for a 5x5 convolution: give the model larger images");
  CHECK(make_model({.name = "mlp", .input = {0, 8, 8}}).error().sentence ==
        "model mlp: input 0x8x8 and 10 classes cannot be: choose at least 1 of each");
}

TEST_CASE("Every name that is offered makes a model") {
  for (const auto name : model_names())
    CHECK(make_model({.name = std::string(name), .input = cifar}));
}
