#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "messages/failure.hpp"

namespace troupe::learn {

/// The operations that durable writing consists of. Tests put a failing one in the place of the real one. Failures name
/// the path and the reason.
class file_system {
public:
  /// A file being written. Closed by its destructor, which does not make it durable.
  class output {
  public:
    virtual ~output() = default;
    virtual expected<void> write(std::span<const std::byte> bytes) = 0;
    /// Returns once all that was written is on the disk. After a failure nothing is known about what is; the file has
    /// to be given up, not synced again (kernels drop the pages that they could not write).
    virtual expected<void> sync() = 0;
  };

  virtual ~file_system() = default;
  /// The operating system's.
  static file_system& real();

  /// Creates the folder and its parents; one that exists is as good.
  virtual expected<void> make_folder(const std::filesystem::path& path) = 0;
  /// An empty file, in the place of one that may be there.
  virtual expected<std::unique_ptr<output>> create(const std::filesystem::path& path) = 0;
  /// The same, but null where there is a file of that name: of several processes that try, one gets it.
  virtual expected<std::unique_ptr<output>> claim(const std::filesystem::path& path) = 0;
  /// Atomic; a file at `to` is replaced. Durable after `sync_folder` of the folder of `to`.
  virtual expected<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual expected<void> sync_folder(const std::filesystem::path& path) = 0;
  /// A file, or a folder with all that is in it. Nothing there is as good.
  virtual expected<void> remove(const std::filesystem::path& path) = 0;
};

/// Replaces the content of `path` so that, whenever the power fails, either the old or the new content is there: writes
/// `path`.tmp, syncs it, renames it, syncs the folder. After a failure `path`.tmp is gone.
expected<void> replace_file(file_system& files, const std::filesystem::path& path,
                            std::span<const std::span<const std::byte>> pieces);

} // namespace troupe::learn
