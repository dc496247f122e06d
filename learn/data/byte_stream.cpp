#include "learn/data/byte_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <isa-l/igzip_lib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace troupe::learn {

namespace {

// The densest deflate block stores a run of 258 bytes in two bits.
constexpr uint64_t densest = 1'032;

tl::unexpected<failure> cannot_read(const std::filesystem::path& file, int error) {
  return fail(fmt::format("cannot read {}: {}", file.string(), std::strerror(error)));
}

} // namespace

expected<byte_stream> byte_stream::open(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return cannot_read(file, errno);
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) {
    const int error = errno;
    ::close(descriptor);
    return cannot_read(file, error);
  }
  byte_stream result{file, descriptor, static_cast<uint64_t>(info.st_size)};
  if (!S_ISREG(info.st_mode))
    return fail(fmt::format("{} is not a file", file.string()));
  std::array<uint8_t, 2> magic{};
  const auto got = result.read_plain(magic);
  if (!got)
    return tl::unexpected(got.error());
  result.position_ = 0;
  if (*got == magic.size() && magic == std::array<uint8_t, 2>{0x1f, 0x8b}) {
    result.inflate_ = std::make_unique<inflate_state>();
    result.input_ = std::make_unique_for_overwrite<uint8_t[]>(chunk);
    isal_inflate_init(result.inflate_.get());
    result.inflate_->crc_flag = ISAL_GZIP;
  }
  return result;
}

byte_stream::byte_stream(std::filesystem::path file, int descriptor, uint64_t size)
  : file_(std::move(file)), descriptor_(descriptor), size_(size) {}

byte_stream::byte_stream(byte_stream&& other) noexcept
  : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_),
    position_(other.position_), inflate_(std::move(other.inflate_)), input_(std::move(other.input_)) {}

byte_stream& byte_stream::operator=(byte_stream&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(position_, other.position_);
  std::swap(inflate_, other.inflate_);
  std::swap(input_, other.input_);
  return *this;
}

byte_stream::~byte_stream() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

uint64_t byte_stream::most_bytes() const {
  return compressed() ? size_ * densest : size_;
}

expected<size_t> byte_stream::read(std::span<uint8_t> out) {
  return compressed() ? read_compressed(out) : read_plain(out);
}

expected<size_t> byte_stream::read_plain(std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const auto got = ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(position_));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return cannot_read(file_, errno);
    if (got == 0)
      break;
    done += static_cast<size_t>(got);
    position_ += static_cast<uint64_t>(got);
  }
  return done;
}

expected<size_t> byte_stream::read_compressed(std::span<uint8_t> out) {
  inflate_state& state = *inflate_;
  size_t done = 0;
  while (done < out.size() && state.block_state != ISAL_BLOCK_FINISH) {
    if (state.avail_in == 0) {
      const auto got = read_plain({input_.get(), chunk});
      if (!got)
        return got;
      state.next_in = input_.get();
      state.avail_in = static_cast<uint32_t>(*got);
    }
    const uint32_t available = state.avail_in;
    const auto wanted = static_cast<uint32_t>(std::min<size_t>(out.size() - done, 1u << 30));
    state.next_out = out.data() + done;
    state.avail_out = wanted;
    const int result = isal_inflate(&state);
    if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT)
      return fail(fmt::format("{} is damaged: {}; fetch it again", file_.string(),
                              result == ISAL_INCORRECT_CHECKSUM ? "the gzip checksum does not match"
                                                                : "its gzip data cannot be decompressed"));
    done += wanted - state.avail_out;
    if (available == 0 && state.avail_out == wanted && state.block_state != ISAL_BLOCK_FINISH)
      return fail(fmt::format("{} is truncated: its gzip data ends early; fetch it again", file_.string()));
  }
  return done;
}

} // namespace troupe::learn
