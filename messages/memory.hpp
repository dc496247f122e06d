#pragma once

#include <cstddef>
#include <memory>

namespace troupe {

/// Bytes per cache line and per SIMD register of the widest kind: every tensor buffer starts on such a boundary.
inline constexpr size_t tensor_alignment = 64;

/// Reference-counted memory of at least `bytes` bytes, 64-byte aligned, contents unspecified. Released memory is kept
/// for reuse by size, up to `memory_cache_limit` bytes per process, because touching fresh pages costs ten times a
/// copy. Thread-safe.
std::shared_ptr<std::byte> acquire_memory(size_t bytes);

/// Most bytes of released memory that stay cached (R13).
inline constexpr size_t memory_cache_limit = size_t{512} << 20;

/// Bytes of released memory cached now.
size_t cached_memory();

/// Gives all cached memory back to the system.
void trim_memory();

} // namespace troupe
