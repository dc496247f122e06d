#pragma once

#include "learn/file_system.hpp"
#include "messages/ids.hpp"

namespace troupe {

/// The real file system with a fault point before each operation (`places::checkpoint_write`,
/// `places::checkpoint_file`).
class fault_file_system final : public learn::file_system {
public:
  explicit fault_file_system(step now) : now_(now) {}

  expected<void> make_folder(const std::filesystem::path& path) override;
  expected<std::unique_ptr<output>> create(const std::filesystem::path& path) override;
  expected<std::unique_ptr<output>> claim(const std::filesystem::path& path) override;
  expected<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  expected<void> sync_folder(const std::filesystem::path& path) override;
  expected<void> remove(const std::filesystem::path& path) override;

private:
  step now_;
};

} // namespace troupe
