#include "learn/gradient_check.hpp"

#include <algorithm>
#include <cmath>

#include "messages/memory.hpp"

namespace troupe::learn {

namespace {

std::shared_ptr<float> floats(size_t n) {
  auto bytes = acquire_memory(n * sizeof(float));
  return {bytes, reinterpret_cast<float*>(bytes.get())};
}

/// A replica whose parameters can be nudged one by one.
class probe {
public:
  probe(std::unique_ptr<replica> r, const gpu::device& where, micro_batch_data data, uint64_t seed)
    : replica_(std::move(r)), stream_(where, [](const std::exception_ptr&) {}), data_(data), seed_(seed),
      parameters_(floats(shape().size())), gradient_(floats(shape().size())) {
    replica_->model().initialise(seed, {parameters_.get(), shape().size()});
  }

  /// Mean loss of the batch; leaves its gradient in `gradient()`.
  double loss() {
    for (size_t i = 0; i < shape().blocks().size(); ++i)
      replica_->bind(stream_, i, parameters_.get() + shape().blocks()[i].offset, parameters_);
    batch_result result;
    replica_->train(stream_, data_,
                    {.key = {.seed = seed_, .step = 1, .micro_batch = 0}, .scale = 1 / static_cast<float>(data_.n)},
                    gradient_.get(), &result, {});
    stream_.synchronize();
    return result.loss_sum / data_.n;
  }

  double difference(size_t parameter, float step) {
    float& p = parameters_.get()[parameter];
    const float middle = p;
    p = middle + step;
    const double width_up = static_cast<double>(p) - static_cast<double>(middle);
    const double up = loss();
    p = middle - step;
    const double width_down = static_cast<double>(middle) - static_cast<double>(p);
    const double down = loss();
    p = middle;
    return (up - down) / (width_up + width_down);
  }

  [[nodiscard]] const layout& shape() const { return replica_->model().layout(); }
  [[nodiscard]] const float* gradient() const { return gradient_.get(); }

private:
  std::unique_ptr<replica> replica_;
  gpu::stream stream_;
  micro_batch_data data_;
  uint64_t seed_;
  std::shared_ptr<float> parameters_;
  std::shared_ptr<float> gradient_;
};

double norm(const std::vector<double>& x) {
  double squares = 0;
  for (const double v : x)
    squares += v * v;
  return std::sqrt(squares);
}

} // namespace

expected<std::vector<gradient_error>> check_gradients(const std::shared_ptr<const model>& m, const gpu::device& where,
                                                      micro_batch_data data, gradient_check_options options) {
  auto made = make_replica(m, where);
  if (!made)
    return tl::unexpected(made.error());
  probe at(std::move(*made), where, data, options.seed);
  at.loss();
  const std::vector<double> computed(at.gradient(), at.gradient() + m->layout().size());
  const double all = norm(computed);
  std::vector<gradient_error> errors;
  for (const auto& s : m->layout().slices()) {
    if (s.kind != slice_kind::trainable)
      continue;
    std::vector<double> expected_values;
    std::vector<double> off;
    for (size_t i = s.offset; i < s.offset + s.size; ++i) {
      expected_values.push_back(at.difference(i, options.step));
      off.push_back(computed[i] - expected_values.back());
    }
    // A bias in front of a batch normalisation has no effect: its gradient is rounding, to be measured against the
    // others.
    const double reference = std::max(norm(expected_values), 1e-3 * all);
    errors.push_back({s.name, norm(off) / reference});
  }
  return errors;
}

} // namespace troupe::learn
