#include "gpu/device.hpp"

#include <fmt/format.h>

#include "gpu/lane.hpp"

namespace troupe::gpu {

device device::host(host_options options) {
  return device(std::make_shared<detail::lane>(options));
}

device device::stepped(host_options options) {
  return device(std::make_shared<detail::lane>(options, detail::lane::driver::caller));
}

bool device::step() const {
  return lane_->queue()->step();
}

bool device::has_work() const {
  return lane_->queue()->has_work();
}

std::string device::name() const {
  return fmt::format("cpu:{}", lane_->options().index);
}

int device::threads() const {
  return lane_->options().threads;
}

bool device::has_bf16() const {
#if defined(__x86_64__)
  // Every processor with AMX-BF16 has AVX512-BF16 too; the built-in also checks that the system saves the registers.
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

} // namespace troupe::gpu
