#include "actors/shares.hpp"

#include <algorithm>
#include <numeric>

namespace troupe {

std::vector<uint64_t> shares(uint64_t micro_batches, std::vector<double> seconds) {
  auto n = seconds.size();
  auto known = static_cast<double>(std::count_if(seconds.begin(), seconds.end(), [](double s) { return s > 0; }));
  auto mean = known > 0 ? std::accumulate(seconds.begin(), seconds.end(), 0.0) / known : 1;
  for (auto& s : seconds)
    s = s > 0 ? s : mean;
  auto result = std::vector<uint64_t>(n, 0);
  if (n == 0)
    return result;
  auto [fastest, slowest] = std::minmax_element(seconds.begin(), seconds.end());
  if (*slowest < *fastest * speed_matters) {
    for (size_t i = 0; i < n; ++i)
      result[i] = micro_batches * (i + 1) / n - micro_batches * i / n;
    return result;
  }
  // Each in turn to whoever would be done with it first.
  for (uint64_t m = 0; m < micro_batches; ++m) {
    size_t best = 0;
    auto done = [&](size_t i) { return static_cast<double>(result[i] + 1) * seconds[i]; };
    for (size_t i = 1; i < n; ++i)
      if (done(i) < done(best))
        best = i;
    ++result[best];
  }
  return result;
}

} // namespace troupe
