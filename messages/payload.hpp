#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "messages/caf.hpp"
#include "messages/failure.hpp"
#include "messages/memory.hpp"
#include "messages/process_place.hpp"

namespace troupe {

enum class dtype : uint8_t { f32, bf16, f16, i32, i64, u8 };

size_t size_of(dtype type);
std::string to_string(dtype type);

/// A dense tensor in a message: reference-counted, 64-byte aligned, row-major. Copying a payload copies a pointer, so a
/// send inside a process copies nothing. Between processes the bytes travel as one raw block, or, `for_reader`s on the
/// same host, stay where they are and are lent (`shared_memory`). Treat it as immutable once it has been sent: the
/// receiver reads the same memory.
class payload {
public:
  /// The largest payload accepted from the wire.
  static constexpr size_t max_bytes = size_t{2} << 30;
  /// The most dimensions a payload can have.
  static constexpr size_t max_rank = 8;
  /// Less than this is not worth a loan: it is sent.
  static constexpr size_t min_lent = size_t{16} << 10;

  payload() = default;

  /// Uninitialised tensor of `shape`.
  static payload make(dtype type, std::vector<uint64_t> shape);
  /// Uninitialised vector of `count` floats.
  static payload floats(size_t count) { return make(dtype::f32, {count}); }
  /// The same where other processes can read it in place, if this process shares memory and has some left.
  static payload floats_to_lend(size_t count);

  [[nodiscard]] dtype type() const { return type_; }
  [[nodiscard]] const std::vector<uint64_t>& shape() const { return shape_; }
  [[nodiscard]] size_t elements() const;
  [[nodiscard]] size_t bytes() const { return elements() * size_of(type_); }
  [[nodiscard]] bool empty() const { return memory_ == nullptr; }

  [[nodiscard]] const std::byte* data() const { return memory_.get() + offset_; }
  /// For whoever made the payload, before it is sent.
  [[nodiscard]] std::byte* mutable_data() {
    assert(!borrowed_);
    return memory_.get() + offset_;
  }

  /// The elements as floats; the type must be f32.
  [[nodiscard]] std::span<const float> as_floats() const;
  [[nodiscard]] std::span<float> mutable_floats();

  /// `count` floats from element `first` as a vector that shares this payload's memory. `first` must be a multiple of
  /// 16, so that the part is aligned as well.
  [[nodiscard]] payload part(size_t first, size_t count) const;

  /// The same tensor, to be sent to a process of this host: lent to it, if it reads what this process shares. In any
  /// other process its descriptor is worth nothing.
  [[nodiscard]] payload for_reader(process_id who) const;
  /// It lies in another process, which has lent it: nobody writes to it here.
  [[nodiscard]] bool borrowed() const { return borrowed_; }

  /// Keeps the memory alive.
  [[nodiscard]] std::shared_ptr<const void> owner() const { return memory_; }

  /// The header fields as they come from a peer: refuses an unknown type, too many dimensions and sizes that overflow
  /// or exceed `max_bytes`, before anything is allocated.
  static expected<payload> from_wire(uint8_t type, std::vector<uint64_t> shape);

private:
  template <class Inspector>
  friend bool inspect(Inspector& f, payload& x);

  enum class form : uint8_t { none, bytes, loan, segment };

  bool save(caf::binary_serializer& f) const;
  bool load(caf::binary_deserializer& f);
  bool load_bytes(caf::binary_deserializer& f, uint8_t type, std::vector<uint64_t> shape);
  bool load_loan(caf::binary_deserializer& f, uint8_t type, std::vector<uint64_t> shape);
  bool load_segment(caf::binary_deserializer& f, uint8_t type, std::vector<uint64_t> shape);
  static expected<size_t> checked_bytes(uint8_t type, const std::vector<uint64_t>& shape);

  std::shared_ptr<std::byte> memory_;
  size_t offset_ = 0; // in bytes
  dtype type_ = dtype::f32;
  std::vector<uint64_t> shape_;
  process_id reader_;     // none: send the bytes
  bool borrowed_ = false; // from another process
};

template <class Inspector>
bool inspect(Inspector& f, payload& x) {
  if constexpr (std::is_same_v<Inspector, caf::binary_serializer>) {
    return x.save(f);
  } else if constexpr (std::is_same_v<Inspector, caf::binary_deserializer>) {
    return x.load(f);
  } else { // logs and tests show what it is, not what is in it
    auto type = to_string(x.type_);
    return f.object(x).fields(f.field("dtype", type), f.field("shape", x.shape_));
  }
}

} // namespace troupe
