#include "actors/fault_file_system.hpp"

#include <fmt/format.h>

#include "actors/fault_places.hpp"

namespace troupe {
namespace {

namespace fs = std::filesystem;

bool is_full(step now) {
  return TROUPE_FAULT(places::checkpoint_file, {"coordinator", 0}, {0}, now.value).is(fault_kind::disk_full);
}

expected<void> full(const fs::path& path) {
  return fail(fmt::format("cannot write {}: No space left on device (planned)", path.string()));
}

class fault_output final : public learn::file_system::output {
public:
  fault_output(step now, fs::path path, std::unique_ptr<output> real)
    : now_(now), path_(std::move(path)), real_(std::move(real)) {}

  expected<void> write(std::span<const std::byte> bytes) override {
    const auto fault = TROUPE_FAULT(places::checkpoint_write, {"coordinator", 0}, {0}, now_.value);
    if (fault.is(fault_kind::torn_write))
      if (auto half = real_->write(bytes.first(bytes.size() / 2)); !half)
        return half;
    return fault.kind ? full(path_) : real_->write(bytes);
  }
  expected<void> sync() override { return is_full(now_) ? full(path_) : real_->sync(); }

private:
  step now_;
  fs::path path_;
  std::unique_ptr<output> real_;
};

} // namespace

expected<void> fault_file_system::make_folder(const fs::path& path) {
  return is_full(now_) ? full(path) : real().make_folder(path);
}

expected<std::unique_ptr<learn::file_system::output>> fault_file_system::create(const fs::path& path) {
  if (is_full(now_))
    return tl::unexpected(full(path).error());
  auto out = real().create(path);
  if (!out)
    return out;
  return std::make_unique<fault_output>(now_, path, std::move(*out));
}

expected<std::unique_ptr<learn::file_system::output>> fault_file_system::claim(const fs::path& path) {
  if (is_full(now_))
    return tl::unexpected(full(path).error());
  auto out = real().claim(path);
  if (!out || !*out)
    return out;
  return std::make_unique<fault_output>(now_, path, std::move(*out));
}

expected<void> fault_file_system::rename(const fs::path& from, const fs::path& to) {
  return is_full(now_) ? full(to) : real().rename(from, to);
}

expected<void> fault_file_system::sync_folder(const fs::path& path) {
  return is_full(now_) ? full(path) : real().sync_folder(path);
}

expected<void> fault_file_system::remove(const fs::path& path) {
  return real().remove(path);
}

} // namespace troupe
