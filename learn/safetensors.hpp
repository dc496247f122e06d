#pragma once

#include <filesystem>
#include <span>

#include "learn/file_system.hpp"
#include "learn/flat.hpp"
#include "learn/layout.hpp"
#include "messages/failure.hpp"

namespace troupe::learn {

/// Writes the slices of a flat buffer as a safetensors file (format of huggingface/safetensors 0.4: 64-bit
/// little-endian length of the header, header in JSON, tensors without gaps): f32, names and shapes as in the layout.
/// Each batch norm also gets PyTorch's scalar `num_batches_tracked` (i64), which is `steps`. The file is replaced
/// atomically; after a failure the old one, if any, is still there.
expected<void> write_safetensors(const std::filesystem::path& file, const layout& of, std::span<const float> parameters,
                                 uint64_t steps, file_system& files = file_system::real());

/// Reads a safetensors file into the layout. Refuses, with one sentence that names the file and the tensor: a header
/// that is truncated, too long, no JSON or not of the format; offsets that overlap, leave gaps or lie outside; tensors
/// that are missing, unknown, of another shape or type than f32; values that are not finite. Only `num_batches_tracked`
/// may be there or not. Nothing is allocated before the offsets are known to fit the file.
expected<flat> read_safetensors(const std::filesystem::path& file, const layout& of);

} // namespace troupe::learn
