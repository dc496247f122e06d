#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <string_view>

#include "gpu/driver.hpp"

namespace troupe::gpu::cuda {

/// What helps after CUDA has answered so. CUDA's word for a lost device is that "the process must be terminated and
/// relaunched"; an error that nobody knows counts as one.
fault_kind kind_of(cudaError_t status);
fault_kind kind_of(cublasStatus_t status);

/// Every call of CUDA's and cuBLAS's goes through here. `what` was to be done, as it follows "cannot": a failure is
/// "cannot copy 12 bytes: an illegal memory access was encountered (cudaErrorIllegalAddress)".
device_result<void> check(cudaError_t status, std::string_view what);
device_result<void> check(cublasStatus_t status, std::string_view what);

} // namespace troupe::gpu::cuda
