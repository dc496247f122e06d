#include "learn/combine.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <string_view>

#include "gpu/kernels/chunks.hpp"

namespace troupe::learn {

namespace {

constexpr float infinite = std::numeric_limits<float>::infinity();

/// Of values in ascending order.
float middle(std::span<const float> sorted) {
  const auto m = sorted.size();
  return m % 2 == 1 ? sorted[m / 2] : 0.5f * sorted[m / 2 - 1] + 0.5f * sorted[m / 2];
}

float mean(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.f) / static_cast<float>(values.size());
}

} // namespace

size_t combine_options::fewest() const {
  switch (kind) {
  case combine_kind::mean:
    return 1;
  case combine_kind::median:
    return 3;
  case combine_kind::trimmed_mean:
    return static_cast<size_t>(std::ceil(1 / bad)); // at least one is left out
  case combine_kind::krum:
    return 2 * static_cast<size_t>(bad) + 3;
  }
  return 1;
}

namespace {

expected<combine_options> parse_rule(const std::string& text) {
  const auto colon = text.find(':');
  const auto name = std::string_view{text}.substr(0, colon);
  if (colon == std::string::npos && name == "mean")
    return combine_options{};
  if (colon == std::string::npos && name == "median")
    return combine_options{combine_kind::median};
  if (name != "trimmed" && name != "krum")
    return fail(
      fmt::format("there is no way to combine called \"{}\": choose mean, median, trimmed:0.2 or krum:1", text));
  combine_options how{name == "krum" ? combine_kind::krum : combine_kind::trimmed_mean};
  const auto* end = text.data() + text.size();
  const auto given = colon == std::string::npos ? std::from_chars_result{end, std::errc::invalid_argument}
                                                : std::from_chars(text.data() + colon + 1, end, how.bad);
  const auto is_number = given.ec == std::errc{} && given.ptr == end;
  if (how.kind == combine_kind::krum) {
    if (is_number && how.bad >= 1 && how.bad <= 1e6f && std::floor(how.bad) == how.bad)
      return how;
    return fail("krum has to know how many micro-batches may be wrong: write for example krum:1");
  }
  if (is_number && how.bad > 0 && how.bad < 0.5f)
    return how;
  return fail(
    "trimmed has to know which part is left out at either end, less than half: write for example trimmed:0.2");
}

} // namespace

expected<combine_options> parse_combine(const std::string& text) {
  const auto slash = text.find('/');
  auto how = parse_rule(text.substr(0, slash));
  if (!how || slash == std::string::npos)
    return how;
  const auto* end = text.data() + text.size();
  const auto given = std::from_chars(text.data() + slash + 1, end, how->bucket);
  if (given.ec != std::errc{} || given.ptr != end || !std::has_single_bit(how->bucket))
    return fail(fmt::format("\"{}\" is no bucket of micro-batches: give a power of two, for example median/4",
                            text.substr(slash + 1)));
  if (!how->is_robust())
    return fail("the mean of all is that of any buckets: leave out what follows mean, or choose median, trimmed:0.2 or "
                "krum:1");
  return how;
}

namespace {

std::string rule_of(const combine_options& how) {
  switch (how.kind) {
  case combine_kind::mean:
    return "mean";
  case combine_kind::median:
    return "median";
  case combine_kind::trimmed_mean:
    return fmt::format("trimmed:{}", how.bad);
  case combine_kind::krum:
    return fmt::format("krum:{}", how.bad);
  }
  return {};
}

} // namespace

std::string to_string(const combine_options& how) {
  return rule_of(how) + (how.bucket > 1 ? fmt::format("/{}", how.bucket) : "");
}

void combine(const combine_options& how, size_t n, std::span<const float* const> from, std::span<const float> factors,
             float* out) {
  const auto m = from.size();
  const auto cut = how.kind == combine_kind::trimmed_mean
                     ? std::min(static_cast<size_t>(how.bad * static_cast<float>(m)), (m - 1) / 2)
                     : 0;
  gpu::kernels::for_chunks(n, [&](size_t begin, size_t end) {
    std::vector<float> values(m);
    for (size_t i = begin; i < end; ++i) {
      for (size_t j = 0; j < m; ++j) {
        const auto value = from[j][i] * factors[j];
        values[j] = std::isfinite(value) ? value : infinite;
      }
      std::sort(values.begin(), values.end());
      out[i] = how.kind == combine_kind::median ? middle(values) : mean(std::span{values}.subspan(cut, m - 2 * cut));
    }
  });
}

std::vector<double> squared_distances(size_t n, std::span<const float* const> from, std::span<const float> factors) {
  std::vector<double> result;
  const auto chunks = gpu::kernels::chunks_of(n);
  for (size_t a = 0; a < from.size(); ++a)
    for (size_t b = a + 1; b < from.size(); ++b) {
      std::vector<double> parts(chunks);
      gpu::kernels::for_chunks(n, gpu::kernels::chunk_floats, [&](size_t chunk, size_t begin, size_t end) {
        double sum = 0;
        for (size_t i = begin; i < end; ++i) {
          const auto apart =
            static_cast<double>(from[a][i] * factors[a]) - static_cast<double>(from[b][i] * factors[b]);
          sum += apart * apart;
        }
        parts[chunk] = sum;
      });
      const auto all = std::accumulate(parts.begin(), parts.end(), 0.0);
      result.push_back(std::isfinite(all) ? all : std::numeric_limits<double>::infinity());
    }
  return result;
}

size_t krum(size_t m, size_t bad, std::span<const double> squared_distances) {
  std::vector<std::vector<double>> of(m);
  size_t pair = 0;
  for (size_t a = 0; a < m; ++a)
    for (size_t b = a + 1; b < m; ++b, ++pair) {
      of[a].push_back(squared_distances[pair]);
      of[b].push_back(squared_distances[pair]);
    }
  const auto neighbours = m > bad + 2 ? m - bad - 2 : std::min<size_t>(1, m - 1);
  size_t best = 0;
  auto nearest = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < m; ++i) {
    std::sort(of[i].begin(), of[i].end());
    const auto score = std::accumulate(of[i].begin(), of[i].begin() + static_cast<ptrdiff_t>(neighbours), 0.0);
    if (score < nearest) {
      nearest = score;
      best = i;
    }
  }
  return best;
}

} // namespace troupe::learn
