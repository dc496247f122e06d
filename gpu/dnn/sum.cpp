#include "gpu/dnn/sum.hpp"

#include "gpu/dnn/lanes.hpp"
#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::dnn {

namespace {

template <class T>
void sum_of(const memory& a, const memory& b, const memory& to, bool relu) {
  const auto* x = static_cast<const T*>(a.get_data_handle());
  const auto* y = static_cast<const T*>(b.get_data_handle());
  auto* z = static_cast<T*>(to.get_data_handle());
  const size_t n = to.get_desc().get_size() / sizeof(T);
  kernels::for_chunks(n, [=](size_t begin, size_t end) {
    size_t i = begin;
    for (; i + lane_count <= end; i += lane_count) {
      const auto s = load(x + i) + load(y + i);
      store(z + i, relu ? positive_part(s) : s);
    }
    if (const auto left = static_cast<int64_t>(end - i); left > 0) {
      const auto s = load_some(x + i, left) + load_some(y + i, left);
      store_some(z + i, relu ? positive_part(s) : s, left);
    }
  });
}

} // namespace

void sum(const memory& a, const memory& b, const memory& to, bool relu) {
  if (type_of(to.get_desc()) == data_type::bf16)
    sum_of<bf16>(a, b, to, relu);
  else
    sum_of<float>(a, b, to, relu);
}

} // namespace troupe::gpu::dnn
