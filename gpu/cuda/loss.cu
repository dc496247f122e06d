// Softmax cross-entropy: loss and gradient in one pass, then the sum over rows.

#include "gpu/cuda/reduce.cuh"

namespace troupe::gpu::cuda::launch {
namespace {

using device_kernels::batch_loss;

/// The largest value and where it is first.
struct peak {
  float value;
  uint32_t at;
};

struct higher_then_first {
  __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a > b ? a : b; }
};

/// Ordered as the peaks are: higher values first, then lower places. What is no number is below all.
__device__ uint64_t packed(const peak& p) {
  const uint32_t bits = __float_as_uint(p.value + 0.0f); // -0 becomes 0
  const uint32_t ordered = bits >> 31 != 0 ? ~bits : bits | 0x80000000;
  return uint64_t{ordered} << 32 | (0xffffffff - p.at);
}

__device__ peak unpacked(uint64_t p) {
  const auto ordered = static_cast<uint32_t>(p >> 32);
  return {__uint_as_float(ordered >> 31 != 0 ? ordered & 0x7fffffff : ~ordered), 0xffffffff - static_cast<uint32_t>(p)};
}

struct batch {
  size_t n;
  uint32_t classes;
  const float* logits;
  const int32_t* labels;
};

/// `Lanes` threads a row. Writes each row's loss and whether it is correct.
template <unsigned Lanes>
__global__ void __launch_bounds__(threads_per_block) rows_of(batch in, float scale, float* gradient, double* rows) {
  constexpr unsigned rows_per_block = threads_per_block / Lanes;
  const unsigned lane = threadIdx.x % Lanes;
  for (size_t row = size_t{blockIdx.x} * rows_per_block + threadIdx.x / Lanes; row < in.n;
       row += size_t{gridDim.x} * rows_per_block) {
    const float* x = in.logits + row * in.classes;
    const auto label = static_cast<uint32_t>(in.labels[row]);   // a negative one is too large
    const float of_label = label < in.classes ? x[label] : NAN; // before the gradient takes its place
    peak most{-INFINITY, in.classes};
    for (uint32_t c = lane; c < in.classes; c += Lanes)
      if (x[c] > most.value)
        most = {x[c], c};
    most = unpacked(combine<Lanes>(packed(most), higher_then_first{}));
    float sum = 0;
    for (uint32_t c = lane; c < in.classes; c += Lanes)
      sum += expf(x[c] - most.value);
    sum = combine<Lanes>(sum, plus{});
    if (gradient) {
      float* g = gradient + row * in.classes;
      const float factor = scale / sum;
      for (uint32_t c = lane; c < in.classes; c += Lanes)
        g[c] = expf(x[c] - most.value) * factor - (c == label ? scale : 0);
    }
    if (lane == 0) {
      rows[2 * row] = log(static_cast<double>(sum)) + (static_cast<double>(most.value) - static_cast<double>(of_label));
      rows[2 * row + 1] = most.at == label ? 1 : 0;
    }
  }
}

/// One block.
__global__ void __launch_bounds__(threads_per_block) add_rows(size_t n, const double* rows, batch_loss* result) {
  double loss = 0;
  double correct = 0;
  for (size_t row = threadIdx.x; row < n; row += threads_per_block) {
    loss += rows[2 * row];
    correct += rows[2 * row + 1];
  }
  loss = combine<threads_per_block>(loss, plus{});
  correct = combine<threads_per_block>(correct, plus{});
  if (threadIdx.x == 0)
    *result = {loss, static_cast<int64_t>(correct), isfinite(loss) ? uint64_t{1} : uint64_t{0}};
}

} // namespace

cudaError_t softmax_cross_entropy(const place& on, const kernels::cross_entropy_input& in, float scale, float* gradient,
                                  double* rows, batch_loss* result) {
  if (in.classes >= 0x80000000) // labels are of 31 bits
    return cudaErrorInvalidValue;
  const batch b{in.n, static_cast<uint32_t>(in.classes), in.logits, in.labels};
  const bool few = in.classes <= 1024; // a warp a row
  const size_t rows_per_block = few ? threads_per_block / warp : 1;
  const auto blocks = static_cast<unsigned>(
    std::clamp<size_t>((in.n + rows_per_block - 1) / rows_per_block, 1, size_t{on.multiprocessors} * 8));
  if (few)
    rows_of<warp><<<blocks, threads_per_block, 0, on.stream>>>(b, scale, gradient, rows);
  else
    rows_of<threads_per_block><<<blocks, threads_per_block, 0, on.stream>>>(b, scale, gradient, rows);
  if (const auto status = cudaGetLastError(); status != cudaSuccess)
    return status;
  add_rows<<<1, threads_per_block, 0, on.stream>>>(in.n, rows, result);
  return cudaGetLastError();
}

} // namespace troupe::gpu::cuda::launch
