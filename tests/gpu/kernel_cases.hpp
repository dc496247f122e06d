#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "gpu/cuda/device_kernels.hpp"

/// One case per kernel and variant, for any driver: what goes in, and what has to come out by the definitions in
/// gpu/kernels/plain.hpp.
namespace troupe::gpu {

enum class element : uint8_t { f32, bf16, i32, f64, result };

/// Memory that a kernel works on, in the order in which `kernel_case::call` gets the addresses.
struct case_buffer {
  element type = element::f32;
  std::vector<std::byte> contents;   ///< before
  std::vector<std::byte> expected{}; ///< after; empty: not looked at
  double tolerance = 0;              ///< of |a - b| / (1 + |b|), element by element
};

struct kernel_case {
  std::string name;
  std::vector<case_buffer> buffers;
  std::function<kernel_call(const std::vector<void*>&)> call;
};

/// All cases for flat buffers of n values, and for matrices of about as many. n > 0.
std::vector<kernel_case> kernel_cases(size_t n);

/// Runs a case and fetches all buffers. `offset`: values of f32 and bf16 begin so many elements into their memory, as
/// slices of a flat buffer may. `finish` waits until the stream is done.
device_result<std::vector<std::vector<std::byte>>> run_case(driver& dev, const std::shared_ptr<device_stream>& stream,
                                                            const kernel_case& c, const std::function<void()>& finish,
                                                            size_t offset = 0);

/// What is wrong with the results: a line per buffer, or "". `worst`, where given, becomes the largest relative error.
std::string problems(const kernel_case& c, const std::vector<std::vector<std::byte>>& results, double* worst = nullptr);

} // namespace troupe::gpu
