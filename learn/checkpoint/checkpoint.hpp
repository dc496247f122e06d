#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "learn/file_system.hpp"
#include "learn/flat.hpp"
#include "learn/layout.hpp"
#include "messages/failure.hpp"

namespace troupe::learn {

/// Where a run stood, and of which job it is.
struct checkpoint_meta {
  /// What the numbers depend on, by the name of the option: {"model", "lenet"}, {"batch", "128"}, {"seed", "1"}, …
  std::map<std::string, std::string> job;
  uint64_t step = 0;   ///< committed over the whole run
  uint64_t epoch = 0;  ///< of the next step, from 0
  uint64_t cursor = 0; ///< position in that epoch of the next sample
  /// Of the parameters when they were copied (I7). Left empty, the writer fills it in.
  std::string weights_sha256;
};

/// Refuses to go on with a checkpoint of another job; the sentence names the first option that differs.
expected<void> check_same_job(const checkpoint_meta& saved, const checkpoint_meta& now);

/// A block of parameters and of each of the optimiser's state buffers: `blocks()[index].size` floats each.
struct checkpoint_block {
  size_t index = 0;     ///< in `layout::blocks()`
  uint64_t version = 0; ///< updates that the block has seen
  std::span<const float> parameters;
  std::vector<std::span<const float>> state;
};

/// What goes into one file: usually the blocks of one shard holder.
using checkpoint_shard = std::vector<checkpoint_block>;

/// Cuts flat buffers into `shards` runs of blocks of about equal size (fewer where there are fewer blocks).
std::vector<checkpoint_shard> cut_into_shards(const layout& of, std::span<const float> parameters,
                                              std::span<const std::span<const float>> state, uint64_t version,
                                              size_t shards);

struct checkpoint_written {
  std::filesystem::path folder;
  uint64_t bytes = 0;
  std::string note; ///< not empty: a sentence about old checkpoints that could not be removed
};

struct checkpoint_options {
  size_t keep = 2;    ///< newest ones that stay, at least 2
  uint64_t token = 0; ///< of the lock on the folder; 0: it is not locked
};

/// Writes a checkpoint as a folder of `folder`, durably; every block exactly once and all of one version. Synchronous:
/// call it on a lane for files (R9). One writer per folder at a time: one whose token is lower than that of a
/// checkpoint in the folder is refused, before it writes anything and once more before `latest` moves (I6).
///
/// `step-000000123/shard-0-of-2`, … hold an index frame (Boost.Serialization) and raw tensors as CRC-32C frames;
/// `manifest` holds the job, the layout, the sizes and checksums of the files and the digest of the weights. All of it
/// is written and synced under the name `step-000000123.tmp`, whose renaming is the moment at which the checkpoint
/// exists as a whole; then `latest`, which names it, is replaced; then older ones are removed. A failure anywhere
/// before voids the attempt: its remains are removed and the checkpoints before are as they were.
expected<checkpoint_written> write_checkpoint(const std::filesystem::path& folder, checkpoint_meta meta,
                                              const layout& of, std::span<const checkpoint_shard> shards,
                                              checkpoint_options options = {},
                                              file_system& files = file_system::real());

struct checkpoint_read {
  checkpoint_meta meta;
  flat parameters;
  std::vector<flat> state; ///< the optimiser's buffers, each in the layout
  std::filesystem::path folder;
  std::string note; ///< not empty: a sentence about newer checkpoints that are damaged
};

/// Whether there is anything to resume from, damaged or not.
bool has_checkpoint(const std::filesystem::path& folder);

/// Reads the newest checkpoint whose every checksum and whose digest of the weights hold, into whatever number of
/// shards comes next. A damaged one makes it fall back to the one before and say so in `note`. Fails where there is
/// none, all are damaged, or the newest good one is of a model with another layout.
expected<checkpoint_read> read_latest_checkpoint(const std::filesystem::path& folder, const layout& of);

} // namespace troupe::learn
