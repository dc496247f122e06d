#include "messages/segments.hpp"

#include <utility>

namespace troupe {
namespace {

thread_local outgoing_segments* to_write = nullptr;
thread_local incoming_segments* to_read = nullptr;

} // namespace

void incoming_segments::add(segment what) {
  bytes_ += what.bytes;
  there_.push_back(std::move(what));
}

void incoming_segments::begin_frame(uint64_t number) {
  frame_ = number;
  for (; !there_.empty() && there_.front().frame < number; there_.pop_front())
    bytes_ -= there_.front().bytes;
}

std::shared_ptr<std::byte> incoming_segments::take(uint64_t number, size_t bytes) {
  for (auto i = there_.begin(); i != there_.end() && i->frame == frame_; ++i)
    if (i->number == number && i->bytes == bytes) {
      auto found = std::move(i->memory);
      there_.erase(i);
      bytes_ -= bytes;
      return found;
    }
  return nullptr;
}

uint64_t outgoing_segments::add(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  bytes_ += bytes.size();
  waiting_.push_back({frame_, ++last_, bytes, std::move(owner)});
  return last_;
}

void outgoing_segments::pass_on(const incoming_segments& from) {
  for (const auto& s : from.there_)
    if (s.frame == from.frame_) {
      bytes_ += s.bytes;
      waiting_.push_back({frame_, s.number, {s.memory.get(), s.bytes}, s.memory});
    }
}

outgoing_segments::segment outgoing_segments::take() {
  auto first = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= first.bytes.size();
  return first;
}

outgoing_segments* write_segments_to(outgoing_segments* where) {
  return std::exchange(to_write, where);
}

incoming_segments* read_segments_from(incoming_segments* where) {
  return std::exchange(to_read, where);
}

outgoing_segments* segments_to_write() {
  return to_write;
}

incoming_segments* segments_to_read() {
  return to_read;
}

} // namespace troupe
