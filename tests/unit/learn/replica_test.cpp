#include "learn/replica.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <vector>

#include "learn/model_builder.hpp"
#include "messages/memory.hpp"

using namespace troupe;
using namespace troupe::learn;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

std::shared_ptr<float> floats(size_t n, float value) {
  auto bytes = acquire_memory(n * sizeof(float));
  std::shared_ptr<float> all(bytes, reinterpret_cast<float*>(bytes.get()));
  std::fill_n(all.get(), n, value);
  return all;
}

std::shared_ptr<const model> build(const char* name, precision arithmetic = precision::f32) {
  const sample_shape input = std::string_view(name) == "resnet20" ? sample_shape{3, 16, 16} : sample_shape{1, 28, 28};
  return *make_model({.name = name, .input = input, .classes = 10, .arithmetic = arithmetic});
}

/// A replica with parameters of seed 1 and a batch of fixed noise.
class bench {
public:
  explicit bench(std::shared_ptr<const model> m, int threads = 1)
    : model_(std::move(m)), where_(gpu::device::host({.index = 0, .threads = threads})),
      stream_(where_,
              [this](const std::exception_ptr& e) {
                try {
                  std::rethrow_exception(e);
                } catch (const std::exception& x) {
                  error_ = x.what();
                }
              }),
      parameters_(floats(model_->layout().size(), 0)), images_(model_->options().input.size() * 16) {
    model_->initialise(1, {parameters_.get(), model_->layout().size()});
    uint32_t random = 1;
    for (auto& x : images_)
      x = static_cast<float>((random = random * 1664525 + 1013904223) >> 8) * 0x1p-23f - 1;
    for (int i = 0; i < 16; ++i)
      labels_.push_back(i * 7 % 10);
    replica_ = *make_replica(model_, where_);
  }

  void bind() {
    for (size_t i = 0; i < blocks().size(); ++i)
      replica_->bind(stream_, i, parameters_.get() + blocks()[i].offset, parameters_);
  }

  struct outcome {
    std::vector<float> gradient;
    batch_result result;
    std::vector<size_t> finished;
  };
  outcome train(int first, int n, float scale) {
    outcome o;
    auto gradient = floats(size(), std::nanf(""));
    replica_->train(stream_, part(first, n), {.key = {.seed = 1, .step = 2, .micro_batch = 3}, .scale = scale},
                    gradient.get(), &o.result, [&](size_t block) { o.finished.push_back(block); });
    stream_.synchronize();
    o.gradient.assign(gradient.get(), gradient.get() + size());
    return o;
  }

  batch_result evaluate(int n) {
    batch_result r;
    replica_->evaluate(stream_, part(0, n), &r);
    stream_.synchronize();
    return r;
  }

  micro_batch_data part(int first, int n) const {
    return {images_.data() + static_cast<size_t>(first) * model_->options().input.size(), labels_.data() + first, n};
  }
  std::span<const block> blocks() const { return model_->layout().blocks(); }
  size_t size() const { return model_->layout().size(); }
  const model& of() const { return *model_; }
  float* parameters() { return parameters_.get(); }
  std::vector<int32_t>& labels() { return labels_; }
  gpu::stream& stream() { return stream_; }
  replica& tested() { return *replica_; }
  const std::string& error() const { return error_; }

private:
  std::shared_ptr<const model> model_;
  gpu::device where_;
  std::string error_;
  gpu::stream stream_;
  std::shared_ptr<float> parameters_;
  std::vector<float> images_;
  std::vector<int32_t> labels_;
  std::unique_ptr<replica> replica_;
};

double distance(std::span<const float> a, std::span<const float> b) {
  double difference = 0;
  double size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

} // namespace

TEST_CASE("A training pass writes every float of the gradient and reports each block once") {
  for (const char* name : {"mlp", "lenet", "resnet20"}) {
    bench b(build(name));
    b.bind();
    const auto o = b.train(0, 4, 0.25f);
    for (const float g : o.gradient)
      REQUIRE(std::isfinite(g));
    auto seen = o.finished;
    std::sort(seen.begin(), seen.end());
    REQUIRE(seen.size() == b.blocks().size());
    for (size_t i = 0; i < seen.size(); ++i)
      CHECK(seen[i] == i);
    CHECK(o.result.samples == 4);
    CHECK(o.result.loss_sum > 0);
  }
}

TEST_CASE("Padding of the gradient is zero, and the last layers' block is final before the first layers'") {
  bench b(build("mlp"));
  b.bind();
  const auto o = b.train(0, 4, 0.25f);
  const auto& l = b.of().layout();
  for (const auto& s : l.slices()) {
    const size_t next = &s == &l.slices().back() ? l.size() : (&s + 1)->offset;
    for (size_t i = s.offset + s.size; i < next; ++i)
      CHECK(o.gradient[i] == 0);
  }
  CHECK(o.finished.front() == b.blocks().size() - 1);
  CHECK(o.finished.back() == 0);
}

TEST_CASE("Two passes over the same data give the same bits, also after other batch sizes and with two threads") {
  for (int threads : {1, 2}) {
    bench b(build("resnet20"), threads);
    b.bind();
    const auto first = b.train(0, 8, 1);
    b.train(0, 3, 1);
    b.evaluate(16);
    const auto second = b.train(0, 8, 1);
    CHECK(first.gradient == second.gradient);
    CHECK(first.result.loss_sum == second.result.loss_sum);
  }
}

TEST_CASE("Linear layers give the same bits with one thread and with two") {
  bench one(build("mlp"));
  bench two(build("mlp"), 2);
  one.bind();
  two.bind();
  CHECK(one.train(0, 16, 1).gradient == two.train(0, 16, 1).gradient);
}

TEST_CASE("Gradients of micro-batches add up to that of the batch") {
  bench b(build("lenet"));
  b.bind();
  const auto whole = b.train(0, 16, 1.0f / 16);
  auto sum = b.train(0, 8, 1.0f / 16);
  for (auto [first, n] : {std::pair(8, 5), std::pair(13, 3)}) {
    const auto part = b.train(first, n, 1.0f / 16);
    for (size_t i = 0; i < sum.gradient.size(); ++i)
      sum.gradient[i] += part.gradient[i];
    sum.result.loss_sum += part.result.loss_sum;
    sum.result.correct += part.result.correct;
  }
  CHECK(distance(sum.gradient, whole.gradient) < 2e-6); // sums of 16 in another order
  CHECK_THAT(sum.result.loss_sum, WithinRel(whole.result.loss_sum, 1e-6));
  CHECK(8 + 5 + 3 == whole.result.samples);
}

TEST_CASE("Statistics of batch normalisation leave as batch mean and unbiased variance, times scale and samples") {
  // One 1x1 convolution of weight 1 and bias 0 hands the image to the batch normalisation.
  model_builder mb({.name = "statistics", .input = {1, 4, 4}, .classes = 2});
  mb.conv2d("c", {.in = 1, .out = 1, .kernel = 1}).batch_norm2d("n").flatten().linear("l", {.in = 16, .out = 2});
  bench b(*mb.build());
  b.parameters()[b.of().layout().find("c.weight")->offset] = 1;
  b.parameters()[b.of().layout().find("c.bias")->offset] = 0;
  for (auto& label : b.labels())
    label %= 2;
  b.bind();
  const auto o = b.train(0, 5, 0.1f);
  double mean = 0;
  double variance = 0;
  const auto data = b.part(0, 5);
  for (int i = 0; i < 80; ++i)
    mean += static_cast<double>(data.images[i]) / 80;
  for (int i = 0; i < 80; ++i)
    variance += std::pow(static_cast<double>(data.images[i]) - mean, 2) / 79;
  const auto value = [&](const char* name) {
    return static_cast<double>(o.gradient[b.of().layout().find(name)->offset]);
  };
  CHECK_THAT(value("n.running_mean"), WithinAbs(mean * 0.5, 1e-7));
  CHECK_THAT(value("n.running_var"), WithinRel(variance * 0.5, 1e-5));
}

TEST_CASE("Newly bound parameters are used, and evaluation reads the running statistics") {
  bench b(build("resnet20"));
  b.bind();
  const auto before = b.evaluate(8);
  auto* variance = b.parameters() + b.of().layout().find("1.running_var")->offset;
  std::fill_n(variance, 16, 4.0f);
  b.bind();
  const auto after = b.evaluate(8);
  CHECK(before.loss_sum != after.loss_sum);
  const auto trained = b.train(0, 8, 1);
  std::fill_n(variance, 16, 1.0f);
  b.bind();
  CHECK(b.train(0, 8, 1).result.loss_sum == trained.result.loss_sum); // training reads the batch's own
  CHECK(b.evaluate(8).loss_sum == before.loss_sum);
}

TEST_CASE("Dropout depends on the pass's key alone and is off in evaluation") {
  model_builder mb({.name = "dropping", .input = {1, 28, 28}, .classes = 10});
  mb.dropout(0.5f).linear("l", {.in = 784, .out = 10});
  bench b(*mb.build());
  b.bind();
  const auto run = [&](uint64_t step) {
    auto gradient = floats(b.size(), 0);
    batch_result r;
    b.tested().train(b.stream(), b.part(0, 4), {.key = {.seed = 1, .step = step, .micro_batch = 0}, .scale = 1},
                     gradient.get(), &r, {});
    b.stream().synchronize();
    return r.loss_sum;
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
  CHECK(b.evaluate(4).loss_sum == b.evaluate(4).loss_sum);
}

TEST_CASE("bf16 gives nearly the gradient of f32 where the device has it and is refused where not") {
  const auto where = gpu::device::host({.index = 0, .threads = 1});
  if (!where.has_bf16()) {
    CHECK(make_replica(build("lenet", precision::bf16), where).error().sentence ==
          "device cpu:0 does not compute bf16: choose precision f32, or a processor with AVX-512 BF16");
    return;
  }
  for (const char* name : {"mlp", "lenet"}) {
    bench full(build(name));
    bench half(build(name, precision::bf16));
    full.bind();
    half.bind();
    const auto reference = full.train(0, 16, 1.0f / 16);
    const auto o = half.train(0, 16, 1.0f / 16);
    // bf16 keeps 8 bits: each of about eight roundings on the way adds 2^-9 or, through a ReLU that changes sides,
    // more.
    CHECK(distance(o.gradient, reference.gradient) < 0.1);
    CHECK(distance(o.gradient, reference.gradient) > 1e-4); // it was not f32 after all
    CHECK_THAT(o.result.loss_sum, WithinRel(reference.result.loss_sum, 2e-3));
  }
}

TEST_CASE("A replica whose parameters were never bound says which is missing") {
  bench b(build("lenet"));
  CHECK_THROWS(b.train(0, 4, 1));
  CHECK(b.error() == "parameter 0.weight of a replica was never bound: bind all blocks before the first pass");
}

TEST_CASE("A label that the model has no class for stops the stream with a sentence") {
  bench b(build("lenet"));
  b.bind();
  b.labels()[2] = 10;
  CHECK_THROWS(b.train(0, 4, 1));
  CHECK(b.error() == "label 10 of a micro-batch is outside the model's 10 classes");
}

TEST_CASE("The model none computes nothing and has a gradient of zeros") {
  bench b(build("none"));
  b.bind();
  const auto o = b.train(0, 4, 1);
  CHECK(o.gradient == std::vector<float>(16, 0.0f));
  CHECK(o.finished == std::vector<size_t>{0});
  CHECK(o.result.samples == 4);
  CHECK(b.evaluate(5).samples == 5);
}

TEST_CASE("Tasks that are still queued outlive their replica") {
  bench b(build("lenet"));
  b.bind();
  auto gradient = floats(b.size(), std::nanf(""));
  batch_result result;
  {
    auto short_lived = *make_replica(build("lenet"), b.stream().where());
    for (size_t i = 0; i < b.blocks().size(); ++i)
      short_lived->bind(b.stream(), i, b.parameters() + b.blocks()[i].offset, nullptr);
    short_lived->train(b.stream(), b.part(0, 4), {.key = {}, .scale = 0.25f}, gradient.get(), &result, {});
  }
  b.stream().synchronize();
  CHECK(std::vector(gradient.get(), gradient.get() + b.size()) == b.train(0, 4, 0.25f).gradient);
}
