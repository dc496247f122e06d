// How fast the host kernels move memory, against memcpy and a triad (McCalpin's STREAM) in the same run.
//   build/release/bin/bench_kernels [--threads N]
// Prints, for data in cache and in memory, GB/s of bytes that the kernel must read and write (a store counted once),
// the median of several runs, and the share of the triad's figure. Then what a stream costs: enqueue and start of a
// task.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <functional>
#include <omp.h>
#include <string>
#include <vector>

#include "gpu/buffer.hpp"
#include "gpu/kernels/activations.hpp"
#include "gpu/kernels/bf16.hpp"
#include "gpu/kernels/chunks.hpp"
#include "gpu/kernels/dropout.hpp"
#include "gpu/kernels/loss.hpp"
#include "gpu/kernels/optimizer_steps.hpp"
#include "gpu/kernels/reduce.hpp"
#include "gpu/stream.hpp"

namespace {

using namespace troupe::gpu;
namespace k = troupe::gpu::kernels;
using steady = std::chrono::steady_clock;

double seconds_since(steady::time_point start) {
  return std::chrono::duration<double>(steady::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Six arrays of n floats that all kernels work on.
struct arrays {
  explicit arrays(size_t floats) : n(floats) {
    for (auto& b : memory) {
      b = buffer(n * sizeof(float));
      k::for_chunks(n, [&b](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i)
          b.floats()[i] = 0.5f + static_cast<float>(i % 97) * 0.01f;
      });
    }
  }
  [[nodiscard]] float* operator[](size_t i) const { return memory[i].floats().data(); }
  size_t n;
  buffer memory[6];
};

struct kernel {
  std::string name;
  double bytes; ///< per float of n
  std::function<void(const arrays&)> run;
};

/// Rows of 1,000 classes, as in ImageNet.
void cross_entropy(const arrays& a) {
  constexpr size_t classes = 1000;
  static std::vector<int32_t> labels;
  labels.resize(std::max(labels.size(), a.n / classes), 7);
  k::softmax_cross_entropy({a.n / classes, classes, a[0], labels.data()}, 1, a[1]);
}

std::vector<kernel> all_kernels() {
  const auto state = [](const arrays& a) { return k::step_buffers{a[0], a[1], a[2], a[3], a[4]}; };
  const k::adam_step adam{.beta1 = 0.9f,
                          .one_minus_beta1 = 0.1f,
                          .beta2 = 0.999f,
                          .one_minus_beta2 = 0.001f,
                          .step_size = 1e-3f,
                          .epsilon = 1e-8f};
  const k::rmsprop_step rms{.learning_rate = 1e-3f, .alpha = 0.99f, .one_minus_alpha = 0.01f, .epsilon = 1e-8f};
  return {
    {"triad a = b + s c", 12,
     [](const arrays& a) {
       float *x = a[0], *y = a[1], *z = a[2];
       k::for_chunks(a.n, [=](size_t begin, size_t end) {
#pragma omp simd
         for (size_t i = begin; i < end; ++i)
           x[i] = y[i] + 0.5f * z[i];
       });
     }},
    {"memcpy", 8, [](const arrays& a) { k::copy(a.n, a[0], a[1]); }},
    {"sum", 12, [](const arrays& a) { k::sum(a.n, a[0], a[1], a[2]); }},
    {"scale", 8, [](const arrays& a) { k::scale(a.n, 1.0000001f, a[0]); }},
    {"norm_and_finite", 4, [](const arrays& a) { (void)k::norm_and_finite(a.n, a[0]); }},
    {"sgd", 12, [=](const arrays& a) { k::sgd(a.n, {.learning_rate = 1e-3f}, state(a)); }},
    {"momentum", 20, [=](const arrays& a) { k::momentum(a.n, {.learning_rate = 1e-3f, .momentum = 0.9f}, state(a)); }},
    {"adam", 28, [=](const arrays& a) { k::adam(a.n, adam, state(a)); }},
    {"rmsprop", 20, [=](const arrays& a) { k::rmsprop(a.n, rms, state(a)); }},
    {"moving_average", 12, [=](const arrays& a) { k::moving_average(a.n, 0.1f, state(a)); }},
    {"to_bf16", 6, [](const arrays& a) { k::to_bf16(a.n, a[0], reinterpret_cast<k::bf16*>(a[5])); }},
    {"from_bf16", 6, [](const arrays& a) { k::from_bf16(a.n, reinterpret_cast<k::bf16*>(a[5]), a[2]); }},
    {"relu", 8, [](const arrays& a) { k::relu(a.n, a[0], a[1]); }},
    {"relu_backward", 12, [](const arrays& a) { k::relu_backward(a.n, a[0], a[1], a[2]); }},
    {"tanh", 8, [](const arrays& a) { k::tanh(a.n, a[0], a[1]); }},
    {"gelu", 8, [](const arrays& a) { k::gelu(a.n, a[0], a[1]); }},
    {"gelu_backward", 12, [](const arrays& a) { k::gelu_backward(a.n, a[0], a[1], a[2]); }},
    {"gelu_tanh", 8, [](const arrays& a) { k::gelu_tanh(a.n, a[0], a[1]); }},
    {"dropout", 8, [](const arrays& a) { k::dropout(a.n, {}, 0.1f, a[0], a[1]); }},
    {"softmax_cross_entropy", 8, cross_entropy},
  };
}

double gigabytes_per_second(const kernel& kernel, const arrays& a) {
  const size_t repeats = std::max<size_t>(1, (size_t{1} << 22) / a.n);
  std::vector<double> rates;
  for (int run = 0; run < 11; ++run) {
    const auto start = steady::now();
    for (size_t i = 0; i < repeats; ++i)
      kernel.run(a);
    rates.push_back(kernel.bytes * static_cast<double>(a.n * repeats) / seconds_since(start) * 1e-9);
  }
  return median(std::move(rates));
}

void table(size_t n) {
  const arrays a(n);
  const auto kernels = all_kernels();
  const double triad = gigabytes_per_second(kernels.front(), a);
  fmt::print("{} floats per array ({:.2f} MB)\n", n, static_cast<double>(n) * 4e-6);
  for (const auto& kernel : kernels) {
    const double rate = gigabytes_per_second(kernel, a);
    fmt::print("  {:<22} {:7.1f} GB/s {:5.0f} % of triad\n", kernel.name, rate, 100 * rate / triad);
  }
}

void print_stream_costs(const device& dev) {
  stream s(dev, [](const std::exception_ptr&) {});
  constexpr int tasks = 100; // about what a training step enqueues
  std::vector<double> enqueue;
  for (int run = 0; run < 301; ++run) {
    std::atomic<bool> go = false;
    s.enqueue([&go] { go.wait(false); });
    const auto start = steady::now();
    for (int i = 0; i < tasks; ++i)
      s.enqueue([] {});
    enqueue.push_back(seconds_since(start) / tasks);
    go = true;
    go.notify_one();
    s.synchronize();
  }
  fmt::print("enqueue while the lane is busy: {:.3f} µs\n", median(enqueue) * 1e6);
  for (const double idle_us : {0.0, 10.0, 30.0, 100.0, 1000.0}) {
    std::vector<double> begin;
    for (int run = 0; run < 301; ++run) {
      for (const auto idle = steady::now(); seconds_since(idle) * 1e6 < idle_us;)
        ;
      double after = 0;
      const auto start = steady::now();
      s.enqueue([&] { after = seconds_since(start); });
      s.synchronize();
      begin.push_back(after);
    }
    fmt::print("a task starts, after {:.0f} µs without any: {:.2f} µs\n", idle_us, median(begin) * 1e6);
  }
}

} // namespace

int main(int argc, char** argv) {
  int threads = omp_get_num_procs();
  if (argc == 3 && std::strcmp(argv[1], "--threads") == 0)
    threads = std::max(1, std::atoi(argv[2]));
  const auto dev = device::host({.threads = threads});
  fmt::print("{} threads\n", threads);
  stream s(dev, [](const std::exception_ptr&) {});
  for (const size_t n : {size_t{16384}, size_t{65536}, size_t{1} << 20, size_t{1} << 25}) {
    s.enqueue([n] { table(n); });
    s.synchronize();
  }
  print_stream_costs(dev);
}
