#include "learn/data/byte_stream.hpp"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <isa-l/igzip_lib.h>
#include <utility>

namespace troupe::learn {

namespace {

// The densest deflate block stores a run of 258 bytes in two bits.
constexpr uint64_t densest = 1'032;

} // namespace

byte_stream::byte_stream(input_file in) : in_(std::move(in)) {}
byte_stream::byte_stream(byte_stream&&) noexcept = default;
byte_stream::~byte_stream() = default;

expected<byte_stream> byte_stream::open(const std::filesystem::path& file) {
  auto in = input_file::open(file);
  if (!in)
    return tl::unexpected(in.error());
  byte_stream result{std::move(*in)};
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

uint64_t byte_stream::most_bytes() const {
  return compressed() ? in_.size() * densest : in_.size();
}

expected<size_t> byte_stream::read(std::span<uint8_t> out) {
  return compressed() ? read_compressed(out) : read_plain(out);
}

expected<size_t> byte_stream::read_plain(std::span<uint8_t> out) {
  auto got = in_.read_some(position_, std::as_writable_bytes(out));
  if (got)
    position_ += *got;
  return got;
}

expected<size_t> byte_stream::read_compressed(std::span<uint8_t> out) {
  inflate_state& state = *inflate_;
  size_t done = 0;
  while (done < out.size() && state.block_state != ISAL_BLOCK_FINISH) {
    if (state.avail_in == 0) {
      auto got = read_plain({input_.get(), chunk});
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
      return fail(fmt::format("{} is damaged: {}; fetch it again", file().string(),
                              result == ISAL_INCORRECT_CHECKSUM ? "the gzip checksum does not match"
                                                                : "its gzip data cannot be decompressed"));
    done += wanted - state.avail_out;
    if (available == 0 && state.avail_out == wanted && state.block_state != ISAL_BLOCK_FINISH)
      return fail(fmt::format("{} is truncated: its gzip data ends early; fetch it again", file().string()));
  }
  return done;
}

} // namespace troupe::learn
