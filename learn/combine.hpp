#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "messages/failure.hpp"

namespace troupe::learn {

/// How the contributions to a step become one. The robust rules stand contributions that are wrong, however wrong.
enum class combine_kind : uint8_t {
  mean,         ///< weighted by samples
  median,       ///< of each coordinate (Yin et al. 2018)
  trimmed_mean, ///< of each coordinate, without the largest and the smallest ones (Yin et al. 2018)
  krum,         ///< the contribution that is closest to its neighbours (Blanchard et al. 2017)
};

struct combine_options {
  combine_kind kind = combine_kind::mean;
  /// trimmed_mean: which part of the contributions is left out at either end, less than half. krum: at most so many
  /// are wrong, a whole number; there have to be twice as many and three.
  float bad = 0;
  /// A robust rule takes the mean of so many micro-batches, a power of two, for one contribution (Karimireddy et al.
  /// 2022).
  uint32_t bucket = 1;

  bool operator==(const combine_options&) const = default;
  [[nodiscard]] bool is_robust() const { return kind != combine_kind::mean; }
  /// The fewest contributions that the rule makes sense for.
  [[nodiscard]] size_t fewest() const;
  /// Micro-batches whose contributions are added up; 0: those of all.
  [[nodiscard]] uint64_t bucket_size() const { return is_robust() ? bucket : 0; }
  /// What so many micro-batches contribute.
  [[nodiscard]] uint64_t contributions(uint64_t micro_batches) const { return (micro_batches + bucket - 1) / bucket; }
};

/// "mean", "median", "trimmed:0.2" or "krum:1", the latter three also with buckets: "median/4"; else one sentence.
expected<combine_options> parse_combine(const std::string& text);
std::string to_string(const combine_options& how);

/// Median or trimmed mean of each coordinate of the contributions times their factors: `out[i]`, i < n. What is not
/// finite counts as largest. The same bits for any number of threads.
void combine(const combine_options& how, size_t n, std::span<const float* const> from, std::span<const float> factors,
             float* out);

/// Squared distances between the contributions times their factors, pair by pair: (0,1), (0,2), … (1,2), … Infinite
/// where one is not finite.
std::vector<double> squared_distances(size_t n, std::span<const float* const> from, std::span<const float> factors);

/// Which of `m` contributions Krum takes, given the distances between them and how many may be wrong: the one whose
/// m - bad - 2 nearest neighbours are nearest; of equal ones the first.
size_t krum(size_t m, size_t bad, std::span<const double> squared_distances);

} // namespace troupe::learn
