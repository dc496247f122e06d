// What data and files cost, each the median of several runs.
//   build/release/bin/bench_files [FOLDER with IDX or CIFAR-10 files …]
// Prints how long it takes to open a data set, to draw a digit, to gather a batch of 256 on one thread, to hash 100 MB
// of weights, to write and read them as safetensors and, with one buffer of optimiser state, as a checkpoint of two
// shards.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <omp.h>
#include <string>
#include <vector>

#include "learn/checkpoint/checkpoint.hpp"
#include "learn/data/digits.hpp"
#include "learn/dataset.hpp"
#include "learn/digest.hpp"
#include "learn/safetensors.hpp"

namespace {

using namespace troupe;
using namespace troupe::learn;
using steady = std::chrono::steady_clock;

/// Seconds, the median of `runs`.
double median(int runs, const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    const auto start = steady::now();
    work();
    seconds.push_back(std::chrono::duration<double>(steady::now() - start).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + runs / 2, seconds.end());
  return seconds[static_cast<size_t>(runs / 2)];
}

/// The value, or the end of the program with the sentence.
template <class T>
T must(expected<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().sentence);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>)
    return std::move(*result);
}

void data_set(const std::string& what) {
  data_source source;
  const double open = median(5, [&] { source = must(open_data(what, 1)); });
  constexpr size_t batch = 256;
  std::vector<uint32_t> ids(batch);
  for (size_t i = 0; i < batch; ++i)
    ids[i] = static_cast<uint32_t>(i * 31 % source.train->size());
  std::vector<float> images(batch * source.train->shape().size());
  std::vector<int32_t> labels(batch);
  const auto fill = [&] { gather(*source.train, ids, images.data(), labels.data()); };
  const auto fill_augmented = [&] {
    gather_augmented(*source.train, ids, {.padding = 4, .flip = true}, 1, 0, images.data(), labels.data());
  };
  fill(); // digits are drawn
  fmt::print("{:<28} open {:8.3f} ms   gather 256 {:7.1f} us   augmented {:7.1f} us\n", what, open * 1e3,
             median(200, fill) * 1e6, median(200, fill_augmented) * 1e6);
}

void drawing() {
  const digits set{1, digits::split::train};
  const double seconds = median(20, [&] {
    for (size_t id = 0; id < 500; ++id)
      (void)set.draw(id);
  });
  fmt::print("{:<28} {:8.1f} us\n", "draw a digit", seconds / 500 * 1e6);
}

void weights(const std::filesystem::path& folder) {
  std::vector<slice> slices;
  slices.reserve(25);
  for (int i = 0; i < 25; ++i)
    slices.push_back({.name = fmt::format("layer{}.weight", i), .dims = {1'000, 1'000}});
  const layout of{slices};
  flat parameters{of.size()};
  const flat state{of.size()};
  for (size_t i = 0; i < of.size(); ++i)
    parameters.data()[i] = static_cast<float>(i % 1'000) * 1e-3f;
  const auto print = [](const char* what, double megabytes, double seconds) {
    fmt::print("{:<28} {:8.0f} ms  {:6.0f} MB/s\n", what, seconds * 1e3, megabytes / seconds);
  };

  print("weights_sha256", 100, median(5, [&] { (void)weights_sha256(of, parameters.values()); }));
  const auto file = folder / "w.safetensors";
  print("safetensors write", 100, median(5, [&] { must(write_safetensors(file, of, parameters.values(), 1)); }));
  print("safetensors read", 100, median(5, [&] { must(read_safetensors(file, of)); }));

  const std::vector<std::span<const float>> buffers{state.values()};
  uint64_t step = 0;
  print("checkpoint write", 200, median(5, [&] {
          ++step;
          const checkpoint_meta meta{.job = {}, .step = step, .epoch = 0, .cursor = 0, .weights_sha256 = {}};
          must(write_checkpoint(folder / "run", meta, of, cut_into_shards(of, parameters.values(), buffers, step, 2)));
        }));
  print("checkpoint read", 200, median(5, [&] { must(read_latest_checkpoint(folder / "run", of)); }));
}

} // namespace

int main(int argc, char** argv) {
  omp_set_num_threads(1);
  data_set("digits");
  for (int i = 1; i < argc; ++i)
    data_set(argv[i]);
  drawing();
  std::string folder = (std::filesystem::temp_directory_path() / "troupe-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) {
    fmt::print(stderr, "cannot make a folder for files in {}\n", std::filesystem::temp_directory_path().string());
    return 1;
  }
  weights(folder);
  std::filesystem::remove_all(folder);
}
