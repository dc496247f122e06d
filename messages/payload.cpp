#include "messages/payload.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/sec.hpp>
#include <cassert>
#include <fmt/format.h>
#include <optional>

#include "messages/segments.hpp"
#include "messages/shared_memory.hpp"

namespace troupe {

size_t size_of(dtype type) {
  switch (type) {
  case dtype::i64:
    return 8;
  case dtype::f32:
  case dtype::i32:
    return 4;
  case dtype::bf16:
  case dtype::f16:
    return 2;
  case dtype::u8:
    return 1;
  }
  return 1;
}

std::string to_string(dtype type) {
  switch (type) {
  case dtype::f32:
    return "f32";
  case dtype::bf16:
    return "bf16";
  case dtype::f16:
    return "f16";
  case dtype::i32:
    return "i32";
  case dtype::i64:
    return "i64";
  case dtype::u8:
    return "u8";
  }
  return "?";
}

payload payload::make(dtype type, std::vector<uint64_t> shape) {
  payload result;
  result.type_ = type;
  result.shape_ = std::move(shape);
  result.memory_ = acquire_memory(result.bytes());
  return result;
}

payload payload::floats_to_lend(size_t count) {
  payload result;
  result.shape_ = {count};
  result.memory_ = shared_memory::of_this_process().acquire(count * sizeof(float));
  return result;
}

expected<size_t> payload::checked_bytes(uint8_t type, const std::vector<uint64_t>& shape) {
  if (type > static_cast<uint8_t>(dtype::u8))
    return fail(fmt::format("a peer sent a tensor of unknown type {}: both sides must run the same version", type));
  if (shape.size() > max_rank)
    return fail(fmt::format("a peer sent a tensor of {} dimensions, at most {} are accepted", shape.size(), max_rank));
  uint64_t bytes = size_of(static_cast<dtype>(type));
  for (auto dim : shape)
    if (__builtin_mul_overflow(bytes, dim, &bytes) || bytes > max_bytes)
      return fail(fmt::format("a peer sent a tensor of more than {} bytes", max_bytes));
  return bytes;
}

expected<payload> payload::from_wire(uint8_t type, std::vector<uint64_t> shape) {
  if (auto bytes = checked_bytes(type, shape); !bytes)
    return tl::unexpected(bytes.error());
  return make(static_cast<dtype>(type), std::move(shape));
}

payload payload::for_reader(process_id who) const {
  auto result = *this;
  result.reader_ = who;
  return result;
}

size_t payload::elements() const {
  if (memory_ == nullptr && shape_.empty())
    return 0;
  size_t n = 1;
  for (auto dim : shape_)
    n *= dim;
  return n;
}

std::span<const float> payload::as_floats() const {
  assert(type_ == dtype::f32);
  return {reinterpret_cast<const float*>(data()), elements()};
}

std::span<float> payload::mutable_floats() {
  assert(type_ == dtype::f32);
  return {reinterpret_cast<float*>(mutable_data()), elements()};
}

payload payload::part(size_t first, size_t count) const {
  assert(type_ == dtype::f32 && first % 16 == 0 && first + count <= elements());
  payload result = *this;
  result.offset_ += first * sizeof(float);
  result.shape_ = {count};
  return result;
}

bool payload::save(caf::binary_serializer& f) const {
  auto loan = std::optional<shared_loan>{};
  if (reader_.pid != 0 && memory_ != nullptr && bytes() >= min_lent)
    loan = shared_memory::of_this_process().lend(memory_, data(), bytes(), reader_);
  auto* beside = memory_ != nullptr && !loan && bytes() >= min_segment ? segments_to_write() : nullptr;
  auto how = memory_ == nullptr ? form::none : loan ? form::loan : beside ? form::segment : form::bytes;
  auto rank = static_cast<uint8_t>(shape_.size());
  if (!f.value(static_cast<uint8_t>(how)) || !f.value(static_cast<uint8_t>(type_)) || !f.value(rank))
    return false;
  for (auto dim : shape_)
    if (!f.value(dim))
      return false;
  if (loan)
    return f.value(loan->owner.pid) && f.value(loan->owner.started) && f.value(loan->reader.pid) &&
           f.value(loan->reader.started) && f.value(loan->slot) && f.value(loan->token) && f.value(loan->offset);
  if (beside)
    return f.value(beside->add({data(), bytes()}, memory_));
  return memory_ == nullptr || write_block(f, data(), bytes());
}

bool payload::load(caf::binary_deserializer& f) {
  uint8_t how = 0;
  uint8_t type = 0;
  uint8_t rank = 0;
  if (!f.value(how) || !f.value(type) || !f.value(rank))
    return false;
  if (rank > max_rank || how > static_cast<uint8_t>(form::segment)) {
    f.set_error(caf::make_error(caf::sec::invalid_argument, "tensor with too many dimensions or in an unknown form"));
    return false;
  }
  auto shape = std::vector<uint64_t>(rank);
  for (auto& dim : shape)
    if (!f.value(dim))
      return false;
  if (how == static_cast<uint8_t>(form::bytes))
    return load_bytes(f, type, std::move(shape));
  if (how == static_cast<uint8_t>(form::loan))
    return load_loan(f, type, std::move(shape));
  if (how == static_cast<uint8_t>(form::segment))
    return load_segment(f, type, std::move(shape));
  *this = payload{};
  return true;
}

bool payload::load_bytes(caf::binary_deserializer& f, uint8_t type, std::vector<uint64_t> shape) {
  // The bytes must be there before memory is taken for them.
  uint64_t claimed = 1;
  for (auto dim : shape)
    if (__builtin_mul_overflow(claimed, dim, &claimed))
      claimed = UINT64_MAX;
  if (claimed > f.remaining()) {
    f.set_error(caf::make_error(caf::sec::end_of_stream));
    return false;
  }
  auto made = from_wire(type, std::move(shape));
  if (!made) {
    f.set_error(caf::make_error(caf::sec::invalid_argument, made.error().sentence));
    return false;
  }
  *this = std::move(*made);
  return read_block(f, mutable_data(), bytes());
}

bool payload::load_loan(caf::binary_deserializer& f, uint8_t type, std::vector<uint64_t> shape) {
  auto loan = shared_loan{};
  if (!f.value(loan.owner.pid) || !f.value(loan.owner.started) || !f.value(loan.reader.pid) ||
      !f.value(loan.reader.started) || !f.value(loan.slot) || !f.value(loan.token) || !f.value(loan.offset))
    return false;
  auto lent = checked_bytes(type, shape).and_then([&](size_t bytes) {
    return shared_memory::of_this_process().claim(loan, bytes);
  });
  if (!lent) {
    f.set_error(caf::make_error(caf::sec::invalid_argument, lent.error().sentence));
    return false;
  }
  *this = payload{};
  type_ = static_cast<dtype>(type);
  shape_ = std::move(shape);
  memory_ = std::const_pointer_cast<std::byte>(std::move(*lent));
  borrowed_ = true;
  return true;
}

bool payload::load_segment(caf::binary_deserializer& f, uint8_t type, std::vector<uint64_t> shape) {
  auto number = uint64_t{0};
  if (!f.value(number))
    return false;
  auto* beside = segments_to_read();
  auto came = checked_bytes(type, shape).and_then([&](size_t bytes) -> expected<std::shared_ptr<std::byte>> {
    if (auto memory = beside ? beside->take(number, bytes) : nullptr)
      return memory;
    return fail("a tensor did not come along with its message");
  });
  if (!came) {
    f.set_error(caf::make_error(caf::sec::invalid_argument, came.error().sentence));
    return false;
  }
  *this = payload{};
  type_ = static_cast<dtype>(type);
  shape_ = std::move(shape);
  memory_ = std::move(*came);
  return true;
}

} // namespace troupe
