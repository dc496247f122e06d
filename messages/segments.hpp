#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

namespace troupe {

/// Tensors of at least so many bytes pass a connection beside the message that they are of: it has a number in their
/// place, the sender's socket takes them from where they lie, and the receiver's fills the memory in which they stay.
/// Nobody copies them in between.
inline constexpr size_t min_segment = size_t{16} << 10;

/// What one connection has received of them, until the message is read. Of one thread.
class incoming_segments {
public:
  struct segment {
    uint64_t frame = 0;  ///< of CAF's protocol, counted from 1: the message that it is of
    uint64_t number = 0; ///< in that message
    size_t bytes = 0;
    std::shared_ptr<std::byte> memory;
  };

  void add(segment what);
  /// The frame that is read now. What is of earlier ones is forgotten: nobody has read those.
  void begin_frame(uint64_t number);
  /// That number's bytes, of the present frame; null where there are none, or another number of them.
  std::shared_ptr<std::byte> take(uint64_t number, size_t bytes);
  /// Of those that wait for their message.
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  [[nodiscard]] size_t count() const { return there_.size(); }

private:
  friend class outgoing_segments;

  std::deque<segment> there_; // by rising frames
  uint64_t frame_ = 0;
  uint64_t bytes_ = 0;
};

/// What one connection has to send of them, before the message. Of one thread.
class outgoing_segments {
public:
  struct segment {
    uint64_t frame = 0;
    uint64_t number = 0;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner; ///< keeps them alive
  };

  /// What is added from now on is of that frame.
  void begin_frame(uint64_t number) { frame_ = number; }
  /// The number that stands for these bytes in the message.
  uint64_t add(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
  /// The present frame is that other connection's, passed on: so are its tensors.
  void pass_on(const incoming_segments& from);
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  segment take();

private:
  std::deque<segment> waiting_;
  uint64_t frame_ = 0;
  uint64_t bytes_ = 0;
  uint64_t last_ = 0;
};

/// Where tensors go that this thread writes from now on, and come from that it reads; null: into messages, and from
/// there. Return what was there before.
outgoing_segments* write_segments_to(outgoing_segments* where);
incoming_segments* read_segments_from(incoming_segments* where);
/// The present ones.
outgoing_segments* segments_to_write();
incoming_segments* segments_to_read();

} // namespace troupe
