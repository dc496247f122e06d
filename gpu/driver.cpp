#include "gpu/driver.hpp"

namespace troupe::gpu {

std::string_view to_string(fault_kind kind) {
  switch (kind) {
  case fault_kind::refused:
    return "refused";
  case fault_kind::out_of_memory:
    return "out of memory";
  case fault_kind::device_lost:
    return "device lost";
  }
  return "unknown";
}

device_result<device_buffer> device_stream::allocate(size_t bytes) {
  return allocate_bytes(bytes).map([&](void* data) { return device_buffer(shared_from_this(), data, bytes); });
}

} // namespace troupe::gpu
