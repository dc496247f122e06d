#include "actors/link_policy.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "messages/memory.hpp"

namespace troupe {

using caf::io::network::rw_state;

namespace {

// Others in CAF's loop have their turn after so much.
constexpr size_t most_at_a_time = size_t{1} << 20;
// Tensors that wait for their message (R13): they may be empty, and still take memory to remember.
constexpr size_t most_waiting = 65'536;

void put(std::byte* to, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i)
    to[i] = static_cast<std::byte>(value >> (8 * i));
}

uint64_t get(const std::byte* from, size_t bytes) {
  auto result = uint64_t{0};
  for (size_t i = 0; i < bytes; ++i)
    result |= std::to_integer<uint64_t>(from[i]) << (8 * i);
  return result;
}

} // namespace

link_record::header link_record::encoded() const {
  auto result = header{static_cast<std::byte>(what)};
  put(result.data() + 1, bytes, 7);
  put(result.data() + 8, frame, 8);
  put(result.data() + 16, number, 8);
  return result;
}

expected<link_record> link_record::from(std::span<const std::byte> bytes) {
  auto what = static_cast<kind>(bytes[0]);
  if (what != kind::messages && what != kind::segment)
    return fail("it sends a record of an unknown kind");
  return link_record{what, get(bytes.data() + 1, 7), get(bytes.data() + 8, 8), get(bytes.data() + 16, 8)};
}

link_policy::link_policy(std::unique_ptr<link_channel> channel, link_process process, std::string with,
                         std::shared_ptr<outgoing_segments> out, std::shared_ptr<incoming_segments> in)
  : channel_(std::move(channel)), process_(std::move(process)), with_(std::move(with)),
    guard_(process_.settings->limits.frame_bytes), out_(std::move(out)), in_(std::move(in)) {
  // nop
}

rw_state link_policy::give_up(const std::string& why) {
  process_.log->refused(with_, why);
  return rw_state::failure;
}

// -- writing ----------------------------------------------------------------------------------------------------------

// Tensors first: the messages that wait may refer to them. False: there is nothing to send.
bool link_policy::begin_record(size_t messages) {
  auto& w = now_writing_;
  if (!out_->empty()) {
    auto next = out_->take();
    w.header = link_record{link_record::kind::segment, next.bytes.size(), next.frame, next.number}.encoded();
    w.segment = next.bytes;
    w.owner = std::move(next.owner);
  } else if (messages > 0) {
    w.header = link_record{link_record::kind::messages, messages}.encoded();
    w.messages_left = messages;
  } else {
    return false;
  }
  w.header_sent = 0;
  return true;
}

rw_state link_policy::write_some(size_t& done, caf::io::network::native_socket, const void* from, size_t size) {
  const auto messages = std::span{static_cast<const std::byte*>(from), size};
  auto& w = now_writing_;
  done = 0;
  for (size_t moved = 0; moved < most_at_a_time;) {
    const auto between = w.header_sent == w.header.size() && w.segment.empty() && w.messages_left == 0;
    if (between && !begin_record(size - done))
      break;
    const auto header = std::span<const std::byte>{w.header}.subspan(w.header_sent);
    const auto body = w.segment.empty() ? messages.subspan(done, w.messages_left) : w.segment;
    const auto r = channel_->write(header, body.first(std::min(body.size(), most_at_a_time)));
    if (r.what == outcome::failed)
      return give_up(fmt::format("its connection fails: {}", channel_->problem()));
    if (r.what == outcome::closed)
      return rw_state::failure;
    if (r.what != outcome::moved)
      break;
    moved += r.bytes;
    const auto of_header = std::min(r.bytes, header.size());
    w.header_sent += of_header;
    if (const auto of_body = r.bytes - of_header; w.segment.empty()) {
      w.messages_left -= of_body;
      done += of_body;
    } else {
      w.segment = w.segment.subspan(of_body);
      if (w.segment.empty())
        w.owner.reset();
    }
  }
  return rw_state::success;
}

// -- reading ----------------------------------------------------------------------------------------------------------

link_channel::result link_policy::read_ahead() {
  std::move(ahead_.begin() + first_ahead_, ahead_.begin() + ahead_end_, ahead_.begin());
  ahead_end_ -= std::exchange(first_ahead_, 0);
  auto r = channel_->read(std::span{ahead_}.subspan(ahead_end_));
  if (r.what == outcome::moved)
    ahead_end_ += r.bytes;
  return r;
}

link_channel::result link_policy::fill(std::span<std::byte> into) {
  if (first_ahead_ == ahead_end_)
    return channel_->read(into.first(std::min(into.size(), most_at_a_time)));
  const auto there = std::min(into.size(), ahead_end_ - first_ahead_);
  std::memcpy(into.data(), ahead_.data() + first_ahead_, there);
  first_ahead_ += there;
  return {outcome::moved, there};
}

// True: a record has begun. What is to be received is bounded before memory is taken for it.
expected<bool> link_policy::begin_reading() {
  if (ahead_end_ - first_ahead_ < link_record::header_bytes)
    return false;
  auto next = link_record::from(std::span{ahead_}.subspan(first_ahead_, link_record::header_bytes));
  if (!next)
    return tl::unexpected(next.error());
  first_ahead_ += link_record::header_bytes;
  auto& r = now_reading_;
  r = {*next, next->bytes, nullptr};
  if (next->what == link_record::kind::segment) {
    if (auto most = process_.settings->limits.frame_bytes; next->bytes > most || in_->bytes() > most - next->bytes)
      return fail(fmt::format("it sends tensors of more than {} bytes and not the messages that they are of", most));
    if (in_->count() >= most_waiting)
      return fail(fmt::format("it sends more than {} tensors and not the messages that they are of", most_waiting));
    r.memory = acquire_memory(next->bytes);
    if (next->bytes == 0)
      in_->add({next->frame, next->number, 0, std::move(r.memory)});
  }
  return true;
}

rw_state link_policy::read_some(size_t& done, caf::io::network::native_socket, void* into, size_t size) {
  auto messages = std::span{static_cast<std::byte*>(into), size};
  auto r = link_channel::result{outcome::moved};
  auto& n = now_reading_;
  done = 0;
  // CAF waits for the socket where there is nothing for it: then nothing may be left that was taken from there.
  auto is_held = [&] { return done == 0 && (first_ahead_ < ahead_end_ || channel_->holds_bytes()); };
  for (size_t moved = 0; (moved < most_at_a_time || is_held()) && r.what == outcome::moved && done < size;) {
    if (n.left == 0) {
      auto begun = begin_reading();
      if (!begun)
        return give_up(begun.error().sentence);
      if (*begun)
        continue;
      if (done > 0 && channel_->session() == nullptr)
        break; // a call more would mostly find nothing
      r = read_ahead();
      continue;
    }
    const auto is_segment = n.what.what == link_record::kind::segment;
    auto where = is_segment ? std::span{n.memory.get() + (n.what.bytes - n.left), n.left} : messages.subspan(done);
    r = fill(where.first(std::min<uint64_t>(where.size(), n.left)));
    if (r.what != outcome::moved)
      break;
    moved += r.bytes;
    n.left -= r.bytes;
    if (!is_segment)
      done += r.bytes;
    else if (n.left == 0)
      in_->add({n.what.frame, n.what.number, n.what.bytes, std::move(n.memory)});
  }
  if (auto good = guard_.see(messages.first(done)); !good)
    return give_up(good.error().sentence);
  in_->begin_frame(guard_.frames());
  if (done > 0)
    return rw_state::success; // an end comes again
  if (r.what == outcome::failed)
    return give_up(fmt::format("its connection fails: {}", channel_->problem()));
  return r.what == outcome::closed ? rw_state::failure : rw_state::success;
}

} // namespace troupe
