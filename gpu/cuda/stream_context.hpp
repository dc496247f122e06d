#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <map>
#include <memory>
#include <tuple>

#include "gpu/cuda/check.hpp"
#include "gpu/cuda/device_kernels.hpp"
#include "gpu/cuda/launchers.hpp"

namespace troupe::gpu::cuda {

class callback_thread;

/// What the streams of one device share, for as long as any of them or any of their buffers lasts.
class device_context {
public:
  static device_result<std::shared_ptr<device_context>> open(int index);
  device_context() = default;
  device_context(const device_context&) = delete;
  device_context& operator=(const device_context&) = delete;
  ~device_context();

  /// Makes it the calling thread's device: the first thing that every call does, since actors change threads.
  [[nodiscard]] device_result<void> enter() const;

  int index = 0;
  unsigned multiprocessors = 1;
  cudaMemPool_t pool = nullptr; ///< keeps what is freed for the next taker
  cublasLtHandle_t blas = nullptr;
  std::shared_ptr<callback_thread> callbacks;
};

/// A stream with what works on it. Used by its owner alone.
class stream_context {
public:
  explicit stream_context(std::shared_ptr<device_context> on) : device_(std::move(on)) {}
  stream_context(const stream_context&) = delete;
  stream_context& operator=(const stream_context&) = delete;
  ~stream_context();

  device_result<void> open(stream_priority priority);

  [[nodiscard]] const std::shared_ptr<device_context>& device() const { return device_; }
  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  [[nodiscard]] place where() const { return {stream_, device_->multiprocessors}; }

  [[nodiscard]] device_result<void*> allocate(size_t bytes);
  device_result<void> matmul(const device_kernels::matmul_input& in);

private:
  /// What decides which of cuBLAS's algorithms is the best: sizes, epilogue, precision, alignment of the addresses.
  using matmul_key = std::tuple<size_t, size_t, size_t, device_kernels::epilogue, device_kernels::matmul_precision,
                                uint32_t, uint32_t, uint32_t, uint32_t>;
  static constexpr size_t workspace_bytes = size_t{32} << 20; // what cuBLAS asks for on Hopper
  static constexpr size_t most_plans = 1024;                  // R13

  std::shared_ptr<device_context> device_;
  cudaStream_t stream_ = nullptr;
  void* workspace_ = nullptr; ///< of matrix products, from the first one on
  std::map<matmul_key, cublasLtMatmulAlgo_t> plans_;
};

} // namespace troupe::gpu::cuda
