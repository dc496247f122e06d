// Matrix products by cuBLASLt, with bias and activation in their epilogue.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "gpu/cuda/stream_context.hpp"

namespace troupe::gpu::cuda {

using device_kernels::epilogue;
using device_kernels::matmul_input;
using device_kernels::matmul_precision;

namespace {

/// Owner of one of cuBLASLt's descriptions.
template <class T, cublasStatus_t (*Destroy)(T)>
class described {
public:
  described() = default;
  described(const described&) = delete;
  described& operator=(const described&) = delete;
  ~described() {
    if (handle)
      (void)Destroy(handle);
  }
  T handle = nullptr;
};

using operation = described<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using layout = described<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using preference = described<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

constexpr const char* task = "multiply matrices";

uint32_t alignment_of(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address) | 256;
  return static_cast<uint32_t>(bits & (~bits + 1));
}

cublasLtEpilogue_t epilogue_of(epilogue after) {
  switch (after) {
  case epilogue::none:
    return CUBLASLT_EPILOGUE_DEFAULT;
  case epilogue::bias:
    return CUBLASLT_EPILOGUE_BIAS;
  case epilogue::bias_relu:
    return CUBLASLT_EPILOGUE_RELU_BIAS;
  case epilogue::bias_gelu:
    return CUBLASLT_EPILOGUE_GELU_BIAS;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

template <class T>
device_result<void> set(cublasLtMatmulDesc_t what, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  return check(cublasLtMatmulDescSetAttribute(what, attribute, &value, sizeof value), task);
}

template <class T>
device_result<void> set(cublasLtMatmulPreference_t what, cublasLtMatmulPreferenceAttributes_t attribute,
                        const T& value) {
  return check(cublasLtMatmulPreferenceSetAttribute(what, attribute, &value, sizeof value), task);
}

} // namespace

// cuBLAS's matrices are column-major, so it computes yᵀ (columns × rows) = w (read as inner × columns, transposed) ·
// xᵀ.
device_result<void> stream_context::matmul(const matmul_input& in) {
  if (in.rows == 0 || in.columns == 0)
    return {};
  const auto type = in.precision == matmul_precision::bf16 ? CUDA_R_16BF : CUDA_R_32F;
  const auto compute = in.precision == matmul_precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  operation op;
  layout w;
  layout x;
  layout y;
  const cublasOperation_t transposed = CUBLAS_OP_T;
  auto made =
    check(cublasLtMatmulDescCreate(&op.handle, compute, CUDA_R_32F), task)
      .and_then([&] { return set(op.handle, CUBLASLT_MATMUL_DESC_TRANSA, transposed); })
      .and_then([&] { return set(op.handle, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(in.after)); })
      .and_then([&]() -> device_result<void> {
        if (in.after == epilogue::none)
          return {};
        return set(op.handle, CUBLASLT_MATMUL_DESC_BIAS_POINTER, in.bias);
      })
      .and_then([&] {
        return check(cublasLtMatrixLayoutCreate(&w.handle, type, in.inner, in.columns, static_cast<int64_t>(in.inner)),
                     task);
      })
      .and_then([&] {
        return check(cublasLtMatrixLayoutCreate(&x.handle, type, in.inner, in.rows, static_cast<int64_t>(in.inner)),
                     task);
      })
      .and_then([&] {
        return check(cublasLtMatrixLayoutCreate(&y.handle, type, in.columns, in.rows, static_cast<int64_t>(in.columns)),
                     task);
      });
  if (!made)
    return made;
  if (!workspace_) {
    auto memory = allocate(workspace_bytes);
    if (!memory)
      return tl::unexpected(memory.error());
    workspace_ = *memory;
  }
  const matmul_key key{in.rows,
                       in.columns,
                       in.inner,
                       in.after,
                       in.precision,
                       alignment_of(in.w),
                       alignment_of(in.x),
                       alignment_of(in.y),
                       alignment_of(in.bias)};
  auto plan = plans_.find(key);
  if (plan == plans_.end()) {
    preference wish;
    cublasLtMatmulHeuristicResult_t best = {};
    int found = 0;
    auto asked =
      check(cublasLtMatmulPreferenceCreate(&wish.handle), task)
        .and_then([&] { return set(wish.handle, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes); })
        .and_then([&] { return set(wish.handle, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(in.w)); })
        .and_then([&] { return set(wish.handle, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(in.x)); })
        .and_then([&] { return set(wish.handle, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(in.y)); })
        .and_then([&] { return set(wish.handle, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(in.y)); })
        .and_then([&] {
          return check(cublasLtMatmulAlgoGetHeuristic(device_->blas, op.handle, w.handle, x.handle, y.handle, y.handle,
                                                      wish.handle, 1, &best, &found),
                       "find a way to multiply matrices of these sizes");
        })
        .and_then([&] {
          return check(found > 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED,
                       "find a way to multiply matrices of these sizes");
        });
    if (!asked)
      return asked;
    if (plans_.size() >= most_plans)
      plans_.clear();
    plan = plans_.emplace(key, best.algo).first;
  }
  const float one = 1;
  const float zero = 0;
  return check(cublasLtMatmul(device_->blas, op.handle, &one, in.w, w.handle, in.x, x.handle, &zero, in.y, y.handle,
                              in.y, y.handle, &plan->second, workspace_, workspace_bytes, stream_),
               task);
}

} // namespace troupe::gpu::cuda
