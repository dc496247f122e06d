#pragma once

#include <exception>

#include "gpu/stream.hpp"

namespace troupe {

/// Blocks until everything enqueued on a device so far has run. For the teardown of a job: agents work ahead, and code
/// that oneDNN generated is gone once the process runs its exit handlers.
inline void drain(const gpu::device& where) {
  auto last = gpu::stream{where, [](const std::exception_ptr&) {}};
  last.synchronize();
}

} // namespace troupe
