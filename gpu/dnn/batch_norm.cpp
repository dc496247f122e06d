#include "gpu/dnn/batch_norm.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "gpu/dnn/lanes.hpp"
#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::dnn {

namespace {

constexpr int64_t most_parts = 16; // of a batch, each with its own partial sums

struct range {
  int64_t begin;
  int64_t end;
};

range part_of(int64_t total, int64_t parts, int64_t i) {
  return {total * i / parts, total * (i + 1) / parts};
}

/// Calls `body(std::bool_constant...)` for the values of `flags`.
template <class Body>
void with_constants(const Body& body) {
  body();
}

template <class Body, class... Flags>
void with_constants(const Body& body, bool flag, Flags... flags) {
  if (flag)
    with_constants([&](auto... constants) { body(std::true_type{}, constants...); }, flags...);
  else
    with_constants([&](auto... constants) { body(std::false_type{}, constants...); }, flags...);
}

void add_to(double* sums, lanes x) {
  for (int i = 0; i < lane_count; ++i)
    sums[i] += static_cast<double>(x[i]);
}

} // namespace

batch_norm::batch_norm(const desc& activation, float epsilon)
  : groups_(channel_groups::of(activation)), type_(type_of(activation)), epsilon_(epsilon) {
  const auto padded = static_cast<size_t>(groups_.groups * lane_count);
  partial_.resize(static_cast<size_t>(parts()) * 2 * padded);
  for (auto* v : {&mean_, &inverse_deviation_, &variance_, &scale_, &slope_, &shift_})
    v->assign(padded, 0.0f);
}

int64_t batch_norm::parts() const {
  return std::min(groups_.samples, most_parts);
}

/// Sums of x - k and (x - k)² per channel, where k, the batch's first value, keeps the squares from cancelling.
template <class T>
void batch_norm::collect(const T* x) {
  const auto c = groups_;
  std::fill(partial_.begin(), partial_.end(), 0.0);
#pragma omp parallel for schedule(static) if (kernels::use_team)
  for (int64_t part = 0; part < parts(); ++part) {
    const auto [begin, end] = part_of(c.samples, parts(), part);
    for (int64_t n = begin; n < end; ++n)
      for (int64_t g = 0; g < c.groups; ++g) {
        const auto access = c.access(g);
        const lanes k = access.get(x + g * c.group_stride);
        const T* from = x + n * c.sample_stride + g * c.group_stride;
        lanes sum[2] = {};
        lanes squares[2] = {};
        int64_t i = 0;
        for (; i + 2 <= c.pixels; i += 2)
          for (int u = 0; u < 2; ++u) {
            const lanes d = access.get(from + (i + u) * c.pixel_stride) - k;
            sum[u] += d;
            squares[u] += d * d;
          }
        if (i < c.pixels) {
          const lanes d = access.get(from + i * c.pixel_stride) - k;
          sum[0] += d;
          squares[0] += d * d;
        }
        add_to(partial(part, 0) + g * lane_count, sum[0] + sum[1]);
        add_to(partial(part, 1) + g * lane_count, squares[0] + squares[1]);
      }
  }
  const auto count = static_cast<double>(c.samples * c.pixels);
  for (int64_t i = 0; i < c.channels; ++i) {
    double sum = 0;
    double squares = 0;
    for (int64_t part = 0; part < parts(); ++part) {
      sum += partial(part, 0)[i];
      squares += partial(part, 1)[i];
    }
    const T* at = x + i / lane_count * c.group_stride + i % lane_count;
    lanes first = load_some(at, 1);
    const double offset = sum / count;
    const double variance = std::max(0.0, squares / count - offset * offset);
    const auto channel = static_cast<size_t>(i);
    mean_[channel] = static_cast<float>(static_cast<double>(first[0]) + offset);
    variance_[channel] = static_cast<float>(variance * count / std::max(1.0, count - 1));
    inverse_deviation_[channel] = static_cast<float>(1 / std::sqrt(variance + static_cast<double>(epsilon_)));
  }
}

template <class T>
void batch_norm::apply(const forward_buffers& b, bool relu_wanted) const {
  with_constants(
    [&](auto relu, auto add, auto remember) {
      const auto c = groups_;
#pragma omp parallel for schedule(static) if (kernels::use_team)
      for (int64_t n = 0; n < c.samples; ++n)
        for (int64_t g = 0; g < c.groups; ++g) {
          const auto access = c.access(g);
          const lanes scale = load(scale_.data() + g * lane_count);
          const lanes shift = load(shift_.data() + g * lane_count);
          const int64_t at = n * c.sample_stride + g * c.group_stride;
          const T* x = static_cast<const T*>(b.x) + at;
          const T* addend = static_cast<const T*>(b.addend) + (add ? at : 0);
          T* y = static_cast<T*>(b.y) + at;
          uint16_t* positive = b.positive + (remember ? (n * c.groups + g) * c.pixels : 0);
          for (int64_t i = 0; i < c.pixels; ++i) {
            lanes value = access.get(x + i * c.pixel_stride) * scale + shift;
            if constexpr (add)
              value += access.get(addend + i * c.pixel_stride);
            if constexpr (remember)
              positive[i] = positive_lanes(value);
            access.put(y + i * c.pixel_stride, relu ? positive_part(value) : value);
          }
        }
    },
    relu_wanted, b.addend != nullptr, b.positive != nullptr);
}

void batch_norm::forward(affine p, const forward_buffers& b, bool relu) {
  if (type_ == data_type::bf16)
    collect(static_cast<const bf16*>(b.x));
  else
    collect(static_cast<const float*>(b.x));
  for (size_t i = 0; i < static_cast<size_t>(groups_.channels); ++i) {
    scale_[i] = p.weight[i] * inverse_deviation_[i];
    shift_[i] = p.bias[i] - mean_[i] * scale_[i];
  }
  if (type_ == data_type::bf16)
    apply<bf16>(b, relu);
  else
    apply<float>(b, relu);
}

void batch_norm::infer(affine p, running_statistics s, const forward_buffers& b, bool relu) {
  for (size_t i = 0; i < static_cast<size_t>(groups_.channels); ++i) {
    scale_[i] = p.weight[i] / std::sqrt(s.variance[i] + epsilon_);
    shift_[i] = p.bias[i] - s.mean[i] * scale_[i];
  }
  if (type_ == data_type::bf16)
    apply<bf16>(b, relu);
  else
    apply<float>(b, relu);
}

/// Sums of g and of g · (x - mean) per channel, g being the gradient of what entered the ReLU; writes g if wanted.
template <class T>
void batch_norm::collect_gradient(const backward_buffers& b) {
  std::fill(partial_.begin(), partial_.end(), 0.0);
  with_constants(
    [&](auto relu, auto more, auto write) {
      const auto c = groups_;
#pragma omp parallel for schedule(static) if (kernels::use_team)
      for (int64_t part = 0; part < parts(); ++part) {
        const auto [begin, end] = part_of(c.samples, parts(), part);
        for (int64_t n = begin; n < end; ++n)
          for (int64_t g = 0; g < c.groups; ++g) {
            const auto access = c.access(g);
            const lanes mean = load(mean_.data() + g * lane_count);
            const int64_t at = n * c.sample_stride + g * c.group_stride;
            const T* dy = static_cast<const T*>(b.dy) + at;
            const T* more_dy = static_cast<const T*>(b.more_dy) + (more ? at : 0);
            const T* x = static_cast<const T*>(b.x) + at;
            T* dsum = static_cast<T*>(b.dsum) + (write ? at : 0);
            const uint16_t* positive = b.positive + (relu ? (n * c.groups + g) * c.pixels : 0);
            lanes sum{};
            lanes products{};
            for (int64_t i = 0; i < c.pixels; ++i) {
              lanes value = access.get(dy + i * c.pixel_stride);
              if constexpr (more)
                value += access.get(more_dy + i * c.pixel_stride);
              if constexpr (relu)
                value = keep(value, positive[i]);
              if constexpr (write)
                access.put(dsum + i * c.pixel_stride, value);
              sum += value;
              products += value * (access.get(x + i * c.pixel_stride) - mean);
            }
            add_to(partial(part, 0) + g * lane_count, sum);
            add_to(partial(part, 1) + g * lane_count, products);
          }
      }
    },
    b.positive != nullptr, b.more_dy != nullptr, b.dsum != nullptr);
}

template <class T>
void batch_norm::apply_gradient(const backward_buffers& b) const {
  // Where the masked sum was written, it is read back instead of being computed again.
  const bool written = b.dsum != nullptr;
  with_constants(
    [&](auto relu) {
      const auto c = groups_;
#pragma omp parallel for schedule(static) if (kernels::use_team)
      for (int64_t n = 0; n < c.samples; ++n)
        for (int64_t g = 0; g < c.groups; ++g) {
          const auto access = c.access(g);
          const lanes scale = load(scale_.data() + g * lane_count);
          const lanes slope = load(slope_.data() + g * lane_count);
          const lanes shift = load(shift_.data() + g * lane_count);
          const lanes mean = load(mean_.data() + g * lane_count);
          const int64_t at = n * c.sample_stride + g * c.group_stride;
          const T* from = static_cast<const T*>(written ? b.dsum : b.dy) + at;
          const T* x = static_cast<const T*>(b.x) + at;
          T* dx = static_cast<T*>(b.dx) + at;
          const uint16_t* positive = b.positive + (relu ? (n * c.groups + g) * c.pixels : 0);
          for (int64_t i = 0; i < c.pixels; ++i) {
            lanes value = access.get(from + i * c.pixel_stride);
            if constexpr (relu)
              value = keep(value, positive[i]);
            access.put(dx + i * c.pixel_stride,
                       value * scale + ((access.get(x + i * c.pixel_stride) - mean) * slope + shift));
          }
        }
    },
    b.positive != nullptr && !written);
}

void batch_norm::backward(const float* weight, const backward_buffers& b) {
  assert(!b.more_dy || b.dsum);
  if (type_ == data_type::bf16)
    collect_gradient<bf16>(b);
  else
    collect_gradient<float>(b);
  const auto count = static_cast<double>(groups_.samples * groups_.pixels);
  for (int64_t i = 0; i < groups_.channels; ++i) {
    const auto channel = static_cast<size_t>(i);
    double sum = 0;
    double products = 0;
    for (int64_t part = 0; part < parts(); ++part) {
      sum += partial(part, 0)[i];
      products += partial(part, 1)[i];
    }
    const double inverse = static_cast<double>(inverse_deviation_[channel]);
    const double scale = static_cast<double>(weight[i]) * inverse;
    b.dbias[i] = static_cast<float>(sum);
    b.dweight[i] = static_cast<float>(products * inverse);
    scale_[channel] = static_cast<float>(scale);
    slope_[channel] = static_cast<float>(-scale * inverse * inverse * products / count);
    shift_[channel] = static_cast<float>(-scale * sum / count);
  }
  if (type_ == data_type::bf16)
    apply_gradient<bf16>(b);
  else
    apply_gradient<float>(b);
}

} // namespace troupe::gpu::dnn
