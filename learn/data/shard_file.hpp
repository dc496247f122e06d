#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "learn/data/held_samples.hpp"
#include "learn/file_system.hpp"
#include "messages/failure.hpp"

namespace troupe::learn {

/// CRC-32C over samples as they are stored, then over their labels.
uint32_t checksum_of(const stored_samples& what, size_t count, size_t sample_bytes);

/// Writes a shard of a data set, in the place of what may be there, and durably. The file has a header of 64 bytes
/// (little-endian: magic number "TRPS", a zero, first and last id, bytes of a sample, checksum of the samples, CRC-32C
/// of the 36 bytes before), then the labels, then the samples.
expected<void> write_shard_file(file_system& files, const std::filesystem::path& path, id_range which,
                                size_t sample_bytes, const stored_samples& what);

struct shard_file {
  stored_samples samples; ///< mapped into memory, as long as somebody has the owner
  uint32_t checksum = 0;
};

/// Opens such a file and reads all of it once. Nothing: there is no file. Refuses, with a sentence that names the file:
/// one that holds other samples, or whose size or checksum is wrong.
expected<std::optional<shard_file>> open_shard_file(const std::filesystem::path& path, id_range which,
                                                    size_t sample_bytes);

} // namespace troupe::learn
