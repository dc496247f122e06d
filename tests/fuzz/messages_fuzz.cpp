// Every message type as it comes over the wire, payload and greeting among them: as CAF reads it, without a sender to
// trust. What is read can be written, and is then read again as the same bytes.

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/byte_buffer.hpp>
#include <span>
#include <utility>

#include "messages/registry.hpp"
#include "tests/fuzz/target.hpp"

namespace troupe::fuzz {
namespace {

constexpr auto first_type = caf::id_block::troupe::begin;
constexpr auto types = static_cast<size_t>(caf::id_block::troupe::end - first_type);

template <class T>
bytes written(T& what) {
  auto result = caf::byte_buffer{};
  auto sink = caf::binary_serializer{nullptr, result};
  if (!sink.apply(what))
    result.clear(); // a handle of an actor, outside any system
  auto all = std::as_bytes(std::span{result});
  return {all.begin(), all.end()};
}

// CAF has a byte of its own.
caf::binary_deserializer source_of(std::span<const std::byte> input) {
  return {nullptr, reinterpret_cast<const caf::byte*>(input.data()), input.size()};
}

template <class T>
void read_as(std::span<const std::byte> input) {
  auto what = T{};
  auto source = source_of(input);
  if (!source.apply(what))
    return;
  auto once = written(what);
  if (once.empty())
    return;
  auto same = T{};
  auto again = source_of(once);
  if (!again.apply(same) || written(same) != once)
    broken("a message that was read and written is another one when it is read again");
}

template <size_t... Is>
void read_any(size_t which, std::span<const std::byte> input, std::index_sequence<Is...>) {
  using reader = void (*)(std::span<const std::byte>);
  static constexpr reader readers[] = {read_as<caf::type_by_id_t<static_cast<caf::type_id_t>(first_type + Is)>>...};
  readers[which](input);
}

// Its first byte says which type.
template <class T>
bytes seed(T what) {
  auto all = written(what);
  auto result = bytes{std::byte{static_cast<unsigned char>(caf::type_id_v<T> - first_type)}};
  result.insert(result.end(), all.begin(), all.end());
  return result;
}

} // namespace

static_assert(types <= 256);

void read(std::span<const std::byte> input) {
  if (!input.empty())
    read_any(std::to_integer<size_t>(input.front()) % types, input.subspan(1), std::make_index_sequence<types>{});
}

std::vector<bytes> seeds() {
  register_messages();
  auto from = origin{{"agent", 1}, {2}, {3}};
  auto values = payload::floats(4);
  auto view = view_changed{{4}, {5}, {{{"agent", 0}, {1}}, {{"shard_holder", 1}, {2}}}, {}, {}};
  return {seed(hello{"troupe", protocol_version, "0.1.0", "job", {}, 2}), seed(values), seed(view),
          seed(push_gradients{from, {6}, {6}, {0}, {1, 0}, 4, values, false}), seed(lease{})};
}

} // namespace troupe::fuzz
