#include "learn/checkpoint/frame.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/core.h>
#include <isa-l/crc.h>

namespace troupe::learn {

namespace {

constexpr uint32_t magic = 0x46505254; // "TRPF"

struct header_fields {
  uint32_t magic;
  frame_kind kind;
  uint64_t bytes;
  uint32_t payload_checksum;
  uint32_t header_checksum;
};
static_assert(sizeof(header_fields) == sizeof(frame_header));

uint32_t checksum_of(const frame_header& header) {
  return crc32c(std::span{header}.first(offsetof(header_fields, header_checksum)));
}

} // namespace

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t before) {
  uint32_t crc = ~before;
  while (!bytes.empty()) {
    const size_t part = std::min<size_t>(bytes.size(), 1u << 30);                        // the library counts in int
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data())); // which it only reads
    crc = crc32_iscsi(data, static_cast<int>(part), crc);
    bytes = bytes.subspan(part);
  }
  return ~crc;
}

frame_header make_frame_header(frame_kind kind, std::span<const std::byte> payload) {
  header_fields fields{magic, kind, payload.size(), crc32c(payload), 0};
  frame_header header;
  std::memcpy(header.data(), &fields, sizeof(fields));
  fields.header_checksum = checksum_of(header);
  std::memcpy(header.data(), &fields, sizeof(fields));
  return header;
}

tl::unexpected<failure> frame_reader::damaged(std::string_view how) const {
  return fail(fmt::format("{} is damaged: {} at byte {}", in_.path().string(), how, position_));
}

expected<frame_reader::described> frame_reader::header(frame_kind kind) {
  frame_header header;
  if (in_.size() - position_ < header.size())
    return damaged("it ends");
  if (auto ok = in_.read(position_, header); !ok)
    return tl::unexpected(ok.error());
  header_fields fields{};
  std::memcpy(&fields, header.data(), sizeof(fields));
  if (fields.magic != magic || fields.header_checksum != checksum_of(header) || fields.kind != kind)
    return damaged("the frame header is wrong");
  if (fields.bytes > in_.size() - position_ - header.size())
    return damaged("the frame is longer than the file");
  position_ += header.size();
  checksum_ = crc32c(header, checksum_);
  return described{fields.bytes, fields.payload_checksum};
}

expected<void> frame_reader::payload(std::span<std::byte> out, uint32_t checksum) {
  if (auto ok = in_.read(position_, out); !ok)
    return ok;
  if (crc32c(out) != checksum)
    return damaged("the checksum of the frame does not match");
  position_ += out.size();
  checksum_ = crc32c(out, checksum_);
  return {};
}

expected<std::string> frame_reader::text(frame_kind kind) {
  const auto what = header(kind);
  if (!what)
    return tl::unexpected(what.error());
  std::string text(what->bytes, '\0');
  if (auto ok = payload(std::as_writable_bytes(std::span{text}), what->checksum); !ok)
    return tl::unexpected(ok.error());
  return text;
}

expected<void> frame_reader::into(frame_kind kind, std::span<std::byte> out) {
  const auto what = header(kind);
  if (!what)
    return tl::unexpected(what.error());
  if (what->bytes != out.size())
    return damaged("the frame has another size than its index says");
  return payload(out, what->checksum);
}

} // namespace troupe::learn
