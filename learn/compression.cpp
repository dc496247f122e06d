#include "learn/compression.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <numeric>
#include <string_view>
#include <vector>

#include "gpu/kernels/bf16.hpp"
#include "gpu/kernels/quantise.hpp"
#include "gpu/kernels/reduce.hpp"

namespace troupe::learn {

namespace {

using namespace gpu::kernels;

constexpr std::array names{std::pair{"none", compression_kind::none}, std::pair{"bf16", compression_kind::bf16},
                           std::pair{"f16", compression_kind::f16}, std::pair{"int8", compression_kind::int8},
                           std::pair{"topk", compression_kind::top_k}};

size_t kept(const compression_options& how, size_t n) {
  return std::clamp<size_t>(static_cast<size_t>(std::llround(static_cast<double>(how.keep) * static_cast<double>(n))),
                            std::min<size_t>(n, 1), n);
}

size_t groups(size_t n) {
  return (n + int8_group - 1) / int8_group;
}

/// The indices of the largest values, ascending; of equal ones the first.
std::vector<uint32_t> largest(size_t k, std::span<const float> x) {
  std::vector<uint32_t> all(x.size());
  std::iota(all.begin(), all.end(), 0U);
  const auto comes_first = [&](uint32_t a, uint32_t b) {
    const auto left = std::abs(x[a]);
    const auto right = std::abs(x[b]);
    return left > right || (left == right && a < b);
  };
  std::nth_element(all.begin(), all.begin() + static_cast<ptrdiff_t>(k), all.end(), comes_first);
  all.resize(k);
  std::sort(all.begin(), all.end());
  return all;
}

/// (k) indices, then (k) values.
void keep_largest(size_t k, std::span<const float> x, std::byte* to) {
  const auto indices = largest(k, x);
  std::memcpy(to, indices.data(), k * sizeof(uint32_t));
  auto* values = to + k * sizeof(uint32_t);
  for (size_t i = 0; i < k; ++i)
    std::memcpy(values + i * sizeof(float), &x[indices[i]], sizeof(float));
}

void compress(const compression_options& how, std::span<const float> x, std::byte* to) {
  const auto n = x.size();
  switch (how.kind) {
  case compression_kind::none:
    std::memcpy(to, x.data(), n * sizeof(float));
    break;
  case compression_kind::bf16:
    to_bf16(n, x.data(), reinterpret_cast<bf16*>(to));
    break;
  case compression_kind::f16:
    to_f16(n, x.data(), reinterpret_cast<f16*>(to));
    break;
  case compression_kind::int8:
    to_int8(n, x.data(), reinterpret_cast<float*>(to), reinterpret_cast<int8_t*>(to + groups(n) * sizeof(float)));
    break;
  case compression_kind::top_k:
    keep_largest(kept(how, n), x, to);
    break;
  }
}

} // namespace

expected<compression_options> parse_compression(const std::string& text) {
  const auto colon = text.find(':');
  const auto name = std::string_view{text}.substr(0, colon);
  for (const auto& [spelling, kind] : names)
    if (name == spelling && (colon == std::string::npos || kind == compression_kind::top_k)) {
      compression_options how{.kind = kind};
      if (colon == std::string::npos)
        return how;
      const auto* end = text.data() + text.size();
      const auto [last, error] = std::from_chars(text.data() + colon + 1, end, how.keep);
      if (error == std::errc{} && last == end && how.keep > 0 && how.keep <= 1)
        return how;
      return fail(fmt::format("topk keeps a part of the values between 0 and 1, such as topk:0.01, not \"{}\"",
                              text.substr(colon + 1)));
    }
  return fail(fmt::format("there is no compression \"{}\": choose none, bf16, f16, int8 or topk:0.01", text));
}

std::string to_string(const compression_options& how) {
  const auto name =
    std::find_if(names.begin(), names.end(), [&](const auto& x) { return x.second == how.kind; })->first;
  return how.kind == compression_kind::top_k ? fmt::format("{}:{}", name, how.keep) : name;
}

size_t compressed_bytes(const compression_options& how, size_t n) {
  switch (how.kind) {
  case compression_kind::none:
    break;
  case compression_kind::bf16:
  case compression_kind::f16:
    return n * sizeof(uint16_t);
  case compression_kind::int8:
    return groups(n) * sizeof(float) + n;
  case compression_kind::top_k:
    return kept(how, n) * (sizeof(uint32_t) + sizeof(float));
  }
  return n * sizeof(float);
}

bool is_compressed(const compression_options& how, size_t n, const payload& from) {
  if (how.kind == compression_kind::none || from.type() != dtype::u8 || from.elements() != compressed_bytes(how, n))
    return false;
  if (how.kind != compression_kind::top_k)
    return true;
  const auto* indices = reinterpret_cast<const uint32_t*>(from.data());
  return std::all_of(indices, indices + kept(how, n), [&](uint32_t i) { return i < n; });
}

void decompress(const compression_options& how, const payload& from, payload& to) {
  const auto n = to.elements();
  auto* values = to.mutable_floats().data();
  switch (how.kind) {
  case compression_kind::none:
    break;
  case compression_kind::bf16:
    from_bf16(n, reinterpret_cast<const bf16*>(from.data()), values);
    break;
  case compression_kind::f16:
    from_f16(n, reinterpret_cast<const f16*>(from.data()), values);
    break;
  case compression_kind::int8:
    from_int8(n, reinterpret_cast<const float*>(from.data()),
              reinterpret_cast<const int8_t*>(from.data() + groups(n) * sizeof(float)), values);
    break;
  case compression_kind::top_k: {
    const auto k = kept(how, n);
    const auto* indices = reinterpret_cast<const uint32_t*>(from.data());
    const auto* kept_values = reinterpret_cast<const float*>(from.data() + k * sizeof(uint32_t));
    std::fill_n(values, n, 0.f);
    for (size_t i = 0; i < k; ++i)
      values[indices[i]] = kept_values[i];
    break;
  }
  }
}

payload error_feedback::compress(size_t block, const payload& gradient) {
  const auto n = gradient.elements();
  if (!norm_and_finite(n, gradient.as_floats().data()).finite)
    return gradient;
  auto wanted = payload::floats(n);
  auto& left_out = left_out_[block];
  if (left_out.empty())
    copy(n, gradient.as_floats().data(), wanted.mutable_floats().data());
  else
    sum(n, gradient.as_floats().data(), left_out.as_floats().data(), wanted.mutable_floats().data());
  auto result = payload::make(dtype::u8, {compressed_bytes(how_, n)});
  learn::compress(how_, wanted.as_floats(), result.mutable_data());
  auto arrives = payload::floats(n);
  decompress(how_, result, arrives);
  difference(n, wanted.as_floats().data(), arrives.as_floats().data(), 1, wanted.mutable_floats().data());
  if (!norm_and_finite(n, wanted.as_floats().data()).finite) // too large to be compressed
    return gradient;
  left_out = std::move(wanted);
  return result;
}

} // namespace troupe::learn
