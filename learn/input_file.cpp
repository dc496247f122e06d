#include "learn/input_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace troupe::learn {

namespace {

tl::unexpected<failure> cannot_read(const std::filesystem::path& path, int error) {
  return fail(fmt::format("cannot read {}: {}", path.string(), std::strerror(error)));
}

} // namespace

expected<input_file> input_file::open(const std::filesystem::path& path) {
  // Not blocking: to open a pipe would wait for its writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return cannot_read(path, errno);
  input_file result{path, descriptor};
  struct stat info {};
  if (::fstat(descriptor, &info) != 0)
    return cannot_read(path, errno);
  if (!S_ISREG(info.st_mode))
    return fail(fmt::format("cannot read {}: it is not a file", path.string()));
  result.size_ = static_cast<uint64_t>(info.st_size);
  return result;
}

input_file::input_file(input_file&& other) noexcept
  : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

input_file& input_file::operator=(input_file&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

input_file::~input_file() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

expected<size_t> input_file::read_some(uint64_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const auto got = ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return cannot_read(path_, errno);
    if (got == 0)
      break;
    done += static_cast<size_t>(got);
  }
  return done;
}

expected<void> input_file::read(uint64_t offset, std::span<std::byte> out) const {
  const auto got = read_some(offset, out);
  if (!got)
    return tl::unexpected(got.error());
  if (*got < out.size())
    return fail(fmt::format("cannot read {}: it ends after byte {}, {} too early", path_.string(), offset + *got,
                            out.size() - *got));
  return {};
}

} // namespace troupe::learn
