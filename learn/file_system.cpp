#include "learn/file_system.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace troupe::learn {

namespace {

namespace fs = std::filesystem;

tl::unexpected<failure> cannot(std::string_view what, const fs::path& path, const std::string& why) {
  return fail(fmt::format("cannot {} {}: {}", what, path.string(), why));
}

tl::unexpected<failure> cannot(std::string_view what, const fs::path& path, int error) {
  return cannot(what, path, std::strerror(error));
}

class posix_output final : public file_system::output {
public:
  posix_output(fs::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  posix_output(const posix_output&) = delete;
  posix_output& operator=(const posix_output&) = delete;
  ~posix_output() override { ::close(descriptor_); }

  expected<void> write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const auto done = ::write(descriptor_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR)
        continue;
      if (done < 0)
        return cannot("write", path_, errno);
      bytes = bytes.subspan(static_cast<size_t>(done));
    }
    return {};
  }

  expected<void> sync() override {
    if (::fsync(descriptor_) != 0)
      return cannot("write", path_, errno);
    return {};
  }

private:
  fs::path path_;
  int descriptor_;
};

class posix_file_system final : public file_system {
public:
  expected<void> make_folder(const fs::path& path) override {
    std::error_code error;
    fs::create_directories(path, error);
    if (error)
      return cannot("create the folder", path, error.message());
    return {};
  }

  expected<std::unique_ptr<output>> create(const fs::path& path) override {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0)
      return cannot("write", path, errno);
    return std::make_unique<posix_output>(path, descriptor);
  }

  expected<std::unique_ptr<output>> claim(const fs::path& path) override {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno == EEXIST)
      return nullptr;
    if (descriptor < 0)
      return cannot("write", path, errno);
    return std::make_unique<posix_output>(path, descriptor);
  }

  expected<void> rename(const fs::path& from, const fs::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      return cannot("write", to, errno);
    return {};
  }

  expected<void> sync_folder(const fs::path& path) override {
    const fs::path folder = path.empty() ? fs::path{"."} : path;
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
      return cannot("write the folder", folder, errno);
    const int result = ::fsync(descriptor);
    const int error = errno;
    ::close(descriptor);
    // Some file systems cannot sync folders (EINVAL); they make renames durable in their own way or not at all.
    if (result != 0 && error != EINVAL)
      return cannot("write the folder", folder, error);
    return {};
  }

  expected<void> remove(const fs::path& path) override {
    std::error_code error;
    fs::remove_all(path, error);
    if (error)
      return cannot("remove", path, error.message());
    return {};
  }
};

expected<void> write_durably(file_system& files, const fs::path& path,
                             std::span<const std::span<const std::byte>> pieces) {
  auto out = files.create(path);
  if (!out)
    return tl::unexpected(out.error());
  for (const auto piece : pieces)
    if (auto ok = (*out)->write(piece); !ok)
      return ok;
  return (*out)->sync();
}

} // namespace

file_system& file_system::real() {
  static posix_file_system instance;
  return instance;
}

expected<void> replace_file(file_system& files, const fs::path& path,
                            std::span<const std::span<const std::byte>> pieces) {
  fs::path temporary = path;
  temporary += ".tmp";
  auto done = write_durably(files, temporary, pieces).and_then([&] { return files.rename(temporary, path); });
  if (!done) {
    (void)files.remove(temporary); // the first failure is the one to tell
    return done;
  }
  return files.sync_folder(path.parent_path());
}

} // namespace troupe::learn
