#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "learn/checkpoint/checkpoint.hpp"
#include "tests/unit/learn/failing_file_system.hpp"
#include "tests/unit/learn/scratch_folder.hpp"

namespace troupe::test {

using namespace troupe::learn;
namespace fs = std::filesystem;

/// Small blocks: five of them.
inline layout small_layout(const std::string& first_name = "a") {
  return layout{{{.name = first_name, .dims = {4, 3}},
                 {.name = "b", .dims = {20}},
                 {.name = "c", .dims = {3}},
                 {.name = "d", .dims = {9}},
                 {.name = "m", .dims = {6}, .kind = slice_kind::statistic}},
                64};
}

/// Never fails and never waits for the disk.
inline file_system& quick() {
  static failing_file_system instance{0, failing_file_system::then::goes_on};
  return instance;
}

/// What a run looks like at a step: every value is of that step.
struct snapshot {
  explicit snapshot(uint64_t at, size_t buffers = 2) : step(at), parameters(of.size()), state(buffers) {
    fill(parameters, 0);
    for (size_t i = 0; i < buffers; ++i) {
      state[i] = flat{of.size()};
      fill(state[i], i + 1);
    }
  }

  [[nodiscard]] checkpoint_meta meta() const {
    return {.job = {{"model", "small"}, {"batch", "8"}},
            .step = step,
            .epoch = step / 10,
            .cursor = step % 10 * 8,
            .weights_sha256 = {}};
  }

  [[nodiscard]] std::vector<checkpoint_shard> cut(size_t shards) const {
    std::vector<std::span<const float>> buffers;
    for (const auto& buffer : state)
      buffers.push_back(buffer.values());
    return cut_into_shards(of, parameters.values(), buffers, step, shards);
  }

  [[nodiscard]] auto write(const fs::path& folder, size_t shards = 2, file_system& files = quick()) const {
    return write_checkpoint(folder, meta(), of, cut(shards), {}, files);
  }

  /// Whether exactly this has been read.
  [[nodiscard]] bool is(const checkpoint_read& read) const {
    const auto same = [](const flat& a, const flat& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    bool all = read.meta.step == step && read.meta.epoch == step / 10 && read.meta.cursor == step % 10 * 8 &&
               read.meta.job == meta().job && read.state.size() == state.size() && same(read.parameters, parameters);
    for (size_t i = 0; all && i < state.size(); ++i)
      all = same(read.state[i], state[i]);
    return all;
  }

  layout of = small_layout();
  uint64_t step;
  flat parameters;
  std::vector<flat> state;

private:
  void fill(flat& buffer, size_t which) const {
    for (const slice& s : of.slices())
      for (size_t i = 0; i < s.size; ++i)
        buffer.data()[s.offset + i] = static_cast<float>(step * 1'000 + which * 100 + s.offset + i) + .25f;
  }
};

inline checkpoint_read read(const fs::path& folder, const layout& of = small_layout()) {
  auto result = read_latest_checkpoint(folder, of);
  INFO((result ? "" : result.error().sentence));
  REQUIRE(result);
  return std::move(*result);
}

inline std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator{folder})
    names.insert(entry.path().filename().string());
  return names;
}

} // namespace troupe::test
