#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "learn/checkpoint/checkpoint.hpp"

namespace troupe::learn {

/// A tensor in a shard's file, in the order of the file.
struct tensor_record {
  uint64_t block = 0;
  uint64_t buffer = 0; ///< 0: parameters; from 1: the optimiser's state
  uint64_t offset = 0; ///< in the flat buffer, in floats
  uint64_t floats = 0;
  uint64_t version = 0;
};

/// First frame of a shard's file.
struct shard_index {
  std::vector<tensor_record> tensors;
};

struct file_record {
  std::string name;
  uint64_t bytes = 0;
  uint32_t checksum = 0; ///< CRC-32C of the whole file
};

/// The only frame of the file `manifest`.
struct manifest {
  uint64_t sequence = 0; ///< rises with every checkpoint in a folder, whatever its step
  checkpoint_meta meta;
  std::string layout_sha256; ///< names, shapes and kinds of the slices
  uint64_t floats = 0;       ///< of a flat buffer
  uint64_t state_buffers = 0;
  std::vector<file_record> files;
  uint64_t token = 0; ///< fencing token of its writer (I6)
};

/// To and from Boost.Serialization's text archives, which unlike the binary ones do not depend on the platform. Parse
/// only text whose checksum holds: the library does not stand hostile input. Fails on an archive of another version.
std::string to_text(const shard_index& record);
std::string to_text(const manifest& record);
expected<shard_index> shard_index_from(const std::string& text);
expected<manifest> manifest_from(const std::string& text);

inline constexpr const char* manifest_name = "manifest";
inline constexpr const char* latest_name = "latest";

/// A checkpoint folder with its manifest, or the sentence why that cannot be read.
struct found_checkpoint {
  std::filesystem::path folder;
  expected<learn::manifest> manifest;
};

/// All of a folder, by falling tokens; of one token the one that `latest` names first, then from the newest to the
/// oldest. Those without a readable manifest come last.
std::vector<found_checkpoint> find_checkpoints(const std::filesystem::path& folder);

} // namespace troupe::learn
