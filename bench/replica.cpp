// Samples per second of training passes with the optimiser's update, to be put beside the peers' train.py:
//   bench_replica --model resnet20 --threads 2 [--bf16] [--batch N] [--seconds S] [--profile]
// prints one line of JSON. --profile adds the time of each kind of operation within the pass, for finding where time
// goes.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fmt/format.h>
#include <map>
#include <string>
#include <vector>

#include "gpu/stream.hpp"
#include "learn/model.hpp"
#include "learn/network.hpp"
#include "learn/optimizer.hpp"
#include "learn/replica.hpp"
#include "messages/memory.hpp"

namespace {

using namespace troupe;
using namespace troupe::learn;
using clock_type = std::chrono::steady_clock;

struct options {
  std::string model = "mlp";
  int threads = 1;
  int batch = 0;
  double seconds = 4;
  bool bf16 = false;
  bool profile = false;
};

/// What the peers' models.py trains under a name.
struct workload {
  const char* name;
  const char* model;
  sample_shape input;
  int classes;
  int batch;
};

constexpr workload workloads[] = {{"mlp", "mlp", {1, 28, 28}, 10, 256},
                                  {"lenet", "lenet", {1, 28, 28}, 10, 128},
                                  {"resnet20", "resnet20", {3, 32, 32}, 10, 128},
                                  {"resnet18", "resnet18", {3, 32, 32}, 10, 64},
                                  {"resnet50_64", "resnet50", {3, 64, 64}, 1000, 32},
                                  {"resnet50_224", "resnet50", {3, 224, 224}, 1000, 8}};

[[noreturn]] void refuse(const std::string& sentence) {
  fmt::print(stderr, "{}\n", sentence);
  std::exit(2);
}

options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--bf16") {
      o.bf16 = true;
    } else if (name == "--profile") {
      o.profile = true;
    } else if (i + 1 == argc) {
      refuse(fmt::format("{} is unknown or lacks its value: see the head of bench/replica.cpp", name));
    } else {
      const std::string value = argv[++i];
      if (name == "--model")
        o.model = value;
      else if (name == "--threads")
        o.threads = std::atoi(value.c_str());
      else if (name == "--batch")
        o.batch = std::atoi(value.c_str());
      else if (name == "--seconds")
        o.seconds = std::atof(value.c_str());
      else
        refuse(fmt::format("{} is unknown: see the head of bench/replica.cpp", name));
    }
  }
  return o;
}

/// Floats of the model's size, zeros.
std::shared_ptr<float> buffer(const layout& l) {
  auto bytes = acquire_memory(l.size() * sizeof(float));
  std::shared_ptr<float> floats(bytes, reinterpret_cast<float*>(bytes.get()));
  std::fill_n(floats.get(), l.size(), 0.0f);
  return floats;
}

/// A model in training on random data that lies in memory.
class trainer {
public:
  trainer(std::shared_ptr<const model> m, const gpu::device& where, int batch)
    : model_(std::move(m)), stream_(where, [](const std::exception_ptr&) {}),
      images_(static_cast<size_t>(batch) * model_->options().input.size()), labels_(static_cast<size_t>(batch)),
      parameters_(buffer(layout())), gradient_(buffer(layout())), state_(buffer(layout())) {
    auto made = make_replica(model_, where);
    if (!made)
      refuse(made.error().sentence);
    replica_ = std::move(*made);
    uint32_t random = 1;
    for (auto& x : images_)
      x = static_cast<float>((random = random * 1664525 + 1013904223) >> 8) * 0x1p-23f - 1;
    for (auto& y : labels_)
      y = static_cast<int32_t>((random = random * 1664525 + 1013904223) >> 8) % model_->options().classes;
    model_->initialise(1, {parameters_.get(), layout().size()});
    bind();
  }

  /// Forward, backward and one update of every block as soon as its gradient is final.
  void step() {
    const float scale = 1.0f / static_cast<float>(labels_.size());
    replica_->train(stream_, {images_.data(), labels_.data(), static_cast<int>(labels_.size())},
                    {.key = {.seed = 1, .step = steps_++, .micro_batch = 0}, .scale = scale}, gradient_.get(), &result_,
                    {});
    const optimizer_options how = {.kind = optimizer_kind::momentum, .learning_rate = 1e-3f};
    for (const auto& b : layout().blocks()) {
      float* state[] = {state_.get() + b.offset};
      update(stream_, how, {.step = steps_, .learning_rate = how.learning_rate}, b, gradient_.get() + b.offset,
             parameters_.get() + b.offset, parameters_.get() + b.offset, state);
    }
    bind();
  }

  void wait() { stream_.synchronize(); }
  [[nodiscard]] double loss() const { return result_.loss_sum / static_cast<double>(result_.samples); }

private:
  [[nodiscard]] const learn::layout& layout() const { return model_->layout(); }
  void bind() {
    for (size_t i = 0; i < layout().blocks().size(); ++i)
      replica_->bind(stream_, i, parameters_.get() + layout().blocks()[i].offset, parameters_);
  }

  std::shared_ptr<const model> model_;
  gpu::stream stream_;
  std::vector<float> images_;
  std::vector<int32_t> labels_;
  std::shared_ptr<float> parameters_;
  std::shared_ptr<float> gradient_;
  std::shared_ptr<float> state_;
  std::unique_ptr<replica> replica_;
  batch_result result_;
  uint64_t steps_ = 0;
};

double seconds_of(trainer& t, int steps) {
  const auto begin = clock_type::now();
  for (int i = 0; i < steps; ++i) {
    t.step();
    t.wait();
  }
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

/// Runs the plan's operations one by one and prints the time of each name, most first.
void print_profile(const std::shared_ptr<const model>& m, const gpu::device& where, int batch, int repetitions) {
  gpu::stream s(where, [](const std::exception_ptr&) {});
  s.enqueue([&] {
    const auto& net = dynamic_cast<const network&>(*m);
    prepared_weights weights;
    const auto p = net.make_plan(batch, true, weights);
    auto arena = acquire_memory(p.arena_bytes());
    const_cast<plan&>(p).place(arena.get());
    auto parameters = buffer(m->layout());
    auto gradient = buffer(m->layout());
    m->initialise(1, {parameters.get(), m->layout().size()});
    std::vector<float> images(static_cast<size_t>(batch) * m->options().input.size(), 0.5f);
    std::vector<int32_t> labels(static_cast<size_t>(batch), 1);
    std::vector<bound_slice> bound;
    for (const auto& slice : m->layout().slices())
      bound.push_back({parameters.get() + slice.offset, 0});
    batch_result result;
    const pass now = {.parameters = bound,
                      .in = {images.data(), labels.data(), batch},
                      .options = {.key = {}, .scale = 1.0f / static_cast<float>(batch)},
                      .gradient = gradient.get(),
                      .result = &result};
    std::map<std::string_view, double> seconds;
    for (int i = 0; i <= repetitions; ++i) {
      for (auto& slice : bound)
        ++slice.version;
      if (i == 0) {
        p.run(now);
        continue;
      }
      for (size_t op = 0; op < p.names().size(); ++op) {
        const auto begin = clock_type::now();
        p.run_operation(op, now);
        seconds[p.names()[op]] += std::chrono::duration<double>(clock_type::now() - begin).count();
      }
    }
    std::vector<std::pair<double, std::string_view>> sorted;
    sorted.reserve(seconds.size());
    for (const auto& [name, time] : seconds)
      sorted.emplace_back(time, name);
    std::sort(sorted.rbegin(), sorted.rend());
    for (const auto& [time, name] : sorted)
      fmt::print("{:9.3f} ms  {}\n", 1e3 * time / repetitions, name);
    fmt::print("{:9.1f} MB  activations\n", static_cast<double>(p.arena_bytes()) / 1e6);
  });
  s.synchronize();
}

} // namespace

int main(int argc, char** argv) {
  const auto o = parse(argc, argv);
  const auto* w =
    std::find_if(std::begin(workloads), std::end(workloads), [&](const auto& each) { return o.model == each.name; });
  if (w == std::end(workloads))
    refuse(fmt::format("there is no workload {}: choose mlp, lenet, resnet20, resnet18, resnet50_64 or resnet50_224",
                       o.model));
  const int batch = o.batch > 0 ? o.batch : w->batch;
  auto m = make_model({w->model, w->input, w->classes, o.bf16 ? precision::bf16 : precision::f32});
  if (!m)
    refuse(m.error().sentence);
  const auto where = gpu::device::host({.index = 0, .threads = o.threads});
  {
    trainer t(*m, where, batch);
    seconds_of(t, 3);
    const double one = seconds_of(t, 2) / 2;
    seconds_of(t, std::max(1, std::min(30, static_cast<int>(0.5 / one))));
    const int steps = std::max(3, static_cast<int>(o.seconds / one));
    const std::clock_t cpu_begin = std::clock();
    const double took = seconds_of(t, steps);
    const double cpu = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
    fmt::print(
      R"({{"bench":"replica","model":"{}","threads":{},"batch":{},"bf16":{},"steps":{},"ms_step":{:.3f},"cpu_ms_step":{:.3f},"sps":{:.2f},"loss":{:.4f}}})"
      "\n",
      o.model, o.threads, batch, o.bf16, steps, 1e3 * took / steps, 1e3 * cpu / steps, batch * steps / took, t.loss());
  }
  if (o.profile)
    print_profile(*m, where, batch, std::max(3, 512 / batch));
}
