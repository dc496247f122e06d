#include "learn/data/shard_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <span>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "learn/checkpoint/frame.hpp"

namespace troupe::learn {

namespace {

constexpr std::array magic{std::byte{'T'}, std::byte{'R'}, std::byte{'P'}, std::byte{'S'}};
constexpr size_t header_bytes = 64;
constexpr size_t checked_bytes = 36; // of the header
using header = std::array<std::byte, header_bytes>;

header make_header(id_range which, size_t sample_bytes, uint32_t checksum) {
  header h{};
  std::memcpy(h.data(), magic.data(), magic.size());
  const std::array<uint64_t, 3> numbers{which.first, which.last, sample_bytes};
  std::memcpy(&h[8], numbers.data(), sizeof(numbers));
  std::memcpy(&h[32], &checksum, sizeof(checksum));
  const uint32_t own = crc32c(std::span{h}.first(checked_bytes));
  std::memcpy(&h[checked_bytes], &own, sizeof(own));
  return h;
}

/// A file in memory, for reading.
struct mapping {
  mapping(void* begin, size_t size) : data(static_cast<std::byte*>(begin)), bytes(size) {}
  mapping(const mapping&) = delete;
  mapping& operator=(const mapping&) = delete;
  ~mapping() { ::munmap(data, bytes); }

  std::byte* data;
  size_t bytes;
};

struct open_file {
  explicit open_file(const std::filesystem::path& path) : descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() {
    if (descriptor >= 0)
      ::close(descriptor);
  }

  int descriptor;
};

tl::unexpected<failure> cannot_read(const std::filesystem::path& path) {
  return fail(fmt::format("{} cannot be read: {}", path.string(), std::strerror(errno)));
}

} // namespace

uint32_t checksum_of(const stored_samples& what, size_t count, size_t sample_bytes) {
  const auto values = crc32c({what.values, count * sample_bytes});
  return crc32c(std::as_bytes(std::span{what.labels, count}), values);
}

expected<void> write_shard_file(file_system& files, const std::filesystem::path& path, id_range which,
                                size_t sample_bytes, const stored_samples& what) {
  const size_t count = which.last - which.first;
  const header h = make_header(which, sample_bytes, checksum_of(what, count, sample_bytes));
  const std::array<std::span<const std::byte>, 3> pieces{std::span<const std::byte>{h},
                                                         std::as_bytes(std::span{what.labels, count}),
                                                         std::span{what.values, count * sample_bytes}};
  return replace_file(files, path, pieces);
}

expected<std::optional<shard_file>> open_shard_file(const std::filesystem::path& path, id_range which,
                                                    size_t sample_bytes) {
  const open_file file{path};
  if (file.descriptor < 0 && errno == ENOENT)
    return std::nullopt;
  struct stat about {};
  if (file.descriptor < 0 || ::fstat(file.descriptor, &about) != 0)
    return cannot_read(path);
  const size_t count = which.last - which.first;
  const size_t size = header_bytes + count * (sizeof(int32_t) + sample_bytes);
  if (static_cast<size_t>(about.st_size) != size)
    return fail(fmt::format("{} has {} bytes, and {} samples of {} bytes take {}: it is torn, or of another data set",
                            path.string(), about.st_size, count, sample_bytes, size));
  void* const at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor, 0);
  if (at == MAP_FAILED)
    return cannot_read(path);
  const auto all = std::make_shared<const mapping>(at, size);
  shard_file result;
  const std::byte* labels = all->data + header_bytes;
  result.samples = {labels + count * sizeof(int32_t), reinterpret_cast<const int32_t*>(labels), all, true};
  result.checksum = checksum_of(result.samples, count, sample_bytes);
  const header expected_header = make_header(which, sample_bytes, result.checksum);
  if (std::memcmp(all->data, expected_header.data(), header_bytes) != 0)
    return fail(fmt::format("{} is damaged, or no shard with the samples from {} to {}", path.string(), which.first,
                            which.last - 1));
  return result;
}

} // namespace troupe::learn
