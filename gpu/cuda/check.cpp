#include "gpu/cuda/check.hpp"

#include <fmt/format.h>

namespace troupe::gpu::cuda {

fault_kind kind_of(cudaError_t status) {
  switch (status) {
  case cudaErrorMemoryAllocation:
    return fault_kind::out_of_memory;
  case cudaErrorECCUncorrectable:
  case cudaErrorNvlinkUncorrectable:
  case cudaErrorContained:
  case cudaErrorIllegalAddress:
  case cudaErrorLaunchTimeout:
  case cudaErrorContextIsDestroyed:
  case cudaErrorAssert:
  case cudaErrorHardwareStackError:
  case cudaErrorIllegalInstruction:
  case cudaErrorMisalignedAddress:
  case cudaErrorInvalidAddressSpace:
  case cudaErrorInvalidPc:
  case cudaErrorLaunchFailure:
  case cudaErrorTensorMemoryLeak:
  case cudaErrorMpsRpcFailure:
  case cudaErrorMpsClientTerminated:
  case cudaErrorExternalDevice:
  case cudaErrorCudartUnloading:
  case cudaErrorUnknown:
    return fault_kind::device_lost;
  default:
    return fault_kind::refused;
  }
}

fault_kind kind_of(cublasStatus_t status) {
  switch (status) {
  case CUBLAS_STATUS_ALLOC_FAILED:
    return fault_kind::out_of_memory;
  case CUBLAS_STATUS_EXECUTION_FAILED: // of its kernel, as cudaErrorLaunchFailure
  case CUBLAS_STATUS_MAPPING_ERROR:
  case CUBLAS_STATUS_INTERNAL_ERROR:
    return fault_kind::device_lost;
  default:
    return fault_kind::refused;
  }
}

device_result<void> check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess)
    return {};
  return tl::unexpected(device_failure{
    kind_of(status), fmt::format("cannot {}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status))});
}

device_result<void> check(cublasStatus_t status, std::string_view what) {
  if (status == CUBLAS_STATUS_SUCCESS)
    return {};
  return tl::unexpected(
    device_failure{kind_of(status), fmt::format("cannot {}: cuBLAS says {}", what, cublasLtGetStatusName(status))});
}

} // namespace troupe::gpu::cuda
