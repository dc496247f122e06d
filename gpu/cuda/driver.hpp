#pragma once

#include <memory>

#include "gpu/driver.hpp"

namespace troupe::gpu {

/// How many GPUs this process may use. A failure, in a sentence, where there is no driver, or one too old.
device_result<int> count_cuda_devices();

/// GPU `index`, "cuda:0". Makes CUDA's context on it, which takes a second and 300 MB of its memory: for a process's
/// start.
device_result<std::shared_ptr<driver>> open_cuda_device(int index);

} // namespace troupe::gpu
