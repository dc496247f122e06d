// What CUDA's answers mean: no GPU is needed.

#include "gpu/cuda/check.hpp"

#include <catch2/catch_test_macros.hpp>
#include <initializer_list>

#include "gpu/cuda/driver.hpp"

using namespace troupe::gpu;

TEST_CASE("CUDA's and cuBLAS's answers are told apart by what helps") {
  for (const auto status : {cudaErrorIllegalAddress, cudaErrorECCUncorrectable, cudaErrorLaunchFailure,
                            cudaErrorLaunchTimeout, cudaErrorMisalignedAddress, cudaErrorUnknown})
    CHECK(cuda::kind_of(status) == fault_kind::device_lost);
  CHECK(cuda::kind_of(cudaErrorMemoryAllocation) == fault_kind::out_of_memory);
  for (const auto status : {cudaErrorInvalidValue, cudaErrorInvalidConfiguration, cudaErrorNoDevice,
                            cudaErrorInsufficientDriver, cudaErrorNotPermitted})
    CHECK(cuda::kind_of(status) == fault_kind::refused);
  CHECK(cuda::kind_of(CUBLAS_STATUS_ALLOC_FAILED) == fault_kind::out_of_memory);
  CHECK(cuda::kind_of(CUBLAS_STATUS_EXECUTION_FAILED) == fault_kind::device_lost);
  CHECK(cuda::kind_of(CUBLAS_STATUS_NOT_SUPPORTED) == fault_kind::refused);
}

TEST_CASE("a failure is a sentence that says what was to be done") {
  CHECK(cuda::check(cudaSuccess, "copy 12 bytes"));
  CHECK(cuda::check(cudaErrorIllegalAddress, "copy 12 bytes").error() ==
        device_failure{fault_kind::device_lost,
                       "cannot copy 12 bytes: an illegal memory access was encountered (cudaErrorIllegalAddress)"});
  CHECK(cuda::check(CUBLAS_STATUS_NOT_SUPPORTED, "multiply matrices").error() ==
        device_failure{fault_kind::refused, "cannot multiply matrices: cuBLAS says CUBLAS_STATUS_NOT_SUPPORTED"});
}

TEST_CASE("where there is no GPU, a device cannot be opened and a sentence says why") {
  const auto count = count_cuda_devices();
  if (count && *count > 0)
    SKIP("this machine has a GPU");
  const auto device = open_cuda_device(0);
  REQUIRE_FALSE(device);
  CHECK(device.error().kind == fault_kind::refused);
  CHECK(device.error().sentence.starts_with("cannot use a device: "));
}
