// How fast the device's kernels move memory, against copies on the device in the same run, and what a completion costs.
//   bench_gpu
// Prints a line per figure: what, value, unit, and its share of a copy's. GB/s count the bytes that a kernel must read
// and write.

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "gpu/cuda/device_kernels.hpp"
#include "gpu/cuda/driver.hpp"

namespace {

using namespace troupe::gpu;
namespace dk = troupe::gpu::device_kernels;
using steady = std::chrono::steady_clock;

constexpr size_t n = size_t{1} << 26; // 256 MiB of floats: far more than any cache

/// The value, or the end of the program with the sentence.
template <class T>
T must(device_result<T> result) {
  if (!result) {
    (void)std::fputs(fmt::format("bench_gpu: {}\n", result.error().sentence).c_str(), stderr);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>)
    return std::move(*result);
}

void row(const std::string& what, double value, const std::string& unit, const std::string& share = "") {
  (void)std::fputs(fmt::format("{}\t{:.4g}\t{}\t{}\n", what, value, unit, share).c_str(), stdout);
}

/// Waits until the stream is done, without the thread that calls back.
void finish(device_stream& s) {
  while (!must(s.idle()))
    std::this_thread::yield();
}

/// Seconds of one of many calls.
double seconds(device_stream& s, const std::function<void()>& enqueue) {
  constexpr int warm_up = 3;
  constexpr int times = 20;
  for (int i = 0; i < warm_up; ++i)
    enqueue();
  finish(s);
  const auto start = steady::now();
  for (int i = 0; i < times; ++i)
    enqueue();
  finish(s);
  return std::chrono::duration<double>(steady::now() - start).count() / times;
}

struct memory {
  explicit memory(const std::shared_ptr<device_stream>& s) {
    for (auto& b : buffers)
      b = must(s->allocate(n * sizeof(float)));
  }
  [[nodiscard]] float* operator[](size_t i) const { return buffers[i].data<float>(); }
  [[nodiscard]] kernels::bf16* half(size_t i) const { return buffers[i].data<kernels::bf16>(); }
  device_buffer buffers[6];
};

void measure_memory(driver& dev, const std::shared_ptr<device_stream>& s, const memory& m) {
  const double bytes = n * sizeof(float);
  const double copy = 2 * bytes / seconds(*s, [&] { must(s->copy(m[1], m[0], n * sizeof(float))); }) / 1e9;
  row("copy on the device", copy, "GB/s");
  {
    const auto pinned = must(dev.allocate_pinned<float>(n));
    row("copy from the host, pinned",
        bytes / seconds(*s, [&] { must(s->copy(m[1], pinned.get(), n * sizeof(float))); }) / 1e9, "GB/s");
    row("copy to the host, pinned",
        bytes / seconds(*s, [&] { must(s->copy(pinned.get(), m[1], n * sizeof(float))); }) / 1e9, "GB/s");
  }
  // Zeros everywhere: what a step computes from them stays zero, and takes as long as anything.
  const auto flat = kernels::step_buffers{m[0], m[1], m[1], m[2], m[3]};
  const auto mixed = dk::mixed_buffers{m.half(0), m.half(4), flat};
  const kernels::sgd_step sgd{.learning_rate = 0.1f};
  const kernels::momentum_step momentum{.learning_rate = 0.1f, .momentum = 0.9f};
  const kernels::adam_step adam{.beta1 = 0.9f,
                                .one_minus_beta1 = 0.1f,
                                .beta2 = 0.999f,
                                .one_minus_beta2 = 0.001f,
                                .step_size = 0.01f,
                                .epsilon = 1e-8f};
  const kernels::rmsprop_step rmsprop{
    .learning_rate = 0.01f, .alpha = 0.99f, .one_minus_alpha = 0.01f, .epsilon = 1e-8f};
  auto* scratch = reinterpret_cast<double*>(m[5]);
  auto* result = reinterpret_cast<dk::reduced*>(scratch + dk::reduction_scratch);
  for (const auto& k : {dk::sgd(n, sgd, flat), dk::momentum(n, momentum, flat), dk::adam(n, adam, flat),
                        dk::rmsprop(n, rmsprop, flat), dk::sgd(n, sgd, mixed), dk::momentum(n, momentum, mixed),
                        dk::adam(n, adam, mixed), dk::rmsprop(n, rmsprop, mixed), dk::to_bf16(n, m[0], m.half(1)),
                        dk::from_bf16(n, m.half(0), m[1]), dk::sum_of_squares(n, m[0], scratch, result)}) {
    const double speed = static_cast<double>(k.bytes) / seconds(*s, [&] { must(s->launch(k)); }) / 1e9;
    row(std::string{k.name}, speed, "GB/s", fmt::format("{:.0f} % of copy", 100 * speed / copy));
  }
}

void measure_loss(const std::shared_ptr<device_stream>& s, const memory& m) {
  constexpr size_t classes = 1000;
  constexpr size_t rows = n / classes;
  const kernels::cross_entropy_input in{rows, classes, m[0], reinterpret_cast<const int32_t*>(m[2])};
  auto* scratch = reinterpret_cast<double*>(m[5]);
  auto* result = reinterpret_cast<dk::batch_loss*>(scratch + 2 * rows);
  const auto k = dk::softmax_cross_entropy(in, 1, m[1], scratch, result);
  row("cross-entropy of 1,000 classes", static_cast<double>(k.bytes) / seconds(*s, [&] { must(s->launch(k)); }) / 1e9,
      "GB/s");
}

void measure_matmul(const std::shared_ptr<device_stream>& s, const memory& m) {
  constexpr size_t side = 4096;
  for (const auto& [name, precision] : {std::pair{"f32", dk::matmul_precision::f32},
                                        {"tf32", dk::matmul_precision::tf32},
                                        {"bf16", dk::matmul_precision::bf16}}) {
    const auto k = dk::matmul({side, side, side, m[0], m[1], m[2], m[3], dk::epilogue::bias_relu, precision});
    row(fmt::format("matmul 4096³ {} + bias, relu", name),
        2 * std::pow(static_cast<double>(side), 3) / seconds(*s, [&] { must(s->launch(k)); }) / 1e12, "TFLOP/s");
  }
}

/// From the enqueuing of a small kernel until the host knows that it is done: by a callback, and by asking an event.
void measure_completion(const std::shared_ptr<device_stream>& s, const memory& m) {
  constexpr int times = 1000;
  const auto k = dk::to_bf16(1024, m[0], m.half(1));
  double by_callback = 0;
  double by_event = 0;
  double enqueuing = 0;
  for (int i = 0; i < times; ++i) {
    std::atomic<bool> done = false;
    auto start = steady::now();
    must(s->launch(k));
    enqueuing += std::chrono::duration<double>(steady::now() - start).count();
    must(s->call_back([&] { done = true; }));
    while (!done) {
    }
    by_callback += std::chrono::duration<double>(steady::now() - start).count();
    start = steady::now();
    must(s->launch(k));
    const auto point = must(s->record());
    while (!must(point->passed())) {
    }
    by_event += std::chrono::duration<double>(steady::now() - start).count();
  }
  row("enqueue a small kernel", enqueuing / times * 1e6, "us");
  row("until a callback says it is done", by_callback / times * 1e6, "us");
  row("until its event says so", by_event / times * 1e6, "us");
}

} // namespace

int main() {
  if (const auto count = count_cuda_devices(); !count || *count == 0) {
    (void)std::fputs(
      fmt::format("bench_gpu measures nothing: {}\n", count ? "this machine has no GPU" : count.error().sentence)
        .c_str(),
      stderr);
    return 0;
  }
  const auto dev = must(open_cuda_device(0));
  const auto stream = must(dev->open_stream(stream_priority::normal));
  const memory m(stream);
  const auto zeros = must(dev->allocate_pinned<float>(n));
  std::fill(zeros.get(), zeros.get() + n, 0.0f);
  for (const auto& b : m.buffers)
    must(stream->copy(b.data(), zeros.get(), n * sizeof(float)));
  measure_memory(*dev, stream, m);
  measure_loss(stream, m);
  measure_matmul(stream, m);
  measure_completion(stream, m);
  finish(*stream);
}
