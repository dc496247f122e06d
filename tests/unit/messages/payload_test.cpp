#include "messages/payload.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/byte_buffer.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <cstring>
#include <limits>

#include "messages/registry.hpp"
#include "messages/segments.hpp"

using namespace troupe;

namespace {

caf::byte_buffer written(const payload& p) {
  auto out = caf::byte_buffer{};
  auto sink = caf::binary_serializer{nullptr, out};
  REQUIRE(sink.apply(p));
  return out;
}

bool read(const caf::byte_buffer& bytes, payload& p) {
  auto source = caf::binary_deserializer{nullptr, bytes};
  return source.apply(p);
}

payload counted(size_t n) {
  auto p = payload::floats(n);
  for (size_t i = 0; i < n; ++i)
    p.mutable_floats()[i] = static_cast<float>(i) + 0.5f;
  return p;
}

} // namespace

TEST_CASE("a payload is aligned to 64 bytes, and so are its parts") {
  auto p = counted(100);
  CHECK(reinterpret_cast<uintptr_t>(p.data()) % 64 == 0);
  auto part = p.part(32, 20);
  CHECK(reinterpret_cast<uintptr_t>(part.data()) % 64 == 0);
  CHECK(part.elements() == 20);
  CHECK(part.as_floats()[0] == 32.5f);
}

TEST_CASE("copying and sending a payload copies no bytes") {
  register_messages();
  auto p = counted(1000);
  auto copy = p;
  CHECK(copy.data() == p.data());
  auto message = caf::make_message(p);
  const auto sent = std::vector<caf::message>(2, message);
  CHECK(sent.back().get_as<payload>(0).data() == p.data());
  CHECK(p.part(16, 16).data() == p.data() + 64);
}

TEST_CASE("a payload crosses the wire bit by bit, with its type and shape") {
  for (size_t n : {0u, 1u, 15u, 16u, 1000u, 100003u}) {
    auto p = counted(n);
    auto back = payload{};
    REQUIRE(read(written(p), back));
    CHECK(back.type() == dtype::f32);
    CHECK(back.shape() == p.shape());
    CHECK(std::memcmp(back.data(), p.data(), p.bytes()) == 0);
  }
  auto labels = payload::make(dtype::i64, {2, 3});
  std::memset(labels.mutable_data(), 7, labels.bytes());
  auto back = payload{};
  REQUIRE(read(written(labels), back));
  CHECK(back.shape() == std::vector<uint64_t>{2, 3});
  CHECK(back.bytes() == 48);
}

TEST_CASE("an empty payload stays empty") {
  auto back = counted(3);
  REQUIRE(read(written(payload{}), back));
  CHECK(back.empty());
  CHECK(back.elements() == 0);
}

TEST_CASE("a truncated payload is refused at every length") {
  auto whole = written(counted(40));
  for (size_t n = 0; n < whole.size(); ++n) {
    auto part = caf::byte_buffer(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n));
    auto back = payload{};
    CHECK_FALSE(read(part, back));
  }
}

TEST_CASE("sizes from the wire are checked before memory is taken") {
  CHECK_FALSE(payload::from_wire(99, {1}));
  CHECK_FALSE(payload::from_wire(0, std::vector<uint64_t>(9, 1)));
  CHECK_FALSE(payload::from_wire(0, {std::numeric_limits<uint64_t>::max(), 2}));
  CHECK_FALSE(payload::from_wire(0, {uint64_t{1} << 40}));
  CHECK(payload::from_wire(0, {4, 4}));
  // A header that claims far more than the message holds.
  auto bytes = caf::byte_buffer{};
  auto sink = caf::binary_serializer{nullptr, bytes};
  REQUIRE((sink.value(true) && sink.value(uint8_t{0}) && sink.value(uint8_t{1}) && sink.value(uint64_t{1} << 28)));
  auto before = cached_memory();
  auto back = payload{};
  CHECK_FALSE(read(bytes, back));
  CHECK(back.empty());
  CHECK(cached_memory() == before);
}

namespace {

// What a connection would do.
void deliver(outgoing_segments& out, incoming_segments& in) {
  while (!out.empty()) {
    auto segment = out.take();
    auto memory = acquire_memory(segment.bytes.size());
    std::memcpy(memory.get(), segment.bytes.data(), segment.bytes.size());
    in.add({segment.frame, segment.number, segment.bytes.size(), memory});
  }
}

} // namespace

TEST_CASE("a large tensor passes beside its message, uncopied, where the connection can take it") {
  auto out = outgoing_segments{};
  auto in = incoming_segments{};
  auto large = counted(min_segment / sizeof(float));
  auto small = counted(min_segment / sizeof(float) - 1);
  write_segments_to(&out);
  out.begin_frame(1);
  (void)written(large);
  out.begin_frame(2);
  auto message = written(large);
  CHECK(message.size() < 64);
  CHECK(written(small).size() > small.bytes());
  CHECK(write_segments_to(nullptr) == &out);
  CHECK(out.bytes() == 2 * large.bytes());
  deliver(out, in);
  auto back = payload{};
  CHECK_FALSE(read(message, back)); // not on a connection
  read_segments_from(&in);
  CHECK_FALSE(read(message, back)); // not yet
  in.begin_frame(2);
  CHECK(in.bytes() == large.bytes()); // what nobody has read is forgotten
  REQUIRE(read(message, back));
  CHECK(in.bytes() == 0);
  CHECK(back.shape() == large.shape());
  CHECK(std::memcmp(back.data(), large.data(), large.bytes()) == 0);
  CHECK_FALSE(read(message, back));       // it came once
  in.add({2, 2, 64, acquire_memory(64)}); // of another size than the message says
  CHECK_FALSE(read(message, back));
  read_segments_from(nullptr);
}

TEST_CASE("a message that is passed on takes its tensors along, and no others") {
  auto first = outgoing_segments{};
  auto large = counted(min_segment);
  write_segments_to(&first);
  auto messages = std::vector<caf::byte_buffer>{};
  for (uint64_t frame : {1u, 2u, 3u}) {
    first.begin_frame(frame);
    messages.push_back(written(large));
  }
  write_segments_to(nullptr);
  auto between = incoming_segments{};
  deliver(first, between);
  between.begin_frame(2);
  auto second = outgoing_segments{};
  second.begin_frame(9);
  second.pass_on(between);
  CHECK(second.bytes() == large.bytes());
  auto last = incoming_segments{};
  deliver(second, last);
  last.begin_frame(9);
  read_segments_from(&last);
  auto back = payload{};
  CHECK(read(messages[1], back));
  read_segments_from(nullptr);
  CHECK(std::memcmp(back.data(), large.data(), large.bytes()) == 0);
}

TEST_CASE("released memory is used again and the cache is bounded (R13)") {
  trim_memory();
  auto* first = payload::floats(5000).data();
  CHECK(payload::floats(5000).data() == first);
  {
    auto many = std::vector<payload>{};
    for (int i = 0; i < 20; ++i)
      many.push_back(payload::floats(size_t{16} << 20));
  }
  CHECK(cached_memory() <= memory_cache_limit);
  trim_memory();
  CHECK(cached_memory() == 0);
}
