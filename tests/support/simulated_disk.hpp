#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "learn/file_system.hpp"
#include "tests/support/dice.hpp"

namespace troupe::testing {

/// A folder of the real file system, plus a model of what of it is on the disk. Operations fail by chance, as on a full
/// disk. When the power goes, `lose_power` rewrites the folder to one of the states that the disk may be in: bytes that
/// were not synced are there, lost or garbage; renames and new names that were not followed by a sync of their folder
/// have happened or not, later ones without earlier ones too. Removals are taken as done.
class simulated_disk final : public learn::file_system {
public:
  simulated_disk(std::filesystem::path root, dice chance);

  /// Chance of each operation from now on to fail, with a sentence; a write that fails leaves half of its bytes.
  void fail_at(double rate) { faults_ = rate; }
  /// After `count` more operations nothing reaches the disk any more, and nobody notices.
  void stop_after(int count) { left_ = count; }
  /// Whether `stop_after` has come true.
  [[nodiscard]] bool has_stopped() const { return left_ && *left_ < 0; }

  void lose_power();

  expected<void> make_folder(const std::filesystem::path& path) override;
  expected<std::unique_ptr<output>> create(const std::filesystem::path& path) override;
  expected<std::unique_ptr<output>> claim(const std::filesystem::path& path) override;
  expected<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  expected<void> sync_folder(const std::filesystem::path& path) override;
  expected<void> remove(const std::filesystem::path& path) override;

private:
  using bytes = std::vector<std::byte>;

  struct inode {
    bytes now;
    bytes on_disk;
  };
  /// A change of names in a folder that is not on the disk yet: files that move, or a new one.
  struct change {
    std::filesystem::path folder;
    std::vector<std::pair<std::filesystem::path, std::filesystem::path>> moves;
    std::filesystem::path name;
    std::shared_ptr<inode> node;
  };
  class tracked;

  std::unique_ptr<output> track(const std::filesystem::path& path, std::unique_ptr<output> out);
  bool reaches_disk();
  expected<void> full_by_chance(const std::filesystem::path& path);
  void read_back();
  void apply(const change& c);
  bytes survives(const inode& node);

  std::filesystem::path root_;
  dice chance_;
  double faults_ = 0;
  std::optional<int> left_;                                         // operations that reach the disk yet; none: all
  std::map<std::filesystem::path, std::shared_ptr<inode>> names_;   // as programs see it
  std::map<std::filesystem::path, std::shared_ptr<inode>> durable_; // as the disk has it
  std::vector<change> pending_;
};

} // namespace troupe::testing
