#pragma once

#include <string>
#include <utility>

#include "learn/file_system.hpp"

namespace troupe::test {

/// The real file system, but operation number `nth` (from 1; 0: none) fails: the disk is full. A write that fails
/// leaves half of its bytes. Afterwards the disk works again (`goes_on`), or nothing is done any more, as if the
/// process had ended there (`has_ended`). Syncs count but are left out, as no power fails here and they are slow.
class failing_file_system final : public learn::file_system {
public:
  enum class then : uint8_t { goes_on, has_ended };

  failing_file_system(int nth, then afterwards) : left_(nth), then_(afterwards) {}

  /// Name of the operation that failed.
  [[nodiscard]] const std::string& last_operation() const { return failed_; }

  expected<void> make_folder(const std::filesystem::path& path) override {
    return fails("make_folder") ? full() : real().make_folder(path);
  }
  expected<std::unique_ptr<output>> create(const std::filesystem::path& path) override {
    if (fails("create"))
      return tl::unexpected(full().error());
    auto out = real().create(path);
    if (!out)
      return out;
    return std::make_unique<failing_output>(*this, std::move(*out));
  }
  expected<std::unique_ptr<output>> claim(const std::filesystem::path& path) override {
    if (fails("claim"))
      return tl::unexpected(full().error());
    auto out = real().claim(path);
    if (!out || !*out)
      return out;
    return std::make_unique<failing_output>(*this, std::move(*out));
  }
  expected<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return fails("rename") ? full() : real().rename(from, to);
  }
  expected<void> sync_folder(const std::filesystem::path&) override {
    return fails("sync_folder") ? full() : expected<void>{};
  }
  expected<void> remove(const std::filesystem::path& path) override {
    return fails("remove") ? full() : real().remove(path);
  }

private:
  class failing_output final : public output {
  public:
    failing_output(failing_file_system& disk, std::unique_ptr<output> real) : disk_(disk), real_(std::move(real)) {}
    expected<void> write(std::span<const std::byte> bytes) override {
      if (!disk_.fails("write"))
        return real_->write(bytes);
      if (!disk_.again_)
        (void)real_->write(bytes.first(bytes.size() / 2));
      return full();
    }
    expected<void> sync() override { return disk_.fails("sync") ? full() : expected<void>{}; }

  private:
    failing_file_system& disk_;
    std::unique_ptr<output> real_;
  };

  static expected<void> full() { return learn_failure(); }
  static tl::unexpected<failure> learn_failure() { return fail("No space left on device"); }

  bool fails(const char* operation) {
    if (left_ > 0 && --left_ == 0) {
      failed_ = operation;
      return true;
    }
    again_ = left_ == 0 && then_ == then::has_ended && !failed_.empty();
    return again_;
  }

  int left_;
  then then_;
  bool again_ = false; // the process has ended before this operation
  std::string failed_;
};

} // namespace troupe::test
